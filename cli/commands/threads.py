"""``chorus threads``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus threads

chorus threads --site blog.example --format csv > threads.csv
"""

COLUMNS = ("id", "title", "site", "comments", "announced", "completeness", "platform", "captured_at")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("threads", epilog=EPILOG)(threads)


def threads(
    archive: options.Archive = None,
    site: Annotated[str | None, typer.Option("--site", help="Only threads of this host.")] = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """List the archived threads with their counts and completeness."""
    from cli.jobs.show import thread_rows
    from cli.output import choose_format, emit, note

    chosen = choose_format(fmt, as_json=as_json)
    rows = thread_rows(options.archive_path(archive), site=site)
    if not rows and chosen == "table":
        note("no threads yet: chorus harvest URL")
    emit(_short_ids(rows) if chosen == "table" else rows, COLUMNS, chosen)


def _short_ids(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Ids cut to ten digits for reading; every command takes such a prefix."""
    return [{**row, "id": str(row["id"])[:10], "captured_at": str(row["captured_at"])[:10]} for row in rows]
