"""``chorus duplicates``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import narrowing, options

EPILOG = """Examples:

chorus duplicates

chorus duplicates --threshold 0.6 --min-authors 2

chorus duplicates --exact --kind comment --format csv > copies.csv
"""

#: What csv and tsv show, an entry a line; JSON shows a group a line, with its entries in it.
COLUMNS = (
    *("group", "match", "similarity", "size", "first", "author", "date", "text", "site", "permalink"),
    *("entry_id", "thread_id"),
)

SHORT = ("group", "match", "similarity", "author", "date", "text", "entry_id")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("duplicates", epilog=EPILOG)(duplicates)


def duplicates(
    archive: options.Archive = None,
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="T", help="Least Jaccard similarity of word triples, 0.3 to 1.")
    ] = 0.8,
    min_words: Annotated[int, typer.Option("--min-words", min=1, metavar="N", help="Pass over shorter entries.")] = 5,
    min_authors: Annotated[
        int, typer.Option("--min-authors", min=1, metavar="N", help="Only groups by so many authors.")
    ] = 1,
    exact: Annotated[bool, typer.Option("--exact", help="Only those that are the same but for white space.")] = False,
    site: narrowing.Site = None,
    author: narrowing.Author = None,
    kind: narrowing.Kind = None,
    since: narrowing.Since = None,
    until: narrowing.Until = None,
    thread: narrowing.Thread = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Report entries that say the same, or nearly: who wrote it first, who again, where.

    Groups are exact (the same but for white space) or near; similarity is the weakest link that holds a group together. In
    table, csv and tsv an entry is a line, earliest first within its group; in JSON a group.
    """
    from cli.jobs.duplicates import DuplicatesRequest, duplicates_report
    from cli.jobs.narrowed import Narrowed
    from cli.output import choose_format, emit

    chosen = choose_format(fmt, as_json=as_json)
    narrowed = Narrowed(site=site, author=author, kind=kind, since=since, until=until, thread=thread)
    request = DuplicatesRequest(
        threshold=threshold, min_words=min_words, min_authors=min_authors, exact=exact, narrowed=narrowed
    )
    report = duplicates_report(options.archive_path(archive), request)
    if chosen == "json":
        typer.echo(options.pretty({"about": report.about, "groups": report.groups}))
    elif chosen == "jsonl":
        emit(report.groups, (), chosen)
    elif chosen == "table":
        emit(({**row, "entry_id": row["entry_id"][:10]} for row in report.rows()), SHORT, chosen)
    else:
        emit(report.rows(), COLUMNS, chosen)
