"""Search through LanceDB itself: what answers when the light index is not there or stands for an older version."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.filters import Condition, starts_with
from store.query import Query
from store.segment_build import SHOWN
from store.words import raw_words, words

if TYPE_CHECKING:
    from store.tables import Tables

__all__ = ["LanceIndex"]

#: With a vector index: how many of its nearest candidates are compared exactly, per candidate wanted, and cells read.
REFINE = 10
PROBES = 40

#: SQL for texts with any word: only these count in BM25's statistics.
HAS_WORDS = r"regexp_like(text, '[\p{L}\p{N}]')"

_PLACE = ("revision_id", "parent_id", "position", "depth", "state", "is_post_author", "captured_at", "evidence")


def holds(text: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the words of ``phrase`` follow one another among those of ``text``."""
    size = len(phrase)
    return any(tuple(text[n : n + size]) == tuple(phrase) for n in range(len(text) - size + 1))


class LanceIndex:
    """The passages table, asked the same questions as the light index (see ``store.search.SearchIndex``)."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._rows: dict[str, dict[str, Any]] = {}

    @property
    def passages(self) -> int:
        """Number of passages."""
        return self._tables.count("passages")

    @property
    def encoder(self) -> str | None:
        """Which model made the vectors."""
        return next((row["encoder"] for row in self._tables.rows("passages", columns=["encoder"])), None)

    @property
    def classified(self) -> bool:
        """Whether any passage bears labels."""
        return self._tables.count("passages", "labels IS NOT NULL") > 0

    # -- candidates --------------------------------------------------------------------------------------------

    def near(
        self, vector: NDArray[np.float32], conditions: Sequence[Condition], query: Query, many: int
    ) -> list[tuple[str, float]]:
        """Up to ``many`` passages nearest in meaning, with 1 minus the cosine, nearest first."""
        table = self._tables.table("passages")
        if table is None:
            return []

        def ask(limit: int) -> list[dict[str, Any]]:
            found = table.search(vector, vector_column_name="vector").distance_type("cosine")
            found = found.nprobes(PROBES).refine_factor(REFINE)
            return list(_narrowed(found, conditions).limit(limit).select([*_columns(table), "_distance"]).to_list())

        return [(row["passage_id"], row["_distance"]) for row in self._sifted(ask, "_distance", query, many)]

    def worded(self, conditions: Sequence[Condition], query: Query, many: int) -> list[tuple[str, float, float]]:
        """Up to ``many`` passages by BM25, best first: id, score, share of the query's weight (see the light index)."""
        table = self._tables.table("passages")
        if table is None or not query.words:
            return []
        if not any(index.columns == ["text"] for index in table.list_indices()):
            return self._scanned(conditions, query, many)
        from lancedb.query import MatchQuery

        def ask(limit: int) -> list[dict[str, Any]]:
            match = MatchQuery(query.text, "text")  # type: ignore[call-arg]  # the others have defaults
            found = _narrowed(table.search(match, query_type="fts"), conditions)
            rows: list[dict[str, Any]] = found.limit(limit).select([*_columns(table), "_score"]).to_list()
            return [{**row, "_score": -row["_score"]} for row in rows]

        rows = self._sifted(ask, "_score", query, many)
        idf = self._rarity(table, query)
        return [(row["passage_id"], -row["_score"], _share(raw_words(row["text"]), idf)) for row in rows]

    def _rarity(self, table: Any, query: Query) -> dict[str, float]:
        """Inverse document frequencies of the query's words, counted by asking for each: LanceDB does not tell them."""
        from lancedb.query import MatchQuery

        texts, everything = int(table.count_rows(HAS_WORDS)), int(table.count_rows())
        out = {}
        for word, start, end in {word: (word, start, end) for word, start, end in words(query.text)}.values():
            match = MatchQuery(query.text[start:end], "text")  # type: ignore[call-arg]  # the others have defaults
            found = table.search(match, query_type="fts").limit(everything).select(["passage_id", "_score"])
            out[word] = inverse_frequency(texts, found.to_arrow().num_rows)
        return out

    def _sifted(
        self, ask: Callable[[int], list[dict[str, Any]]], value: str, query: Query, many: int
    ) -> list[dict[str, Any]]:
        """What ``ask`` finds and the query's phrases allow: asked for more until there are enough or no more."""
        limit = many if not query.strict else many * 4
        while True:
            rows = ask(limit)
            good = [row for row in rows if _fits(row, query)] if query.strict else rows
            if len(good) >= many or len(rows) < limit:
                break
            limit *= 4
        self._rows.update((row["passage_id"], row) for row in good)
        return sorted(good, key=lambda row: (row[value], row["passage_id"]))[:many]

    def _scanned(self, conditions: Sequence[Condition], query: Query, many: int) -> list[tuple[str, float, float]]:
        """BM25 over the few passages of a table that has no full-text index yet."""
        texts = {row["passage_id"]: row for row in self._tables.rows("passages")}
        counts = {key: Counter(raw_words(row["text"])) for key, row in texts.items()}
        allowed = set(self.listed(conditions, query))
        scores, idf = bm25(query.words, counts)
        found = sorted((-score, key) for key, score in scores.items() if score and key in allowed)
        return [(key, -score, _share(counts[key], idf)) for score, key in found[:many]]

    # -- everything that fits ----------------------------------------------------------------------------------

    def count(self, conditions: Sequence[Condition], query: Query) -> int:
        """How many passages meet the conditions and hold what the query demands."""
        if not query.strict:
            return self._tables.count("passages", _sql(conditions))
        return sum(1 for _ in self._fitting(conditions, query))

    def listed(self, conditions: Sequence[Condition], query: Query, many: int | None = None) -> list[str]:
        """Passages that meet the conditions, newest first, those without a date last."""
        found = list(self._fitting(conditions, query))
        self._rows.update((row["passage_id"], row) for row in found)
        dated = sorted(found, key=lambda row: row["passage_id"])
        dated.sort(key=lambda row: (row["published"] or "")[:10], reverse=True)
        return [row["passage_id"] for row in dated[:many]]

    def _fitting(self, conditions: Sequence[Condition], query: Query) -> Iterator[dict[str, Any]]:
        return (row for row in self._tables.rows("passages", _sql(conditions)) if _fits(row, query))

    # -- rows --------------------------------------------------------------------------------------------------

    def rows(self, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """What is shown of passages that this index named before, in the order asked."""
        return iter(self._placed([self._rows[key] for key in ids]))

    def _placed(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        places = {row["revision_id"]: row for row in self._places([row["revision_id"] for row in rows])}
        names = (*SHOWN, "labels", "label_probability")
        full = [{**row, **places.get(row["revision_id"], {})} for row in rows]
        return [{name: row.get(name) for name in names} for row in full]

    def _places(self, revisions: list[str]) -> Iterator[dict[str, Any]]:
        return self._tables.rows_by_ids("entries", "revision_id", sorted(set(revisions)), _PLACE)

    def named(self, prefix: str) -> tuple[set[str], list[NDArray[np.float32]]]:
        """Entries that a passage's or entry's id (or its start) stands for, and the vectors of their passages."""
        where = f"{starts_with('passage_id', prefix)} OR {starts_with('entry_id', prefix)}"
        rows = list(self._tables.rows("passages", where, ["entry_id", "vector"]))
        return {row["entry_id"] for row in rows}, [np.array(row["vector"], np.float32) for row in rows]

    def thread(self, thread_id: str) -> list[dict[str, Any]]:
        """All passages of a thread."""
        return self._placed(list(self._tables.rows("passages", Condition("thread", (thread_id,)).sql())))

    def values(self, column: str) -> list[str]:
        """The distinct values of ``site``, ``author`` (lower case), ``kind`` or ``label``."""
        if column == "label":
            rows = self._tables.rows("passages", "labels IS NOT NULL", ["labels"])
            return sorted({name for row in rows for name in row["labels"]})
        found = {row[column] for row in self._tables.rows("passages", columns=[column]) if row[column]}
        return sorted({value.lower() for value in found} if column == "author" else found)


def inverse_frequency(texts: int, holding: int) -> float:
    """How much a word that ``holding`` of ``texts`` hold says, as BM25 reckons it."""
    return math.log(1 + (texts - holding + 0.5) / (holding + 0.5))


def bm25(asked: Sequence[str], counts: dict[str, Counter[str]]) -> tuple[dict[str, float], dict[str, float]]:
    """BM25 of every text (its words' counts) for a query's words, as LanceDB has it; and the words' inverse frequencies."""
    texts = max(1, sum(1 for words_of in counts.values() if words_of))
    mean = max(1.0, sum(words_of.total() for words_of in counts.values()) / texts)
    scores = dict.fromkeys(counts, 0.0)
    idf: dict[str, float] = {}
    for word, times in Counter(asked).items():
        holding = [key for key, words_of in counts.items() if word in words_of]
        idf[word] = inverse_frequency(texts, len(holding))
        for key in holding:
            often, length = counts[key][word], counts[key].total()
            scores[key] += times * idf[word] * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * length / mean))
    return scores, idf


def _share(held: Collection[str], idf: dict[str, float]) -> float:
    """The share of the query's weight that a text's words hold."""
    return round(sum(weight for word, weight in idf.items() if word in held) / (sum(idf.values()) or 1.0), 4)


def _fits(row: dict[str, Any], query: Query) -> bool:
    if not query.strict:
        return True
    found = raw_words(row["text"])
    return all(holds(found, phrase) for phrase in query.phrases) and not any(
        holds(found, phrase) for phrase in query.without
    )


def _narrowed(found: Any, conditions: Sequence[Condition]) -> Any:
    where = _sql(conditions)
    return found.where(where, prefilter=True) if where else found


def _sql(conditions: Sequence[Condition]) -> str | None:
    return " AND ".join(f"({condition.sql()})" for condition in conditions) or None


def _columns(table: Any) -> list[str]:
    return [name for name in table.schema.names if name != "vector"]
