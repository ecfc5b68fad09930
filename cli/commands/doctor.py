"""``chorus doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus doctor

chorus doctor --repair -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor", epilog=EPILOG)(doctor)


def doctor(
    archive: options.Archive = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Build the archive's search index anew if it is not current.")
    ] = False,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Say what is installed and what is missing: packages, browser, embedding model, classifier; and the archive's index.

    Exit 0 when everything needed is there, 1 otherwise.
    """
    from cli.jobs.doctor import examine
    from cli.output import choose_format, emit

    rows = examine(options.archive_path(archive), repair=repair)
    emit(rows, ("part", "ok", "found", "hint"), choose_format(fmt, as_json=as_json))
    raise typer.Exit(0 if all(row["ok"] for row in rows) else 1)
