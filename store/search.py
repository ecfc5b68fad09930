"""Search over passages: by meaning (vectors), by words (BM25), or both joined by reciprocal rank fusion.

The passages come from a ``SearchIndex``: the light index (``store.light``) where it is up to date, else LanceDB
(``store.lance_index``). Both give the same candidates, so everything here is the same for both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from store.errors import NothingFound, UsageError
from store.filters import Condition, Filter
from store.hits import Hit, Place, ThreadHit, fold, highlights
from store.query import Query, parse_query
from store.records import Passage
from store.schema import from_row
from store.threads_around import around

if TYPE_CHECKING:
    from store.tables import Tables

__all__ = [
    "Filter",
    "Hit",
    "SearchIndex",
    "every",
    "fuse",
    "more_like",
    "rank_threads",
    "search",
    "with_context",
]

Mode = Literal["hybrid", "vector", "text"]

#: The constant of reciprocal rank fusion; 60 is the value of its paper (Cormack, Clarke and Büttcher, SIGIR 2009).
RRF_K = 60

#: In hybrid search a passage's rank by words counts WORDS * share ** SHARPNESS as much as its rank by meaning, its share being
#: that of the query's weight (inverse document frequencies) which its words hold: a name found counts double, "what is the"
#: hardly at all. Chosen with all questions of benchmarks/retrieval in view (nDCG@10 .560; equal weights .450, by meaning alone
#: .511; from 1 to 3 and from power 3 to 4 it hardly moves), so the gain is an upper bound.
WORDS = 2.0
SHARPNESS = 4

#: Each half hands in so many times ``k`` candidates, at least ``MIN_CANDIDATES``: what both halves place low can still win.
CANDIDATES = 4
MIN_CANDIDATES = 50

#: How much a thread's second, third, … best passage counts beside its first: 1, 1/2, 1/3 of up to this many.
PASSAGES_OF_THREAD = 5

_HEX = re.compile(r"[0-9a-f]{4,32}")


class SearchIndex(Protocol):
    """Where candidates come from. Passages are named by their ids; ``conditions`` and ``query`` say which may be found."""

    @property
    def passages(self) -> int:
        """Number of passages."""
        ...

    @property
    def encoder(self) -> str | None:
        """Which model made the vectors."""
        ...

    @property
    def classified(self) -> bool:
        """Whether any passage bears labels."""
        ...

    def near(
        self, vector: NDArray[np.float32], conditions: Sequence[Condition], query: Query, many: int
    ) -> list[tuple[str, float]]:
        """Up to ``many`` passages nearest in meaning, with 1 minus the cosine, nearest first."""
        ...

    def worded(self, conditions: Sequence[Condition], query: Query, many: int) -> list[tuple[str, float, float]]:
        """Up to ``many`` passages by BM25 over the query's words, best first: id, score, share of the query's weight."""
        ...

    def count(self, conditions: Sequence[Condition], query: Query) -> int:
        """How many passages meet the conditions and hold what the query demands."""
        ...

    def listed(self, conditions: Sequence[Condition], query: Query, many: int | None = None) -> list[str]:
        """Those passages, newest first, those without a date last."""
        ...

    def rows(self, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """What is shown of passages that this index named before, in the order asked."""
        ...

    def named(self, prefix: str) -> tuple[set[str], list[NDArray[np.float32]]]:
        """Entries that a passage's or entry's id (or its start) stands for, and the vectors of their passages."""
        ...

    def thread(self, thread_id: str) -> list[dict[str, Any]]:
        """All passages of a thread."""
        ...

    def values(self, column: str) -> list[str]:
        """The distinct values of ``site``, ``author`` (lower case) or ``kind``."""
        ...


def search(
    source: Tables | SearchIndex,
    query: str | Query,
    vector: NDArray[np.float32] | None,
    *,
    mode: Mode = "hybrid",
    k: int = 10,
    filter: Filter | None = None,  # noqa: A002 - the word its users look for
    folded: bool = True,
) -> list[Hit]:
    """The ``k`` best passages. ``vector`` (float32) is the embedding of the query's text; it may be ``None`` for text.

    Without any words the passages that the conditions leave come newest first. ``folded`` joins near-duplicates.
    """
    index, asked = _index(source), query if isinstance(query, Query) else parse_query(query)
    conditions = _conditions(filter, asked)
    many = max(k * CANDIDATES, MIN_CANDIDATES)
    if not asked.text and vector is None:
        listed = index.listed(conditions, asked, many)
        hits: Iterable[Hit] = _hits(index, [(key, 0.0) for key in listed], [], [])
    else:
        near = index.near(vector, conditions, asked, many) if mode != "text" and vector is not None else []
        worded = index.worded(conditions, asked, many) if mode != "vector" else []
        hits = _join(index, near, worded)
    found = fold(hits, k) if folded else list(_first(hits, k))
    return [replace(hit, highlights=highlights(hit.passage.text, asked)) for hit in found]


def more_like(
    source: Tables | SearchIndex,
    name: str,
    *,
    k: int = 10,
    filter: Filter | None = None,  # noqa: A002
) -> list[Hit]:
    """Passages whose meaning is nearest to that of a passage or entry (its id, or the start of one), itself left out."""
    index, prefix = _index(source), name.lower()
    own, vectors = index.named(prefix) if _HEX.fullmatch(prefix) else (set(), [])
    if not vectors:
        raise NothingFound(f"{name}: no such passage or entry", hint="chorus search --json prints the ids")
    if len(own) > 1:
        raise UsageError(f"{name}: stands for {len(own)} entries", hint="give more of the id")
    mean = np.mean(vectors, axis=0).astype(np.float32)
    many = max(k * CANDIDATES, MIN_CANDIDATES) + len(vectors)
    found = index.near(mean, _conditions(filter, Query()), Query(), many)
    return fold((hit for hit in _join(index, found, []) if hit.passage.entry_id not in own), k)


def every(
    source: Tables | SearchIndex,
    query: Query,
    *,
    filter: Filter | None = None,  # noqa: A002
) -> tuple[int, Iterator[Hit]]:
    """How many passages meet the filter and hold all words of the query, and these, streamed: best first by BM25."""
    index, strict = _index(source), query.with_all_words()
    conditions = _conditions(filter, query)
    count = index.count(conditions, strict)
    return count, _streamed(index, conditions, strict, count)


def _streamed(index: SearchIndex, conditions: Sequence[Condition], query: Query, count: int) -> Iterator[Hit]:
    if query.words:
        found = index.worded(conditions, query, max(count, 1))
        hits = _join(index, [], found)
    else:
        hits = _hits(index, [(key, 0.0) for key in index.listed(conditions, query)], [], [])
    for hit in hits:
        yield replace(hit, highlights=highlights(hit.passage.text, query))


def rank_threads(hits: Sequence[Hit], k: int = 10, passages: int = 3) -> list[ThreadHit]:
    """Threads by their best passages: the best counts whole, the next a half, a third, … Each keeps its ``passages`` best."""
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.passage.thread_id, []).append(hit)
    found = [
        ThreadHit(
            thread_id=thread,
            title=group[0].passage.title,
            site=group[0].passage.site,
            score=sum(hit.score / n for n, hit in enumerate(group[:PASSAGES_OF_THREAD], 1)),
            passages=len(group),
            hits=tuple(group[:passages]),
        )
        for thread, group in groups.items()
    ]
    return sorted(found, key=lambda thread: (-thread.score, thread.thread_id))[:k]


def with_context(source: Tables | SearchIndex, hits: Sequence[Hit], steps: int) -> list[Hit]:
    """The hits with up to ``steps`` entries above each (parent, its parent, …) and up to ``steps`` replies to it."""
    index = _index(source)
    threads: dict[str, list[dict[str, Any]]] = {}
    for hit in hits:
        if hit.passage.thread_id not in threads:
            threads[hit.passage.thread_id] = index.thread(hit.passage.thread_id)
    return [
        replace(hit, context=tuple(around(threads[hit.passage.thread_id], hit.passage.entry_id, steps))) for hit in hits
    ]


def fuse(rankings: Iterable[Sequence[str]], weights: Sequence[Mapping[str, float]] = ()) -> dict[str, float]:
    """Reciprocal rank fusion: each ranking adds 1 / (60 + rank) to its members' scores, times their weight in it."""
    scores: dict[str, float] = {}
    for n, ranking in enumerate(rankings):
        weight = weights[n] if n < len(weights) else {}
        for rank, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + weight.get(key, 1.0) / (RRF_K + rank)
    return scores


