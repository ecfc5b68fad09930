"""``chorus rebuild``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus rebuild -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("rebuild", epilog=EPILOG)(rebuild)


def rebuild(
    archive: options.Archive = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes that read.", show_default="one a core")
    ] = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Derive every table again from the WARC files.

    The old tables serve until the new ones are ready and stay if anything fails. Labels and vectors of unchanged text are
    kept. An interrupted rebuild goes on where it stopped. Prints how many rows each table had and has, and how many are new
    or gone.
    """
    from cli.jobs.rebuild import rebuild_tables
    from cli.output import choose_format, emit

    rows = rebuild_tables(options.archive_path(archive), workers=workers, quiet=options.is_quiet(quiet))
    emit(rows, ("table", "before", "after", "added", "removed"), choose_format(fmt, as_json=as_json))
