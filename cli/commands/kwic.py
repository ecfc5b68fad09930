"""``chorus kwic``."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Annotated, Any

import typer

from cli import narrowing, options

EPILOG = """Examples:

chorus kwic community

chorus kwic my new book --sort right -k 50

chorus kwic "promot*" --label self-promotion --since 2012 --window 12

chorus kwic --regex "https?://[^ ]+" --format csv > links.csv
"""

#: What csv and tsv show; JSON shows everything.
COLUMNS = ("left", "keyword", "right", "author", "date", "entry_id", "thread_id", "permalink")

#: Columns at the end of a line on a terminal: date, author, the entry's id. All but the id are cut.
DATE, AUTHOR, ID = 10, 16, 10

#: The widest keyword that a line makes room for.
WIDEST = 32


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("kwic", epilog=EPILOG)(kwic)


def kwic(
    word: Annotated[list[str], typer.Argument(metavar="WORD...", help="A word or phrase; * is any letters.")],
    archive: options.Archive = None,
    window: Annotated[int, typer.Option("--window", "-w", min=0, max=100, metavar="N", help="Words on each side.")] = 8,
    k: Annotated[int | None, typer.Option("-k", min=1, metavar="N", help="At most N lines [all].")] = None,
    sort: Annotated[str | None, typer.Option("--sort", help="left, right or date [as stored, streamed].")] = None,
    regex: Annotated[bool, typer.Option("--regex", help="WORD is a regular expression over the text.")] = False,
    case: Annotated[bool, typer.Option("--case", help="Letter case counts.")] = False,
    label: Annotated[str | None, typer.Option("--label", help="Only in sentences classified so.")] = None,
    site: narrowing.Site = None,
    author: narrowing.Author = None,
    kind: narrowing.Kind = None,
    since: narrowing.Since = None,
    until: narrowing.Until = None,
    thread: narrowing.Thread = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Show a keyword in its contexts: every place where it stands, with the words around it.

    Several words are a phrase; promot* also finds promotion, a lone * stands for any word. Words are compared in lower case,
    as written otherwise (nothing is stemmed). Each line leads back: chorus show ID. --sort left and right sort by the words
    next to the keyword, outwards.
    """
    from cli.jobs.kwic import SORTS, KwicRequest, kwic_rows
    from cli.jobs.narrowed import Narrowed
    from cli.output import choose_format, emit

    if sort is not None:
        options.check_choice("--sort", sort, SORTS)
    chosen = choose_format(fmt, as_json=as_json)
    narrowed = Narrowed(site=site, author=author, kind=kind, since=since, until=until, thread=thread)
    request = KwicRequest(
        query=" ".join(word), window=window, regex=regex, case=case, label=label, k=k, sort=sort, narrowed=narrowed
    )
    rows = kwic_rows(options.archive_path(archive), request)
    if chosen == "table":
        sys.stdout.writelines(line + "\n" for line in lines(rows))
    else:
        emit(rows, COLUMNS, chosen)


def lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The rows for a terminal, keywords below one another: what stands on the left is set against it and cut at its start."""
    from cli.output import WIDTH_SAMPLE, display_width, shorten

    rest = iter(rows)
    sample = list(islice(rest, WIDTH_SAMPLE))
    widest = min(WIDEST, max((display_width(shorten(row["keyword"], WIDEST)) for row in sample), default=0))
    side = max(10, (shutil.get_terminal_size((120, 24)).columns - widest - DATE - AUTHOR - ID - 10) // 2)
    for row in chain(sample, rest):
        keyword = shorten(row["keyword"], widest)
        cells = (
            _from_the_right(row["left"], side),
            _bold(keyword) + " " * (widest - display_width(keyword)),
            _filled(row["right"], side),
            _filled((row["date"] or "no date")[:DATE], DATE),
            _filled(row["author"] or "(no name)", AUTHOR),
            row["entry_id"][:ID],
        )
        yield "  ".join(cells).rstrip()


def _filled(text: str, width: int) -> str:
    from cli.output import display_width, shorten

    cell = shorten(text, width)
    return cell + " " * (width - display_width(cell))


def _from_the_right(text: str, width: int) -> str:
    """The end of ``text``, set to the right."""
    from cli.output import display_width, printable

    line = " ".join(printable(text).split())
    if display_width(line) > width:
        while display_width(line) > width - 1:
            line = line[1:]
        line = "…" + line
    return " " * (width - display_width(line)) + line


def _bold(text: str) -> str:
    from cli.render_hits import BOLD, PLAIN

    return BOLD + text + PLAIN if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text