# -- parts -----------------------------------------------------------------------------------------------------


def _index(source: Tables | SearchIndex) -> SearchIndex:
    from store.tables import Tables

    if not isinstance(source, Tables):
        return source
    from store.lance_index import LanceIndex

    return LanceIndex(source)


def _conditions(narrow: Filter | None, query: Query) -> tuple[Condition, ...]:
    narrow = narrow or Filter()
    return replace(narrow, also=(*narrow.also, *query.conditions)).conditions()


def _first(hits: Iterable[Hit], k: int) -> Iterator[Hit]:
    return (hit for hit, _ in zip(hits, range(k), strict=False))


def _join(index: SearchIndex, near: list[tuple[str, float]], worded: list[tuple[str, float, float]]) -> Iterator[Hit]:
    """Candidates of both halves, best first. Where both answer, a passage's words count by how much they say."""
    weights = {key: WORDS * share**SHARPNESS for key, _, share in worded} if near else {}
    scores = fuse([[key for key, _ in near], [key for key, *_ in worded]], [{}, weights])
    order = sorted(scores, key=lambda key: (-scores[key], key))
    return _hits(index, [(key, scores[key]) for key in order], near, worded)


def _hits(
    index: SearchIndex,
    scored: list[tuple[str, float]],
    near: list[tuple[str, float]],
    worded: list[tuple[str, float, float]],
) -> Iterator[Hit]:
    """Rows fetched as they are asked for, a few at a time."""
    vector_rank = {key: (rank, distance) for rank, (key, distance) in enumerate(near, 1)}
    text_rank = {key: (rank, score, share) for rank, (key, score, share) in enumerate(worded, 1)}
    for start in range(0, len(scored), 64):
        part = scored[start : start + 64]
        for (key, score), row in zip(part, index.rows([key for key, _ in part]), strict=True):
            by_vector, by_text = vector_rank.get(key, (None, None)), text_rank.get(key, (None, None, None))
            yield Hit(
                passage=from_row(Passage, row),
                place=from_row(Place, row),
                score=score,
                vector_rank=by_vector[0],
                vector_distance=by_vector[1],
                text_rank=by_text[0],
                text_score=by_text[1],
                text_share=by_text[2],
            )
