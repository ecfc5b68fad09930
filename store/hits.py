"""What a search finds: hits, threads and the entries around them; near-duplicates folded, the query's words marked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from store.query import Query
from store.records import Evidence, Passage
from store.schema import to_row
from store.words import words

__all__ = ["ContextEntry", "Hit", "Place", "ThreadHit", "fold", "highlights"]

#: Two passages are near-duplicates if they share this much of their runs of ``SHINGLE`` words (Jaccard). 0.8 keeps a
#: quotation with an answer apart from what it quotes, and joins a copy with a changed greeting.
ALIKE = 0.8
SHINGLE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a passage's entry stands in its thread, and the archived record that it was read from."""

    parent_id: str | None = None
    position: int | None = None
    depth: int | None = None
    state: str | None = None
    is_post_author: bool | None = None
    captured_at: str | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEntry:
    """An entry around a hit: ``relation`` is ``parent`` (any number of steps up, ``steps``) or ``reply``."""

    relation: Literal["parent", "reply"]
    steps: int
    entry_id: str
    author: str | None
    published: str | None
    kind: str
    url: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One passage found. Ranks count from 1 and are ``None`` where that half did not find it.

    ``vector_distance`` is 1 minus the cosine (0 same, 2 opposite); ``text_score`` is BM25,
    ``text_share`` the share of the query's weight that the passage's words hold. ``highlights`` are spans of the
    passage's text that match words of the query. ``duplicates`` are the ids of near-duplicate passages folded into it.
    """

    passage: Passage
    score: float
    vector_rank: int | None = None
    vector_distance: float | None = None
    text_rank: int | None = None
    text_score: float | None = None
    text_share: float | None = None
    highlights: tuple[tuple[int, int], ...] = ()
    place: Place = Place()
    duplicates: tuple[str, ...] = ()
    context: tuple[ContextEntry, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Scores, the passage's columns and its place as plain values; ``label`` is the first of ``labels``."""
        scores = ("score", "vector_rank", "vector_distance", "text_rank", "text_score", "text_share", "highlights")
        row: dict[str, Any] = {name: getattr(self, name) for name in (*scores, "duplicates")}
        row["label"] = (self.passage.labels or (None,))[0]
        row |= to_row(self.passage) | to_row(self.place)
        if self.context:
            row["context"] = [asdict(entry) for entry in self.context]
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadHit:
    """A thread found through its passages; ``hits`` are its best ones, ``passages`` how many candidates it had."""

    thread_id: str
    title: str | None
    site: str
    score: float
    passages: int
    hits: tuple[Hit, ...]

    def to_json(self) -> dict[str, Any]:
        """The thread's columns and its hits as plain values."""
        return {
            **{n: getattr(self, n) for n in self.__slots__ if n != "hits"},
            "hits": [h.to_json() for h in self.hits],
        }


def fold(hits: Iterable[Hit], k: int) -> list[Hit]:
    """The first ``k`` hits, near-duplicates of an earlier one folded into it."""
    kept: list[Hit] = []
    shingles: list[set[tuple[str, ...]]] = []
    holders: dict[tuple[str, ...], list[int]] = {}
    for hit in hits:
        own = _shingles(hit.passage.text)
        twin = _twin(own, shingles, holders)
        if twin is not None:
            kept[twin] = replace(kept[twin], duplicates=(*kept[twin].duplicates, hit.passage.passage_id))
        elif len(kept) == k:
            break
        else:
            for shingle in own:
                holders.setdefault(shingle, []).append(len(kept))
            kept.append(hit)
            shingles.append(own)
    return kept


def _shingles(text: str) -> set[tuple[str, ...]]:
    found = [word for word, _, _ in words(text)]
    if len(found) <= SHINGLE:
        return {tuple(found)}
    return {tuple(found[n : n + SHINGLE]) for n in range(len(found) - SHINGLE + 1)}


def _twin(own: set[Any], shingles: list[set[Any]], holders: dict[Any, list[int]]) -> int | None:
    """The first kept hit that ``own`` repeats, if any."""
    shared: dict[int, int] = {}
    for shingle in own:
        for holder in holders.get(shingle, ()):
            shared[holder] = shared.get(holder, 0) + 1
    good = [n for n, count in shared.items() if count >= ALIKE * (len(own) + len(shingles[n]) - count)]
    return min(good, default=None)


def highlights(text: str, query: Query) -> tuple[tuple[int, int], ...]:
    """Spans of the words that the query names, in whatever form they stand there.

    Words of one or two letters and the commonest English ones are marked only as part of a phrase.
    """
    found = words(text)
    wanted = {word for word in query.words if len(word) > 2 and word not in _COMMON}
    marked = {n for n, (word, _, _) in enumerate(found) if word in wanted}
    for phrase in query.phrases:
        for n in range(len(found) - len(phrase) + 1):
            if all(found[n + m][0] == word for m, word in enumerate(phrase)):
                marked.update(range(n, n + len(phrase)))
    return tuple(found[n][1:] for n in sorted(marked))


#: Words (as ``store.words`` has them) that say too little to be marked.
_COMMON = frozenset(
    (
        *("the", "and", "for", "that", "this", "with", "you", "are", "was", "were", "have", "has", "had", "not", "but"),
        *("they", "from", "what", "who", "whi", "how", "when", "where", "which", "there", "their", "them", "then"),
        *("than", "been", "will", "would", "can", "could", "should", "our", "your", "his", "her", "she", "him", "its"),
        *("all", "ani", "some", "doe", "did", "about", "into", "out", "just", "like"),
    )
)
