"""What one model called each sentence, read in one streamed pass: counts by group and thread, and the surest examples."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from cli.jobs.mining import BATCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cli.report.census import Census

#: Threads whose surest sentence is kept until the pass ends, so that copies of one text can be left out.
POOL = 40

COLUMNS = ("revision_id", "thread_id", "label", "abstain", "probabilities", "start", "text")


@dataclass(frozen=True, slots=True)
class Called:
    """A sentence with the probability of the label that it was given."""

    label: str
    probability: float
    text: str
    revision_id: str
    thread_id: str
    start: int

    @property
    def rank(self) -> tuple[float, str, int]:
        """Surest first; among equals by id, so that it is always the same one."""
        return -self.probability, self.revision_id, self.start


class Surest:
    """The surest sentence of each of the ``POOL`` threads that have the surest."""

    def __init__(self) -> None:
        self._of: dict[str, Called] = {}

    def offer(self, one: Called) -> None:
        """Take ``one`` if its thread has no surer sentence and there is room."""
        known = self._of.get(one.thread_id)
        if known is not None:
            if one.rank < known.rank:
                self._of[one.thread_id] = one
            return
        self._of[one.thread_id] = one
        if len(self._of) > POOL:
            del self._of[max(self._of.values(), key=lambda kept: kept.rank).thread_id]

    def first(self, count: int) -> list[Called]:
        """The surest of them, each text once."""
        found: dict[str, Called] = {}
        for one in sorted(self._of.values(), key=lambda kept: kept.rank):
            found.setdefault(" ".join(one.text.casefold().split()), one)
        return list(found.values())[:count]


class Calls:
    """The labels that a model reading one codebook gave to the current, visible sentences: 6 bytes a sentence.

    ``place`` is the sentence's entry, ``label`` a number in ``labels``, ``sure`` whether the model did not abstain (an abstained
    last label counts as sure: it stands for none of the others).
    """

    def __init__(self, census: Census, labels: Sequence[str], model: str, codebook: str) -> None:
        from store.filters import quote

        self._census, self.labels = census, tuple(labels)
        self._where = f"unit = 'sentence' AND model = {quote(model)} AND codebook = {quote(codebook)}"
        self.surest = {label: Surest() for label in labels}
        self.abstained = np.zeros(len(labels), np.int64)
        places, numbers, sure = array("i"), array("b"), array("b")
        number_of = {label: n for n, label in enumerate(labels)}
        for place, row in self._rows():
            number = number_of.get(row["label"])
            if number is None:
                continue
            places.append(place)
            numbers.append(number)
            sure.append(not row["abstain"] or number == len(labels) - 1)
            self.abstained[number] += row["abstain"]
            if not row["abstain"]:
                self._offer(row)
        self.place = np.array(places, np.int32)
        self.label = np.array(numbers, np.int8)
        self.sure = np.array(sure, np.bool_)

    def __len__(self) -> int:
        return len(self.place)

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        rows = self._census.corpus.tables.rows("labels", self._where, COLUMNS)
        while batch := list(islice(rows, BATCH)):
            places = self._census.revisions.places([row["revision_id"] for row in batch]).tolist()
            yield from ((place, row) for place, row in zip(places, batch, strict=True) if place >= 0)

    def _offer(self, row: dict[str, Any]) -> None:
        if not any(c.isalpha() for c in row["text"]):  # labelled by rule, not by the model
            return
        chance = next((p["probability"] for p in row["probabilities"] if p["label"] == row["label"]), 0.0)
        one = Called(row["label"], chance, row["text"], row["revision_id"], row["thread_id"], row["start"])
        self.surest[one.label].offer(one)

    @property
    def labelled_entries(self) -> int:
        """How many entries have a labelled sentence."""
        return len(np.unique(self.place))

    def sizes(self, division: str) -> dict[str, int]:
        """Sentences of each group of a division that has any, the largest first."""
        groups = self._census.divisions[division]
        of = groups.of[self.place]
        counts = np.bincount(of[of >= 0], minlength=len(groups.names)).tolist()
        found = [(name, count) for name, count in zip(groups.names, counts, strict=True) if count]
        return dict(sorted(found, key=lambda pair: (-pair[1], pair[0])))

    def counts(self, division: str, names: Sequence[str]) -> dict[str, list[NDArray[np.int64]]]:
        """For each group how often each label was called, thread by thread, in the order in which threads were met."""
        groups = self._census.divisions[division]
        place_of = {name: n for n, name in enumerate(groups.names)}
        of, threads = groups.of[self.place], self._census.divisions["thread"].of[self.place]
        order = np.argsort(of, kind="stable")
        bounds = np.searchsorted(of[order], [[place_of[name], place_of[name] + 1] for name in names])
        return {
            name: self._by_thread(threads[order[low:high]], self.label[order[low:high]])
            for name, (low, high) in zip(names, bounds.tolist(), strict=True)
        }

    def _by_thread(self, threads: NDArray[np.int32], labels: NDArray[np.int8]) -> list[NDArray[np.int64]]:
        many = len(self.labels)
        _, first, thread = np.unique(threads, return_index=True, return_inverse=True)
        table = np.bincount(thread * many + labels, minlength=len(first) * many).reshape(-1, many)
        return list(table[np.argsort(first)])

    def of_entries(self) -> NDArray[np.int8]:
        """For each entry the first label, in the codebook's order, that a sentence of it surely bears; -1 for none."""
        found = np.full(len(self._census), -1, np.int8)
        for number in reversed(range(len(self.labels))):
            found[self.place[(self.label == number) & self.sure]] = number
        return found
