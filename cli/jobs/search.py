"""Search: a question in, ranked passages out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.records import NothingFound, UsageError

if TYPE_CHECKING:
    from store.search import Hit
    from store.tables import Tables

KINDS = ("post", "comment", "pingback", "trackback")

#: A day, a month or a year, as far as it is given.
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")

#: The model reads 256 word pieces; a longer question says nothing more to it, and full text needs no more either.
MAX_QUERY_CHARACTERS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What to look for. One of ``query`` and ``like`` is given; the rest narrows."""

    query: str | None = None
    like: str | None = None
    mode: str = "hybrid"
    k: int = 10
    site: str | None = None
    author: str | None = None
    label: str | None = None
    kind: str | None = None
    since: str | None = None
    until: str | None = None
    thread: str | None = None


def run_search(path: Path, request: SearchRequest) -> list[Hit]:
    """The best passages, best first. Raises ``NothingFound`` when none matches."""
    _check(request)
    from store.archive import Archive
    from store.search import Filter
    from store.tables import Tables

    tables = Tables.open(Archive.open(path))
    narrow = Filter(
        site=request.site,
        author=request.author,
        label=request.label,
        kind=request.kind,
        since=request.since,
        until=request.until,
        thread=request.thread,
    )
    hits = _find(tables, request, narrow)
    if not hits:
        raise NothingFound("nothing found", hint=_hint(tables, request))
    return hits


def _find(tables: Tables, request: SearchRequest, narrow: Any) -> list[Hit]:
    from store.search import more_like, search

    if request.like is not None:
        return more_like(tables, request.like, k=request.k, filter=narrow)
    text = " ".join((request.query or "").split())[:MAX_QUERY_CHARACTERS]
    vector = None
    if request.mode != "text" and tables.count("passages"):
        from cli.jobs.index import open_encoder

        encoder = open_encoder()
        tables.require_encoder(encoder.fingerprint)
        vector = encoder.encode([text])[0]
    return search(tables, text, vector, mode=request.mode, k=request.k, filter=narrow)  # type: ignore[arg-type]  # checked


def _check(request: SearchRequest) -> None:
    if (request.query is None) == (request.like is None):
        raise UsageError("give a QUERY or --like ID", hint='chorus search "who is this for"')
    if request.query is not None and not request.query.strip():
        raise UsageError("the query is empty")
    if request.kind is not None and request.kind not in KINDS:
        raise UsageError(f"--kind {request.kind}: not known", hint="one of " + ", ".join(KINDS))
    for option, value in (("--since", request.since), ("--until", request.until)):
        if value is not None and not _DATE.fullmatch(value):
            raise UsageError(f"{option} {value}: not a date", hint="2012, 2012-12 or 2012-12-05")


def _hint(tables: Tables, request: SearchRequest) -> str:
    if not tables.count("passages"):
        return "the archive holds no text yet: chorus harvest URL"
    if request.label and not tables.count("labels"):
        return "nothing is classified yet: chorus classify"
    return "try other words or fewer filters"
