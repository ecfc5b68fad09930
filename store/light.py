"""The light index: passages ready to be searched through memory maps, beside the tables that they come from.

LanceDB keeps the truth, but importing it costs two seconds, many times what a search does. ``store.refresh`` writes the
light index from the tables whenever passages are indexed; here it is read. It answers only while it stands for the very
version of the table that is there; otherwise ``LightIndex.open`` returns ``None`` and LanceDB answers, more slowly.

``tables/search/`` holds ``index.json`` (what belongs together), one file a segment and one file of labels a segment. All are
written under new names and never changed; ``index.json`` is replaced in one step, so readers need no lock.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from store.errors import ArchiveError
from store.filters import Condition
from store.lance_index import inverse_frequency
from store.query import Query
from store.segment import Labels, Mask, Segment
from store.signs import EXACT_UP_TO, least_unlike

__all__ = ["FOLDER", "FORMAT", "LightIndex", "condition", "read_index", "table_state"]

FOLDER = "search"
INDEX_FILE = "index.json"

#: Raised with each change of the files' layout; an index of another format is made anew.
FORMAT = 1

VERSION_DIGITS = 20


def table_state(tables_dir: Path, version: int | None = None) -> str | None:
    """Digest of the passages table's manifest: of its newest version, or of one. ``None`` if there is no such table.

    The manifest names every data file of a version, so its digest stands for the content, in a copied archive too.
    """
    folder = tables_dir / "passages.lance" / "_versions"
    try:
        if version is None:
            # Lance counts the names of manifests down, so that the newest comes first. Very old tables have them count up:
            # for these no state is known, and LanceDB always answers.
            name = min(path.name for path in folder.glob("*.manifest") if len(path.stem) == VERSION_DIGITS)
        else:
            name = f"{2**64 - 1 - version:0{VERSION_DIGITS}}.manifest"
        return hashlib.sha256((folder / name).read_bytes()).hexdigest()
    except (OSError, ValueError):
        return None


def condition(tables_dir: Path) -> Literal["current", "behind", "torn", "missing"]:
    """How the light index stands to the tables: what ``doctor`` says. ``Tables.refresh_search`` mends all but the first."""
    about = read_index(tables_dir)
    if about is None:
        return "missing"
    if LightIndex.open(tables_dir) is not None:
        return "current"
    return "torn" if about["state"] == table_state(tables_dir) else "behind"


def read_index(tables_dir: Path) -> dict[str, Any] | None:
    """What ``index.json`` says, or ``None`` if there is none that this version can read."""
    try:
        found = json.loads((tables_dir / FOLDER / INDEX_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None


@dataclass(frozen=True, slots=True)
class _Best:
    """The best rows of one segment."""

    segment: int
    rows: NDArray[np.int64]
    values: NDArray[np.float32]


class LightIndex:
    """The index opened for reading. Passages are named by their ids, as in LanceDB."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        sets = about["label_sets"]
        self.state: str = about["state"]
        self.encoder: str | None = about["encoder"]
        self.classified: bool = about["classified"]
        self._segments = [
            Segment(folder / part["file"], Labels(folder / part["labels"], sets)) for part in about["segments"]
        ]
        self._place: dict[str, tuple[int, int]] = {}

    @classmethod
    def open(cls, tables_dir: Path) -> LightIndex | None:
        """The index, if it stands for what the tables hold now."""
        about = read_index(tables_dir)
        if about is None or about["state"] is None or about["state"] != table_state(tables_dir):
            return None
        try:
            return cls(tables_dir / FOLDER, about)
        except (OSError, ArchiveError, KeyError, ValueError):  # torn, or replaced while it was opened
            return None

    @property
    def passages(self) -> int:
        """Number of passages."""
        return sum(segment.rows for segment in self._segments)

    # -- candidates --------------------------------------------------------------------------------------------

    def near(
        self, vector: NDArray[np.float32], conditions: Sequence[Condition], query: Query, many: int
    ) -> list[tuple[str, float]]:
        """Up to ``many`` passages nearest in meaning, with 1 minus the cosine, nearest first."""
        unit = (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
        masks = [segment.allowed(conditions, query) for segment in self._segments]
        few = self.passages <= EXACT_UP_TO
        coarse = [None if few else s.differing(unit, mask) for s, mask in zip(self._segments, masks, strict=True)]
        chosen = iter(least_unlike([part for part in coarse if part is not None], many))
        rows = [
            next(chosen) if part is not None else np.arange(segment.rows) if mask is None else np.flatnonzero(mask)
            for segment, mask, part in zip(self._segments, masks, coarse, strict=True)
        ]

        def best(number: int, segment: Segment) -> tuple[Any, Any]:
            return rows[number], -segment.cosines(unit, rows[number])

        return [(key, 1 + value) for key, value in self._merged(best, many)]

    def worded(self, conditions: Sequence[Condition], query: Query, many: int) -> list[tuple[str, float, float]]:
        """Up to ``many`` passages by BM25 over the query's words, best first: id, score, share of the query's weight.

        That share is 1 where a passage holds all words, and near 0 where it holds only those that stand everywhere.
        """
        words = Counter(query.words)
        idf, mean_length = self._statistics(words)
        whole = sum(idf.values()) or 1.0
        held: dict[int, tuple[Any, Any]] = {}

        def best(number: int, segment: Segment) -> tuple[Any, Any]:
            mask = segment.allowed(conditions, query)
            rows, scores, weight = segment.best_by_words(words, idf, mean_length, mask, many)
            held[number] = (rows, weight)
            return rows, -scores

        found = []
        for key, value in self._merged(best, many):
            segment, row = self._place[key]
            rows, weight = held[segment]
            share = float(weight[np.searchsorted(rows, row)]) / whole
            found.append((key, -value, round(share, 4)))
        return found

    def _statistics(self, words: Counter[str]) -> tuple[dict[str, float], float]:
        """Inverse document frequencies and the mean length of texts with any words, over all segments."""
        texts = max(1, sum(segment.texts for segment in self._segments))
        tokens = sum(segment.tokens for segment in self._segments)
        idf = {}
        for word in words:
            holding = sum(segment.documents_with(word) for segment in self._segments)
            idf[word] = inverse_frequency(texts, holding)
        return idf, max(1.0, tokens / texts)

    def _merged(self, best: Callable[[int, Segment], tuple[Any, Any]], many: int) -> list[tuple[str, float]]:
        """The lowest values over all segments, with their ids; equal values in the order of ids."""
        parts = [_Best(n, *_lowest(*best(n, segment), many)) for n, segment in enumerate(self._segments)]
        found = [
            (float(value), self._id(part.segment, int(row)))
            for part in parts
            for row, value in zip(part.rows, part.values, strict=True)
        ]
        return [(key, value) for value, key in sorted(found)[:many]]

    def _id(self, segment: int, row: int) -> str:
        key = self._segments[segment].ids()[row : row + 1].tobytes().hex()
        self._place[key] = (segment, row)
        return key

    # -- everything that fits ----------------------------------------------------------------------------------

    def count(self, conditions: Sequence[Condition], query: Query) -> int:
        """How many passages meet the conditions and hold what the query demands."""
        return sum(_number(segment.allowed(conditions, query), segment) for segment in self._segments)

    def listed(self, conditions: Sequence[Condition], query: Query, many: int | None = None) -> list[str]:
        """Passages that meet the conditions, newest first, those without a date last."""
        keys: list[tuple[int, str]] = []
        for n, segment in enumerate(self._segments):
            mask = segment.allowed(conditions, query)
            rows = np.arange(segment.rows) if mask is None else np.flatnonzero(mask)
            dates = segment.dates()[rows]
            rows = rows if many is None else rows[_lowest(np.arange(len(rows)), -dates, many)[0]]
            keys += [(-int(segment.dates()[row]), self._id(n, int(row))) for row in rows]
        return [key for _, key in sorted(keys)[:many]]

    # -- rows --------------------------------------------------------------------------------------------------

    def rows(self, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        """What is shown of passages that this index named before, in the order asked."""
        for key in ids:
            segment, row = self._place[key]
            yield self._segments[segment].row(row)

    def named(self, prefix: str) -> tuple[set[str], list[NDArray[np.float32]]]:
        """Entries that a passage's or entry's id (or its start) stands for, and the vectors of their passages."""
        entries: set[str] = set()
        vectors: list[NDArray[np.float32]] = []
        for segment in self._segments:
            chosen = np.union1d(segment.named("passage_id", prefix), segment.named("entry_id", prefix))
            entries |= {segment.ids("entry_id")[n : n + 1].tobytes().hex() for n in chosen}
            vectors += [segment.vectors[n] for n in chosen]
        return entries, vectors

    def thread(self, thread_id: str) -> list[dict[str, Any]]:
        """All passages of a thread."""
        return [segment.row(int(n)) for segment in self._segments for n in segment.in_thread(thread_id)]

    def values(self, column: str) -> list[str]:
        """The distinct values of ``site``, ``author`` (lower case), ``kind`` or ``label``."""
        if column == "label":
            return sorted({name for segment in self._segments for name in segment.labels.names()})
        names = chain.from_iterable(segment.names(column).all() for segment in self._segments)
        return sorted({name for name in names if name})


def _lowest(rows: Any, values: Any, many: int) -> tuple[Any, Any]:
    """The ``many`` lowest values, and whatever ties with the last of them; unordered."""
    if len(rows) <= many:
        return rows, values
    last = np.partition(values, many - 1)[many - 1]
    keep = values <= last
    return rows[keep], values[keep]


def _number(mask: Mask | None, segment: Segment) -> int:
    return segment.rows if mask is None else int(mask.sum())
