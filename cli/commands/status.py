"""``chorus status``."""

from __future__ import annotations

import typer

from cli import options

EPILOG = """Examples:

chorus status -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("status", epilog=EPILOG)(status)


def status(archive: options.Archive = None, fmt: options.Format = None, as_json: options.Json = False) -> None:
    """Say what is in the archive: pages, threads, comments, labels, size, failures, last run."""
    from cli.jobs.status import archive_status
    from cli.output import choose_format, emit

    rows = archive_status(options.archive_path(archive))
    emit(rows, ("what", "value"), choose_format(fmt, as_json=as_json))
