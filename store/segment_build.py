"""Writing one segment of the light index: vectors, words, filter columns and what is shown, of up to 262,144 passages."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.sections import encode_strings, write_sections
from store.signs import CODES_FROM, sign_codes
from store.words import raw_words

__all__ = ["ID_BYTES", "SHOWN", "SegmentBuilder", "pack_ids"]

#: An id is 32 hex digits.
ID_BYTES = 16

#: Columns that only have values to filter by; the rest of a row is kept as it is shown.
FILTERED = ("site", "author", "thread_id", "kind")

#: What a hit shows, in the order in which a segment keeps it. Labels are kept apart: they change.
SHOWN = (
    *("passage_id", "revision_id", "entry_id", "thread_id", "start", "end", "text", "title", "site", "author", "kind"),
    *("published", "url", "parent_author", "encoder"),
    *("parent_id", "position", "depth", "state", "is_post_author", "captured_at", "evidence"),
)

_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")


def pack_ids(ids: Sequence[str]) -> NDArray[np.bytes_]:
    """Ids as an array of 16 bytes each."""
    return np.frombuffer(bytes.fromhex("".join(ids)), f"S{ID_BYTES}")


def date_number(date: str | None) -> int:
    """A date as a number that compares as its text does: 2012-12 is 20121200; 0 for none."""
    match = _DATE.match(date or "")
    return int(match[1]) * 10_000 + int(match[2] or 0) * 100 + int(match[3] or 0) if match else 0


class SegmentBuilder:
    """Takes rows as they come and writes them as one file."""

    def __init__(self) -> None:
        self._shown: list[bytes] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._values: dict[str, list[str]] = {name: [] for name in FILTERED}
        self._dates = array("i")
        self._ids: dict[str, list[str]] = {"passage_id": [], "entry_id": []}
        self._terms: dict[str, int] = {}
        self._tokens = array("I")
        self._lengths = array("I")

    def __len__(self) -> int:
        return len(self._shown)

    def add(self, rows: Sequence[dict[str, Any]], vectors: NDArray[np.float32]) -> None:
        """Add rows (the columns of ``SHOWN``; missing ones count as ``None``) with their vectors of any length but 0."""
        for row in rows:
            self._shown.append(json.dumps([row.get(name) for name in SHOWN], ensure_ascii=False).encode())
            for name in FILTERED:
                value = row.get(name) or ""
                self._values[name].append(value.lower() if name == "author" else value)
            for name, ids in self._ids.items():
                ids.append(row[name])
            self._dates.append(date_number(row.get("published")))
            self._add_words(row["text"])
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._vectors.append((vectors / np.maximum(norms, 1e-12)).astype(np.float32))

    def _add_words(self, text: str) -> None:
        terms = self._terms
        found = raw_words(text)
        self._tokens.extend([terms.setdefault(word, len(terms)) for word in found])
        self._lengths.append(len(found))

    def finish(self, path: Path) -> None:
        """Write the segment to ``path``, which must not be there yet."""
        vectors = np.concatenate(self._vectors)
        self._vectors = []
        arrays: dict[str, NDArray[Any]] = {"vectors": vectors}
        if len(vectors) >= CODES_FROM:
            arrays["codes"] = sign_codes(vectors)
        arrays |= {name: pack_ids(ids) for name, ids in self._ids.items()}
        arrays["published"] = np.array(self._dates, np.int32)
        for name in FILTERED:
            arrays |= _coded(name, self._values[name])
        arrays |= encode_strings("shown", self._shown)
        arrays |= self._postings()
        about = {"rows": len(vectors), "tokens": len(self._tokens), "texts": sum(n > 0 for n in self._lengths)}
        write_sections(path, arrays, about)

    def _postings(self) -> dict[str, NDArray[Any]]:
        """The inverted index: for each word its rows, how often it stands in each, and where."""
        lengths = np.array(self._lengths, np.int64)
        names, codes = _sorted_names(self._terms)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        positions = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        terms = codes[np.array(self._tokens, np.int64)] if len(rows) else np.zeros(0, np.int64)
        by_term = np.argsort(terms, kind="stable")
        terms, rows, positions = terms[by_term], rows[by_term], positions[by_term]
        first = np.flatnonzero(np.diff(terms, prepend=-1) | np.diff(rows, prepend=-1))
        return {
            **encode_strings("terms", names),
            "term_starts": np.searchsorted(terms[first], np.arange(len(names) + 1)).astype(np.uint64),
            "posting_rows": rows[first].astype(np.uint32),
            "posting_starts": np.append(first, len(rows)).astype(np.uint64),
            "positions": np.minimum(positions, 65_535).astype(np.uint16),
            "lengths": lengths.astype(np.uint32),
        }


def _coded(name: str, values: list[str]) -> dict[str, NDArray[Any]]:
    """A column of few values as numbers and their dictionary."""
    first: dict[str, int] = {}
    raw = np.array([first.setdefault(value, len(first)) for value in values], np.int64)
    names, codes = _sorted_names(first)
    return {**encode_strings(f"{name}.names", names), name: codes[raw].astype(np.uint32)}


def _sorted_names(numbered: dict[str, int]) -> tuple[list[bytes], NDArray[np.int64]]:
    """Names in byte order, and for each old number the new one."""
    names = sorted((name.encode("utf-8", "replace"), number) for name, number in numbered.items())
    codes = np.empty(len(names), np.int64)
    codes[[number for _, number in names]] = np.arange(len(names))
    return [name for name, _ in names], codes
