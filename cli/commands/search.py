"""``chorus search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import options

if TYPE_CHECKING:
    from cli.jobs.search import Searcher, SearchRequest

EPILOG = """Examples:

chorus search "thanks for sharing this with the community"

chorus search "read my new book" --label self-promotion --since 2012-01-01

chorus search '"building a brand" author:"Ana Ruiz" -kind:post before:2013' --context 2

chorus search --like 3f2a9c -k 5

chorus search -i
"""

#: What csv and tsv show of a hit; JSON shows everything.
COLUMNS = (
    "score",
    "author",
    "published",
    "label",
    "label_probability",
    "text",
    "title",
    "url",
    "thread_id",
    "entry_id",
)
THREAD_COLUMNS = ("score", "title", "site", "passages", "thread_id")

Words = Annotated[list[str] | None, typer.Argument(metavar="QUERY", help="What to look for, in any words.")]
Date = Annotated[str | None, typer.Option("--since", metavar="DATE", help="Published on this day or later.")]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("search", epilog=EPILOG)(search)


def search(
    query: Words = None,
    archive: options.Archive = None,
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many hits.")] = 10,
    mode: Annotated[str, typer.Option("--mode", help="hybrid, vector or text.")] = "hybrid",
    like: Annotated[str | None, typer.Option("--like", metavar="ID", help="More like this passage or entry.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="Only this host.")] = None,
    author: Annotated[str | None, typer.Option("--author", help="Only this author (letter case ignored).")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Only passages classified so.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="post, comment, pingback or trackback.")] = None,
    since: Date = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Published on this day or earlier.")
    ] = None,
    thread: Annotated[str | None, typer.Option("--thread", metavar="ID", help="Only this thread.")] = None,
    threads: Annotated[bool, typer.Option("--threads", help="Rank threads instead of passages.")] = False,
    context: Annotated[
        int, typer.Option("--context", min=0, max=50, metavar="N", help="Show N entries above each hit and N replies.")
    ] = 0,
    count: Annotated[bool, typer.Option("--count", help="Only count the passages that hold every word.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Every passage that holds every word, streamed.")] = False,
    copies: Annotated[bool, typer.Option("--copies", help="Show near-duplicates instead of folding them.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show which part each score came from.")] = False,
    interactive: Annotated[bool, typer.Option("-i", "--interactive", help="Ask again and again.")] = False,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Search the archive by meaning and by words.

    In the QUERY: "a phrase" must stand so; author: site: label: kind: thread: before: after: narrow; - before any of them,
    or before a word, leaves it out. after:2012 begins with 2012, before:2012 ends where it begins; --since and --until
    include their day. Hybrid search joins the ranks of meaning and words by reciprocal rank fusion.
    """
    from cli.jobs.search import Searcher, SearchRequest
    from cli.output import choose_format

    options.check_choice("--mode", mode, ("hybrid", "vector", "text"))
    chosen = choose_format(fmt, as_json=as_json)
    request = SearchRequest(
        query=" ".join(query) if query else None, like=like, mode=mode, k=k, site=site, author=author, label=label, kind=kind,
        since=since, until=until, thread=thread, context=context, folded=not copies,
    )  # fmt: skip
    searcher = Searcher(options.archive_path(archive), resident=interactive)
    if interactive:
        from cli.search_prompt import converse

        converse(searcher, request, chosen, explain=explain)
    elif count:
        _count(searcher, request, chosen)
    elif all_:
        _stream(searcher, request, chosen, explain)
    elif threads:
        _threads(searcher, request, chosen)
    else:
        _hits(searcher, request, chosen, explain)


def _hits(searcher: Searcher, request: SearchRequest, fmt: str, explain: bool) -> None:
    from cli.output import emit
    from cli.render_hits import hits_text, page

    hits = searcher.hits(request)
    if fmt == "table":
        page(hits_text(hits, explain=explain))
    else:
        emit((hit.to_json() for hit in hits), COLUMNS, fmt)


def _threads(searcher: Searcher, request: SearchRequest, fmt: str) -> None:
    from cli.output import emit
    from cli.render_hits import page, threads_text

    found = searcher.threads(request)
    if fmt == "table":
        page(threads_text(found))
    else:
        emit((thread.to_json() for thread in found), THREAD_COLUMNS, fmt)


def _stream(searcher: Searcher, request: SearchRequest, fmt: str, explain: bool) -> None:
    from cli.output import emit
    from cli.render_hits import hit_text

    _, hits = searcher.every(request)
    if fmt == "table":
        for n, hit in enumerate(hits, 1):
            typer.echo(("\n" if n > 1 else "") + hit_text(n, hit, explain=explain))
    else:
        emit((hit.to_json() for hit in hits), COLUMNS, fmt)


def _count(searcher: Searcher, request: SearchRequest, fmt: str) -> None:
    from cli.output import emit

    count, _ = searcher.every(request)
    emit([{"query": request.query, "passages": count}], ("passages",), fmt)
