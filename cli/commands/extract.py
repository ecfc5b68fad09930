"""``chorus extract``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus extract page.html --url https://blog.example/2012/12/a-post/

curl -s https://blog.example/a-post/ | chorus extract - --url https://blog.example/a-post/ | jq .comments
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("extract", epilog=EPILOG)(extract)


def extract(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="A saved page (HTML) or a plain-text thread; - is stdin.")
    ],
    url: Annotated[str, typer.Option("--url", help="Where the page came from.")],
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Read one thread out of a file and print it as JSON. Touches no archive and no network."""
    from cli.jobs.extract import extract_file
    from cli.output import choose_format, emit
    from cli.render import thread_tree

    chosen = choose_format(fmt, as_json=as_json)
    document = extract_file(file, url)
    if chosen == "table":
        typer.echo(thread_tree(document))
    elif chosen == "json":
        typer.echo(options.pretty(document.to_json()))
    else:
        rows = [document.to_json()] if chosen == "jsonl" else document.to_json()["comments"]
        emit(rows, ("native_id", "parent_id", "author", "published", "state", "text"), chosen)
