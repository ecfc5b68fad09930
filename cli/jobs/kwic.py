"""Keyword in context over an archive."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.mining import Corpus, Ids, SentenceLabels
from cli.jobs.narrowed import Narrowed
from store.filters import quote
from store.records import NothingFound

if TYPE_CHECKING:
    from nlp.mining.kwic import Keyword, Line

SORTS = ("left", "right", "date")

#: Columns read of each entry.
COLUMNS = ("entry_id", "kind", "author", "published", "url", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class KwicRequest:
    """What to look for, how many words to show on each side, and which lines. ``k`` and ``sort`` ``None``: all, as stored."""

    query: str
    window: int = 8
    regex: bool = False
    case: bool = False
    label: str | None = None
    k: int | None = None
    sort: str | None = None
    narrowed: Narrowed = field(default_factory=Narrowed)


def kwic_rows(path: Path, request: KwicRequest) -> Iterator[dict[str, Any]]:
    """The lines of the concordance, streamed; only sorting without ``k`` holds them all. Raises ``NothingFound``."""
    from nlp.mining.kwic import compile_keyword

    keyword = compile_keyword(request.query, regex=request.regex, case=request.case)
    corpus = Corpus(path, request.narrowed)
    found = _sorted(_lines(corpus, keyword, request), request)
    first = next(found, None)
    if first is None:
        raise _nothing(corpus, request)
    return (_row(line, entry, corpus) for line, entry in chain([first], found))


Found = tuple["Line", dict[str, Any]]


def _lines(corpus: Corpus, keyword: Keyword, request: KwicRequest) -> Iterator[Found]:
    from nlp.mining.kwic import concordance

    borne = _label_filter(corpus, request.label)
    for entry in corpus.entries(COLUMNS, _holding(keyword)):
        for line in concordance(entry["text"], keyword, request.window):
            if borne(entry["revision_id"], line.start):
                yield line, entry


def _holding(keyword: Keyword) -> str | None:
    """SQL that leaves out most entries without the keyword, so that they are not read; soft hyphens hide one from it."""
    from store.filters import quote

    if keyword.needle is None:
        return None
    text = "text" if keyword.case else "lower(text)"
    return f"contains({text}, {quote(keyword.needle)}) OR contains(text, {quote(chr(0xAD))})"


def _label_filter(corpus: Corpus, label: str | None) -> Callable[[str, int], bool]:
    """Whether a place of a revision lies in a sentence that bears the label. Holds only the sentences that do."""
    if label is None:
        return lambda _revision, _start: True
    revisions = Ids(row["revision_id"] for row in corpus.entries(["revision_id"]))
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for _, row in SentenceLabels(corpus, revisions):
        if row["label"] == label:
            spans[row["revision_id"]].append((row["start"], row["end"]))
    return lambda revision, start: any(a <= start < b for a, b in spans.get(revision, ()))


def _sorted(found: Iterator[Found], request: KwicRequest) -> Iterator[Found]:
    if request.sort is None:
        return islice(found, request.k)
    key = _sort_key(request.sort)
    if request.k is None:
        return iter(sorted(found, key=key))
    return iter(heapq.nsmallest(request.k, found, key=key))


def _sort_key(sort: str) -> Callable[[Found], Any]:
    from nlp.mining.kwic import left_key, right_key

    def date(found: Found) -> tuple[Any, ...]:
        published = found[1]["published"]
        return published is None, published or "", found[1]["entry_id"], found[0].start

    keys: dict[str, Callable[[Found], Any]] = {
        "left": lambda found: (left_key(found[0]), date(found)),
        "right": lambda found: (right_key(found[0]), date(found)),
        "date": date,
    }
    return keys[sort]


def _row(line: Line, entry: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
    thread = corpus.threads[entry["thread_id"]]
    return {
        "left": line.left,
        "keyword": line.keyword,
        "right": line.right,
        "author": entry["author"],
        "date": entry["published"],
        "kind": entry["kind"],
        "site": thread.site,
        "title": thread.title,
        "permalink": entry["url"] or thread.url,
        "entry_id": entry["entry_id"],
        "thread_id": entry["thread_id"],
        "revision_id": entry["revision_id"],
        "start": line.start,
        "end": line.end,
    }


def _nothing(corpus: Corpus, request: KwicRequest) -> NothingFound:
    if request.label is not None and not corpus.tables.count("labels", "unit = 'sentence'"):
        return NothingFound("no sentence is classified yet", hint="chorus classify")
    if request.label is not None and not corpus.tables.count("labels", f"label = {quote(request.label)}"):
        known = sorted({row["label"] for row in corpus.tables.rows("labels", "unit = 'sentence'", ["label"])})
        return NothingFound(f"no sentence bears the label {request.label}", hint="labels here: " + ", ".join(known))
    return corpus.nothing(f"{request.query}: stands nowhere")
