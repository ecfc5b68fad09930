"""What is in an archive, counted in a few streamed passes: of each current, visible entry only numbers are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from cli.jobs.mining import BATCH, Corpus, Ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from store.archive import Archive

#: What an entry is in its thread, in reading order.
LEVELS = ("post", "first-level comment", "reply", "pingback")
ROLES = ("post", "comment by the post's author", "comment by somebody else", "pingback")

#: Entries without a group stand nowhere.
NOWHERE = -1

#: A date needs a year, a month and a day.
DAY = 10


@dataclass(slots=True)
class Division:
    """Entries divided into groups: ``of[place]`` is the group's place in ``names``, -1 for none."""

    of: NDArray[np.int32]
    names: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def put(self, place: int, name: str | None) -> None:
        """Let the entry at ``place`` belong to the group ``name``."""
        if name is None:
            return
        if name not in self._places:
            self._places[name] = len(self.names)
            self.names.append(name)
        self.of[place] = self._places[name]


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last of some dates, as written; ``None`` where there is none."""

    first: str | None
    last: str | None

    @classmethod
    def of(cls, dates: Iterable[str | None]) -> Span:
        """Over dates in ISO 8601."""
        first = last = None
        for date in dates:
            if date:
                first, last = min(first or date, date), max(last or date, date)
        return cls(first, last)


class Census:
    """Counts of an archive. About 80 bytes an entry; threads with their titles are kept, texts never.

    An entry is named by its place among the current, visible revisions (``revisions``).
    """

    def __init__(self, archive: Archive) -> None:
        self.corpus = Corpus(archive.root)
        self.threads = _ThreadCounts(self.corpus)
        self.revisions = Ids(row["revision_id"] for row in self.corpus.entries([]))
        self._entries = Ids(row["entry_id"] for row in self.corpus.entries(["entry_id"]))
        size = len(self.revisions)
        self.divisions = {
            name: Division(np.full(size, NOWHERE, np.int32)) for name in (*_GROUP_OF, "site", "author", "archive")
        }
        self._many_sites = len({thread.site for thread in self.corpus.threads.values()}) > 1
        self.is_comment = np.zeros(size, np.bool_)
        self.has_text = np.zeros(size, np.bool_)
        self.kinds: Counter[str] = Counter()
        self._entry_of = np.full(size, NOWHERE, np.int64)
        self._answers = np.zeros(len(self._entries), np.int64)
        self._nested: set[str] = set()
        self.published = Span.of(self._read())

    def __len__(self) -> int:
        return len(self.revisions)

    def _read(self) -> Iterator[str | None]:
        """Fill the columns; gives the day on which each entry says it was published."""
        columns = ["entry_id", "parent_id", "author", "kind", "depth", "is_post_author", "published", "text"]
        rows = self.corpus.entries(columns)
        while batch := list(islice(rows, BATCH)):
            places = self.revisions.places([row["revision_id"] for row in batch]).tolist()
            entries = self._entries.places([row["entry_id"] for row in batch]).tolist()
            for row, place, entry in zip(batch, places, entries, strict=True):
                self._put(row, place, entry)
            self._count_answers(batch)
            yield from (row["published"][:DAY] for row in batch if len(row["published"] or "") >= DAY)

    def _put(self, row: dict[str, Any], place: int, entry: int) -> None:
        for name, group_of in _GROUP_OF.items():
            self.divisions[name].put(place, group_of(row))
        site = self.corpus.threads[row["thread_id"]].site
        self.divisions["site"].put(place, site)
        self.divisions["author"].put(place, self._author(row["author"], site))
        self.divisions["archive"].put(place, "all")
        self.is_comment[place] = row["kind"] == "comment"
        self.has_text[place] = bool(row["text"].strip())
        self.kinds[row["kind"]] += 1
        self._entry_of[place] = entry
        if row["kind"] == "comment" and row["depth"] > 1:
            self._nested.add(row["thread_id"])

    def _author(self, name: str | None, site: str) -> str | None:
        """Authors of one name on different sites are several."""
        return f"{name} ({site})" if name and self._many_sites else name or None

    def _count_answers(self, batch: list[dict[str, Any]]) -> None:
        parents = [row["parent_id"] for row in batch if row["kind"] == "comment" and row["parent_id"]]
        places = self._entries.places(parents)
        np.add.at(self._answers, places[places >= 0], 1)

    @cached_property
    def replies(self) -> NDArray[np.int64]:
        """How many visible comments answer each entry directly."""
        return self._answers[self._entry_of]

    @cached_property
    def in_nested_thread(self) -> NDArray[np.bool_]:
        """Whether an entry's thread has comments under comments at all."""
        threads = self.divisions["thread"]
        nested = np.array([name in self._nested for name in threads.names], np.bool_)
        return nested[threads.of] if len(nested) else np.zeros(len(self), np.bool_)

    @property
    def nested_threads(self) -> int:
        """How many threads have comments under comments."""
        return len(self._nested)


def _level(row: dict[str, Any]) -> str:
    if row["kind"] == "post":
        return LEVELS[0]
    if row["kind"] != "comment":
        return LEVELS[3]
    return LEVELS[1] if row["depth"] <= 1 else LEVELS[2]


def _role(row: dict[str, Any]) -> str:
    if row["kind"] == "post":
        return ROLES[0]
    if row["kind"] != "comment":
        return ROLES[3]
    return ROLES[1] if row["is_post_author"] else ROLES[2]


#: division -> the group of an entry's row; the groups of ``chorus estimate``.
_GROUP_OF: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "thread": lambda row: row["thread_id"],
    "year": lambda row: (row["published"] or "")[:4] or None,
    "level": _level,
    "role": _role,
}


class _ThreadCounts:
    """Counts over threads, and over the visits that saw them."""

    def __init__(self, corpus: Corpus) -> None:
        self.count = self.announced = self.captured = 0
        self.by: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
        columns = [*COUNTED, "announced_count", "captured_count"]
        for row in corpus.tables.rows("threads", columns=columns):
            self.count += 1
            self.captured += row["captured_count"]
            self.announced += row["announced_count"] or 0
            for name, counts in self.by.items():
                if name != "completeness_reason" or row[name]:
                    counts[row[name] or "unknown"] += 1
        self.visits: Counter[str] = Counter()
        self.harvested = Span.of(self._visits(corpus))

    def _visits(self, corpus: Corpus) -> Iterator[str]:
        for row in corpus.tables.rows("visits", columns=["outcome", "captured_at"]):
            self.visits[row["outcome"]] += 1
            yield row["captured_at"]


#: Columns of a thread whose values are counted.
COUNTED = ("completeness", "completeness_reason", "language", "platform", "site")
