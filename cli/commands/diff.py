"""``chorus diff``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus diff https://blog.example/2012/12/a-post/ -a my-archive

chorus diff 4f1c09 --since 2026-11-01 --json
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("diff", epilog=EPILOG)(diff)


def diff(
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread's id, the start of one, or its URL.")],
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Only changes seen from this date on.")
    ] = None,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """What changed in a thread between harvests: comments added, edited, removed, re-parented.

    Each side of a change names the WARC record in which it was seen. A visit that saw only part of a thread proves no
    removal. Exit code 5 if nothing changed.
    """
    from cli.jobs.diff import thread_history
    from cli.output import choose_format, emit
    from cli.render_diff import history_text
    from store.records import NothingFound

    chosen = choose_format(fmt, as_json=as_json)
    history = thread_history(options.archive_path(archive), thread, since=since)
    if chosen == "table":
        typer.echo(history_text(history, colour=sys.stdout.isatty()))
    else:
        rows = ({**change.to_json(), "thread_id": history.thread.thread_id} for change in history.changes)
        flat = ("change", "at", "entry_id", "thread_id")
        emit(rows, flat, chosen)
    if not history.changes:
        raise NothingFound(
            f"nothing changed in {len(history.visits)} visits", hint="chorus harvest --update visits again"
        )
