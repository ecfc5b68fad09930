"""``chorus search``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus search "thanks for sharing this with the community"

chorus search "read my new book" --label self-promotion --since 2012-01-01

chorus search --like 3f2a9c -k 5
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("search", epilog=EPILOG)(search)


def search(
    query: Annotated[str | None, typer.Argument(metavar="[QUERY]", help="What to look for, in any words.")] = None,
    archive: options.Archive = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many hits.")] = 10,
    mode: Annotated[str, typer.Option("--mode", help="hybrid, vector or text.")] = "hybrid",
    like: Annotated[str | None, typer.Option("--like", metavar="ID", help="More like this passage or entry.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Only this host.")] = None,
    author: Annotated[str | None, typer.Option("--author", help="Only this author (letter case ignored).")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Only passages classified so.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="post, comment, pingback or trackback.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Published on this day or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Published on this day or earlier.")
    ] = None,
    thread: Annotated[str | None, typer.Option("--thread", metavar="ID", help="Only this thread.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show which part each score came from.")] = False,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Search the archive by meaning and by words.

    Hybrid search joins the ranks of both by reciprocal rank fusion. Dates compare by the day the page prints.
    """
    from cli.jobs.search import SearchRequest, run_search
    from cli.output import choose_format, emit
    from cli.render_hits import hits_text

    options.check_choice("--mode", mode, ("hybrid", "vector", "text"))
    chosen = choose_format(fmt, as_json=as_json)
    request = SearchRequest(
        query=query, like=like, mode=mode, k=k, site=site, author=author, label=label, kind=kind, since=since, until=until,
        thread=thread,
    )  # fmt: skip
    hits = run_search(options.archive_path(archive), request)
    if chosen == "table":
        typer.echo(hits_text(hits, explain=explain))
        return
    columns = ("score", "author", "published", "label", "text", "title", "url", "thread_id", "entry_id")
    emit((hit.to_json() for hit in hits), columns, chosen)
