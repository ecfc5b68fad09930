"""``chorus topics``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import narrowing, options

if TYPE_CHECKING:
    from typing import Any

EPILOG = """Examples:

chorus topics

chorus topics -n 12 --samples 5

chorus topics -n 20 --since 2012 --until 2013 --format csv > topics.csv

chorus topics -n auto --kind comment --json > topics.json
"""

#: What csv and tsv show; JSON also gives weights of words and the sample passages.
COLUMNS = (
    *("topic", "label", "passages", "share", "authors", "threads", "first", "last", "cohesion", "entry_ids", "encoder"),
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("topics", epilog=EPILOG)(topics)


def topics(
    archive: options.Archive = None,
    number: Annotated[str, typer.Option("-n", metavar="N|auto", help="How many topics.")] = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Where the clustering begins.")] = 0,
    samples: Annotated[
        int, typer.Option("--samples", min=1, max=50, metavar="N", help="Passages shown of each topic.")
    ] = 3,
    site: narrowing.Site = None,
    author: narrowing.Author = None,
    kind: narrowing.Kind = None,
    since: narrowing.Since = None,
    until: narrowing.Until = None,
    thread: narrowing.Thread = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Group the passages by meaning, and name each group by the words that set it apart.

    The clusters are k-means over the vectors that search uses; the same seed gives the same topics. auto takes the number with
    the best silhouette, which is a place to begin at rather than a finding. Samples are the passages nearest to the middle.
    """
    from cli.jobs.narrowed import Narrowed
    from cli.jobs.topics import TopicsRequest, topics_report
    from cli.output import choose_format, emit

    chosen = choose_format(fmt, as_json=as_json)
    narrowed = Narrowed(site=site, author=author, kind=kind, since=since, until=until, thread=thread)
    request = TopicsRequest(number=_number(number), seed=seed, samples=samples, narrowed=narrowed)
    report = topics_report(options.archive_path(archive), request)
    if chosen == "json":
        typer.echo(options.pretty({"about": report.about, "topics": report.topics}))
    elif chosen == "table":
        typer.echo("\n\n".join(_block(topic) for topic in report.topics))
    else:
        rows = report.topics
        if chosen != "jsonl":
            rows = [{**row, "entry_ids": [sample["entry_id"] for sample in row["samples"]]} for row in rows]
        emit(rows, COLUMNS, chosen)


def _number(text: str) -> int | None:
    from store.records import UsageError

    if text == "auto":
        return None
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"-n {text}: not a number", hint="-n 12, or -n auto")
    return int(text)


def _block(topic: dict[str, Any]) -> str:
    """One topic for a terminal: its words, its size, the passages nearest to its middle."""
    from shutil import get_terminal_size

    from cli.output import printable, shorten

    width = get_terminal_size((120, 24)).columns
    when = f" · {topic['first']} to {topic['last']}" if topic["first"] else ""
    size = (
        f"{topic['passages']} passages ({topic['share']:.0%}) · {topic['authors']} authors · {topic['threads']} threads"
    )
    lines = [f"{topic['topic']:>2}. {printable(topic['label'] or '(no word sets it apart)')}", f"    {size}{when}"]
    for sample in topic["samples"]:
        who = f"{sample['author'] or '(no name)'}, {(sample['date'] or 'no date')[:10]}, {sample['entry_id'][:10]}: "
        lines.append("    " + shorten(who + sample["text"], max(40, width - 4)))
    return "\n".join(lines)
