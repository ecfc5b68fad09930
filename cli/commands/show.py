"""``chorus show``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus show 3f2a9c

chorus show https://blog.example/2012/12/a-post/ --evidence

chorus show 3f2a9c --json | jq '.comments[] | select(.is_post_author)'
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("show", epilog=EPILOG)(show)


def show(
    thread: Annotated[
        str, typer.Argument(metavar="ID", help="A thread's or entry's id (a prefix will do), or its URL.")
    ],
    archive: options.Archive = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="With each entry the WARC record it was read from.")
    ] = False,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Print one thread as a tree, or as JSON."""
    from cli.jobs.show import thread_document
    from cli.output import choose_format, emit
    from cli.render import thread_tree

    chosen = choose_format(fmt, as_json=as_json)
    document = thread_document(options.archive_path(archive), thread)
    if chosen == "table":
        typer.echo(thread_tree(document, evidence=evidence))
        return
    row = document.to_json(evidence=evidence)
    if chosen == "json":
        typer.echo(options.pretty(row))
        return
    columns = (
        "id",
        "parent",
        "depth",
        "kind",
        "author",
        "published",
        "state",
        "text",
        *(["evidence"] if evidence else []),
    )
    emit([row] if chosen == "jsonl" else row["comments"], columns, chosen)
