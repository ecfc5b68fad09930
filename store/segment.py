"""Reading one segment of the light index. All answers are row numbers of the segment, with their values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.filters import Condition
from store.query import Query
from store.sections import Dictionary, SectionFile, Strings
from store.segment_build import SHOWN, date_number
from store.signs import NEVER, REFINED, unlike

__all__ = ["Labels", "Segment"]

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Phrase = tuple[str, ...]

#: A word that more rows hold is only looked up if it can be: weighing it everywhere takes 2 ms per 100,000 rows.
COMMON = 5_000

#: Gathering rows one by one costs about three times what reading them in order does.
GATHERED = 3

#: BM25's constants, and the inverse document frequency, as LanceDB has them.
K1, B = 1.2, 0.75


class Labels:
    """The labels of a segment's rows: they change when a classifier runs, so they lie in a file of their own."""

    def __init__(self, path: Path, sets: Sequence[Sequence[str] | None]) -> None:
        file = SectionFile(path)
        self._sets = list(sets)
        self._codes, self._probabilities = file.array("codes"), file.array("probabilities")

    def names(self) -> set[str]:
        """The labels that any row bears."""
        return {name for names in self._sets for name in names or ()}

    def bearing(self, labels: Sequence[str]) -> Mask:
        """Rows that bear any of the labels."""
        good = [not set(labels).isdisjoint(names or ()) for names in self._sets]
        return np.asarray(np.array(good, bool)[self._codes])

    def of(self, row: int) -> dict[str, Any]:
        """The two label columns of one row."""
        probability = float(self._probabilities[row])
        names = self._sets[self._codes[row]]
        return {
            "labels": None if names is None else tuple(names),
            "label_probability": None if np.isnan(probability) else probability,
        }


