"""``chorus doctor``."""

from __future__ import annotations

import typer

from cli import options

EPILOG = """Examples:

chorus doctor
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor", epilog=EPILOG)(doctor)


def doctor(fmt: options.Format = None, as_json: options.Json = False) -> None:
    """Say what is installed and what is missing: packages, browser, embedding model, classifier.

    Exit 0 when everything needed is there, 1 otherwise.
    """
    from cli.jobs.doctor import examine
    from cli.output import choose_format, emit

    rows = examine()
    emit(rows, ("part", "ok", "found", "hint"), choose_format(fmt, as_json=as_json))
    raise typer.Exit(0 if all(row["ok"] for row in rows) else 1)
