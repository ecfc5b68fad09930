"""Search over passages: by meaning (vectors), by words (BM25), or both joined by reciprocal rank fusion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from store.errors import NothingFound
from store.filters import Filter, starts_with
from store.records import Passage
from store.schema import from_row, to_row
from store.tables import Tables

__all__ = ["Filter", "Hit", "fuse", "more_like", "search"]

Mode = Literal["hybrid", "vector", "text"]

#: The constant of reciprocal rank fusion; 60 is the value of its paper (Cormack, Clarke and Büttcher, SIGIR 2009).
RRF_K = 60

#: Each half hands in so many times ``k`` candidates, at least ``MIN_CANDIDATES``: what both halves place low can still win.
CANDIDATES = 4
MIN_CANDIDATES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One passage found. Ranks count from 1 and are ``None`` where that half did not find it.

    ``vector_distance`` is 1 minus the cosine (0 same, 2 opposite); ``text_score`` is BM25. ``highlights`` are spans of the
    passage's text that match words of the query.
    """

    passage: Passage
    score: float
    vector_rank: int | None = None
    vector_distance: float | None = None
    text_rank: int | None = None
    text_score: float | None = None
    highlights: tuple[tuple[int, int], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The passage's columns and the scores as plain values; ``label`` is the first of ``labels``."""
        row = to_row(self.passage)
        scores = {name: value for name, value in asdict(self).items() if name != "passage"}
        return {**scores, "label": (self.passage.labels or (None,))[0], **row}


def search(
    tables: Tables,
    text: str,
    vector: np.ndarray[Any, Any] | None,
    *,
    mode: Mode = "hybrid",
    k: int = 10,
    filter: Filter | None = None,  # noqa: A002 - the word its users look for
) -> list[Hit]:
    """The ``k`` best passages. ``vector`` (float32, normalised) is the query's embedding; it may be ``None`` for text."""
    where = filter.sql() if filter else None
    many = max(k * CANDIDATES, MIN_CANDIDATES)
    near = _by_vector(tables, vector, where, many) if mode != "text" and vector is not None else []
    worded = _by_text(tables, text, where, many) if mode != "vector" else []
    hits = _join(near, worded)
    words = _words(text)
    return [_highlight(hit, words) for hit in hits[:k]]


def more_like(tables: Tables, name: str, *, k: int = 10, filter: Filter | None = None) -> list[Hit]:  # noqa: A002
    """Passages whose meaning is nearest to that of a passage or entry (its id, or the start of one), itself left out."""
    where = f"{starts_with('passage_id', name.lower())} OR {starts_with('entry_id', name.lower())}"
    rows = list(tables.rows("passages", where, ["entry_id", "vector"]))
    if not rows:
        raise NothingFound(f"{name}: no such passage or entry", hint="chorus search --json prints the ids")
    mean = np.mean([row["vector"] for row in rows], axis=0).astype(np.float32)
    own = {row["entry_id"] for row in rows}
    found = _by_vector(tables, mean, filter.sql() if filter else None, k + len(rows) + MIN_CANDIDATES)
    return _join([row for row in found if row["entry_id"] not in own], [])[:k]


def fuse(rankings: Iterable[Sequence[str]]) -> dict[str, float]:
    """Reciprocal rank fusion: each ranking adds 1 / (60 + rank) to its members' scores."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + 1 / (RRF_K + rank)
    return scores


def _by_vector(tables: Tables, vector: np.ndarray[Any, Any], where: str | None, many: int) -> list[dict[str, Any]]:
    table = tables.table("passages")
    if table is None:
        return []
    query = table.search(vector, vector_column_name="vector").distance_type("cosine")
    if where:
        query = query.where(where, prefilter=True)
    rows: list[dict[str, Any]] = query.limit(many).select([*_columns(table), "_distance"]).to_list()
    return sorted(rows, key=lambda row: (row["_distance"], row["passage_id"]))


def _by_text(tables: Tables, text: str, where: str | None, many: int) -> list[dict[str, Any]]:
    table = tables.table("passages")
    words = _words(text)
    if table is None or not words:
        return []
    if not any(index.columns == ["text"] for index in table.list_indices()):
        return _scan_text(tables, words, where, many)
    from lancedb.query import MatchQuery

    query = table.search(MatchQuery(" ".join(words), "text"), query_type="fts")  # type: ignore[call-arg]  # defaults
    if where:
        query = query.where(where, prefilter=True)
    rows: list[dict[str, Any]] = query.limit(many).select([*_columns(table), "_score"]).to_list()
    return sorted(rows, key=lambda row: (-row["_score"], row["passage_id"]))


def _scan_text(tables: Tables, words: list[str], where: str | None, many: int) -> list[dict[str, Any]]:
    """The few passages of a table too small for an index: scored by the share of the query's words they hold."""
    found = []
    wanted = set(words)
    for row in tables.rows("passages", where):
        score = len(wanted & set(_words(row["text"]))) / len(wanted)
        if score:
            found.append({**row, "_score": score})
    return sorted(found, key=lambda row: (-row["_score"], row["passage_id"]))[:many]


def _columns(table: Any) -> list[str]:
    return [name for name in table.schema.names if name != "vector"]


def _join(near: list[dict[str, Any]], worded: list[dict[str, Any]]) -> list[Hit]:
    rows = {row["passage_id"]: row for row in [*worded, *near]}
    vector_rank = {row["passage_id"]: rank for rank, row in enumerate(near, 1)}
    text_rank = {row["passage_id"]: rank for rank, row in enumerate(worded, 1)}
    distance = {row["passage_id"]: row["_distance"] for row in near}
    bm25 = {row["passage_id"]: row["_score"] for row in worded}
    scores = fuse([list(vector_rank), list(text_rank)])
    order = sorted(rows, key=lambda key: (-scores[key], key))
    return [
        Hit(
            passage=from_row(Passage, rows[key]),
            score=scores[key],
            vector_rank=vector_rank.get(key),
            vector_distance=distance.get(key),
            text_rank=text_rank.get(key),
            text_score=bm25.get(key),
        )
        for key in order
    ]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _highlight(hit: Hit, words: list[str]) -> Hit:
    """Mark words of the query, and words that share their first letters (plurals, endings), in the passage."""
    stems = {word if len(word) < 5 else word[: max(4, len(word) - 3)] for word in words if len(word) > 2}
    spans = tuple(
        match.span()
        for match in re.finditer(r"\w+", hit.passage.text)
        if any(
            match.group().lower() == stem or (len(stem) > 3 and match.group().lower().startswith(stem))
            for stem in stems
        )
    )
    return Hit(
        passage=hit.passage,
        score=hit.score,
        vector_rank=hit.vector_rank,
        vector_distance=hit.vector_distance,
        text_rank=hit.text_rank,
        text_score=hit.text_score,
        highlights=spans,
    )