class Segment:
    """One file of the index, and the labels beside it."""

    def __init__(self, path: Path, labels: Labels) -> None:
        self._file = SectionFile(path)
        self.labels = labels
        about = self._file.about
        self.rows: int = about["rows"]
        self.texts: int = about["texts"]
        self.tokens: int = about["tokens"]

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """Unit vectors, rows x dimensions."""
        return self._file.array("vectors")

    @cached_property
    def _terms(self) -> Dictionary:
        return Dictionary(self._file, "terms")

    @cached_property
    def _shown(self) -> Strings:
        return Strings(self._file, "shown")

    def names(self, column: str) -> Dictionary:
        """The values of a filter column (authors in lower case)."""
        return Dictionary(self._file, f"{column}.names")

    def ids(self, column: str = "passage_id") -> NDArray[np.bytes_]:
        """``passage_id`` or ``entry_id`` of every row, 16 bytes each."""
        return self._file.array(column)

    def dates(self) -> NDArray[np.int32]:
        """``published`` of every row as a number that sorts (20121205); 0 for none."""
        return self._file.array("published")

    def row(self, number: int) -> dict[str, Any]:
        """What is shown of one row."""
        return {**dict(zip(SHOWN, json.loads(self._shown[number]), strict=True)), **self.labels.of(number)}

    # -- what rows may be found --------------------------------------------------------------------------------

    def allowed(self, conditions: Sequence[Condition], query: Query) -> Mask | None:
        """Rows that meet the conditions and hold what the query demands; ``None`` if all do."""
        masks = [self._meets(condition) for condition in conditions]
        masks += [self._mask(self.holding(phrase)) for phrase in query.phrases]
        masks += [~self._mask(self.holding(phrase)) for phrase in query.without]
        return np.logical_and.reduce(masks) if masks else None

    def _mask(self, rows: Rows) -> Mask:
        mask = np.zeros(self.rows, bool)
        mask[rows] = True
        return mask

    def _meets(self, condition: Condition) -> Mask:
        met = self._equals(condition)
        return ~met if condition.negated else met

    def _equals(self, condition: Condition) -> Mask:
        match condition.field:
            case "label":
                return self.labels.bearing(condition.values)
            case "since":
                return self.dates() >= date_number(condition.values[0])
            case "before":
                dates = self.dates()
                return (dates > 0) & (dates < date_number(condition.values[0]))
        return self._coded(condition)

    def _coded(self, condition: Condition) -> Mask:
        column = "thread_id" if condition.field == "thread" else condition.field
        names, codes = self.names(column), self._file.array(column)
        met = np.zeros(self.rows, bool)
        for value in condition.values:
            if condition.field == "thread":
                span = names.starting_with(value)
                met |= (codes >= span.start) & (codes < span.stop)
            elif value and (code := names.find(value)) is not None:
                met |= codes == code
        return met

    def in_thread(self, thread_id: str) -> Rows:
        """Rows of one thread."""
        code = self.names("thread_id").find(thread_id)
        return np.flatnonzero(self._file.array("thread_id") == code) if code is not None else np.zeros(0, np.int64)

    def named(self, column: str, prefix: str) -> Rows:
        """Rows whose id begins with these hex digits."""
        whole = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
        digits = self.ids(column).view(np.uint8).reshape(self.rows, -1)
        met = (digits[:, : len(whole)] == np.frombuffer(whole, np.uint8)).all(axis=1)
        if len(prefix) % 2:
            met &= digits[:, len(whole)] >> 4 == int(prefix[-1], 16)
        return np.flatnonzero(met)

    # -- words -------------------------------------------------------------------------------------------------

    def _postings(self, word: str) -> slice:
        code = self._terms.find(word)
        if code is None:
            return slice(0, 0)
        starts = self._file.array("term_starts")
        return slice(int(starts[code]), int(starts[code + 1]))

    def documents_with(self, word: str) -> int:
        """Number of rows that hold a word."""
        span = self._postings(word)
        return int(span.stop - span.start)

    def holding(self, phrase: Phrase) -> Rows:
        """Rows in which the words of a phrase follow one another."""
        if len(phrase) == 1:
            return self._file.array("posting_rows")[self._postings(phrase[0])].astype(np.int64)
        found: Rows | None = None
        # From the rarest word on, so that the list of places only shrinks.
        for offset, word in sorted(enumerate(phrase), key=lambda item: self.documents_with(item[1])):
            places = self._places(word) - offset
            found = places if found is None else found[_sorted_isin(found, places)]
            if not found.size:
                break
        return np.unique(found >> 20) if found is not None else np.zeros(0, np.int64)

    def _places(self, word: str) -> Rows:
        """Where a word stands, as row << 20 | position + 2048 (room for the offsets of a phrase), ascending."""
        span = self._postings(word)
        bounds = self._file.array("posting_starts")[span.start : span.stop + 1].astype(np.int64)
        if len(bounds) < 2:
            return np.zeros(0, np.int64)
        rows = self._file.array("posting_rows")[span].astype(np.int64)
        positions = self._file.array("positions")[bounds[0] : bounds[-1]].astype(np.int64)
        return (np.repeat(rows, np.diff(bounds)) << 20) | (positions + 2_048)

    def best_by_words(
        self, words: Counter[str], idf: dict[str, float], mean_length: float, mask: Mask | None, many: int
    ) -> tuple[Rows, Floats, Floats]:
        """Rows among which the ``many`` best by BM25 are, their scores, and the summed rarity (``idf``) of their words.

        Rare words come first. Once no row without them can be among the best, the common ones are only looked up for the
        rows that can: a question's "the" and "is" would otherwise cost more than all the rest.
        """
        scores, held = np.zeros(self.rows, np.float32), np.zeros(self.rows, np.float32)
        rest = sum(times * idf[word] for word, times in words.items()) * (K1 + 1)
        rows: NDArray[np.uint32] | None = None
        for word in sorted(words, key=lambda word: -words[word] * idf[word]):
            if rows is None and self.documents_with(word) > COMMON and many < self.rows:
                rows = _contenders(scores if mask is None else scores * mask, rest, many)
            at, often = self._occurrences(word, rows)
            norm = K1 * (1 - B + B / mean_length * self._file.array("lengths")[at])
            scores[at] += often * np.float32(words[word] * idf[word] * (K1 + 1)) / (often + norm)
            held[at] += idf[word]
            rest -= words[word] * idf[word] * (K1 + 1)
        found = (
            np.flatnonzero(scores > 0 if mask is None else (scores > 0) & mask)
            if rows is None
            else rows.astype(np.int64)
        )
        return found, scores[found], held[found]

    def _occurrences(self, word: str, rows: NDArray[np.uint32] | None) -> tuple[NDArray[np.uint32], Floats]:
        """The rows - any, or of ``rows`` - that hold a word, and how often each does."""
        span = self._postings(word)
        places, starts = self._file.array("posting_rows")[span], self._file.array("posting_starts")
        if rows is None:
            return places, np.diff(starts[span.start : span.stop + 1]).astype(np.float32)
        at = np.searchsorted(places, rows)
        at[at == len(places)] = 0
        at = at[places[at] == rows] if len(places) else at[:0]
        return places[at], (starts[at + (span.start + 1)] - starts[at + span.start]).astype(np.float32)

    # -- vectors -----------------------------------------------------------------------------------------------

    def differing(self, vector: Floats, mask: Mask | None) -> NDArray[np.uint16] | None:
        """For each row how many signs differ from the vector's, ``NEVER`` where the mask forbids it.

        ``None`` where comparing with all that are left is as quick.
        """
        left = self.rows if mask is None else int(np.count_nonzero(mask))
        if "codes" not in self._file or left < GATHERED * REFINED:
            return None
        found = unlike(self._file.array("codes"), vector)
        if mask is not None:
            found[~mask] = NEVER
        return found

    def cosines(self, vector: Floats, rows: Rows) -> Floats:
        """Cosines of a unit vector with some rows (ascending), or with all if these are many."""
        if len(rows) * GATHERED > self.rows:
            return np.asarray((self.vectors @ vector)[rows])
        return np.asarray(self._file.gathered("vectors", rows) @ vector)


def _contenders(scores: Floats, rest: float, many: int) -> NDArray[np.uint32] | None:
    """Rows that may still be among the ``many`` best when words worth ``rest`` at most are to come; ``None`` if any may."""
    scored = np.flatnonzero(scores > 0)
    if len(scored) <= many:
        return None
    least = float(np.partition(scores[scored], -many)[-many])
    return scored[scores[scored] > least - rest].astype(np.uint32) if least > rest else None


def _sorted_isin(wanted: Rows, places: Rows) -> Mask:
    """Which of ``wanted`` are among ``places`` (ascending)."""
    at = np.searchsorted(places, wanted)
    met = at < len(places)
    met[met] = places[at[met]] == wanted[met]
    return met
