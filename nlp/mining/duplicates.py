"""Texts that say the same: MinHash over runs of words finds suspects, the exact Jaccard similarity decides.

Broder (1997), "On the resemblance and containment of documents", for the method; Leskovec, Rajaraman & Ullman, "Mining of Massive
Datasets", chapter 3, for the bands. The similarity of two texts is the share of their word triples that both have.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.mining.words import words

__all__ = ["DuplicateGroup", "Finder", "jaccard", "rows_per_band", "shingles"]

Hashes = NDArray[np.uint64]

#: Minima in a signature: the estimate they give has a standard error of at most 0.044; they only choose suspects.
PERMUTATIONS = 128

#: A pair just at the threshold is overlooked with at most this chance.
MISSED = 0.001

#: A band in which more texts agree compares each with so many that follow; what is alike all over is joined well before.
NEIGHBOURS = 200

#: Shingles hashed together: bounds the memory that a very long text takes.
SHINGLES_AT_ONCE = 8192

#: Pairs that were compared and found different, remembered so that the next band does not compare them again.
REMEMBERED = 2_000_000

DIGEST = 16


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Texts that are alike, by number: each is joined to another by a Jaccard similarity of ``similarity`` or more.

    ``exact``: all are the same but for white space.
    """

    members: tuple[int, ...]
    similarity: float
    exact: bool


def shingles(found: list[str], size: int) -> Hashes:
    """The hashes of all runs of ``size`` words, each once, sorted; a shorter text is one run."""
    if not found:
        return np.zeros(0, np.uint64)
    ids = np.array([_hash(word) for word in found], np.uint64)
    size = min(size, len(ids))
    mixed = np.zeros(len(ids) - size + 1, np.uint64)
    for n in range(size):
        mixed = _mixed(mixed * np.uint64(0x9E3779B97F4A7C15) + ids[n : len(ids) - size + 1 + n])
    return np.unique(mixed)


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _mixed(values: Hashes) -> Hashes:
    """Each number scattered over 64 bits (the finishing step of SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def jaccard(a: Hashes, b: Hashes) -> float:
    """Share of what both have in what either has (0 to 1), of two sets of shingles."""
    both = len(np.intersect1d(a, b, assume_unique=True))
    either = len(a) + len(b) - both
    return both / either if either else 0.0


def rows_per_band(threshold: float) -> int:
    """The most rows a band can have so that a pair at the threshold is overlooked with a chance of ``MISSED`` at most."""
    fitting = [r for r in range(1, 17) if (1 - threshold**r) ** (PERMUTATIONS // r) <= MISSED]
    return max(fitting, default=1)


class Finder:
    """Takes texts one by one, then groups those that are alike. Keeps about 250 bytes a text, not the texts.

    ``threshold`` is the least Jaccard similarity (above 0, at most 1), ``size`` the words in a run; texts of fewer than
    ``min_words`` words are passed over: short ones are alike by nature.
    """

    def __init__(self, threshold: float = 0.8, *, size: int = 3, min_words: int = 5) -> None:
        self.threshold, self.size, self.min_words = threshold, size, min_words
        rows = rows_per_band(threshold)
        self._bands = PERMUTATIONS // rows
        chance = np.random.default_rng(1)  # any numbers do, if only they stay the same
        self._factors = chance.integers(1, 2**63, self._bands * rows, np.uint64) * np.uint64(2) + np.uint64(1)
        self._offsets = chance.integers(0, 2**63, self._bands * rows, np.uint64)
        self._weights = chance.integers(1, 2**63, (1, rows), np.uint64) * np.uint64(2) + np.uint64(1)
        self._numbers = array("q")
        self._digests, self._texts = bytearray(), bytearray()
        self._keys: list[Hashes] = []
        self._blocks: list[Hashes] = []
        self.texts = 0

    def add(self, text: str) -> None:
        """Take the next text; its number is how many were taken before."""
        number, self.texts = self.texts, self.texts + 1
        found = words(text)
        if len(found) < max(1, self.min_words):
            return
        self._numbers.append(number)
        self._digests += hashlib.blake2b("\n".join(found).encode("utf-8", "replace"), digest_size=DIGEST).digest()
        same = " ".join(text.split()).encode("utf-8", "replace")
        self._texts += hashlib.blake2b(same, digest_size=DIGEST).digest()
        self._keys.append(self._band_keys(shingles(found, self.size)))
        if len(self._keys) == SHINGLES_AT_ONCE:
            self._blocks.append(np.stack(self._keys))
            self._keys = []

    @property
    def compared(self) -> int:
        """Texts that were long enough."""
        return len(self._numbers)

    def _band_keys(self, found: Hashes) -> Hashes:
        """One number a band: two texts with the same share all the band's minima."""
        least = np.full(len(self._factors), np.iinfo(np.uint64).max, np.uint64)
        for start in range(0, len(found), SHINGLES_AT_ONCE):
            part = found[start : start + SHINGLES_AT_ONCE, None] * self._factors + self._offsets
            np.minimum(least, part.min(axis=0) >> np.uint64(32), out=least)
        return np.asarray((_mixed(least).reshape(self._bands, -1) * self._weights).sum(axis=1, dtype=np.uint64))

    # -- suspects ----------------------------------------------------------------------------------------------

    def suspects(self) -> set[int]:
        """Numbers of the texts that ``groups`` will want to see again."""
        first, of = self._distinct()
        likely = np.zeros(len(first), bool)
        for run in self._runs(first):
            likely[run] = True
        likely |= np.bincount(of, minlength=len(first)) > 1
        return set(np.array(self._numbers, np.int64)[likely[of]].tolist())

    def _distinct(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first of each set of texts with the same words, and for each text its set."""
        digests = np.frombuffer(bytes(self._digests), f"S{DIGEST}")
        _, first, of = np.unique(digests, return_index=True, return_inverse=True)
        return first.astype(np.int64), of.astype(np.int64)

    def _runs(self, first: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Distinct texts that agree in a band, together, band by band."""
        if self._keys:
            self._blocks.append(np.stack(self._keys))
            self._keys = []
        for band in range(self._bands if len(first) else 0):
            keys = np.concatenate([block[:, band] for block in self._blocks])[first]
            order = np.argsort(keys, kind="stable")
            bounds = np.flatnonzero(np.diff(keys[order])) + 1
            yield from (run for run in np.split(order, bounds) if len(run) > 1)

    def copies(self) -> list[DuplicateGroup]:
        """Groups of texts that are the same but for white space, largest first; needs no text."""
        texts = np.frombuffer(bytes(self._texts), f"V{DIGEST}")
        members: dict[bytes, list[int]] = {}
        for number, digest in zip(self._numbers, texts, strict=True):
            members.setdefault(digest.tobytes(), []).append(number)
        return _sorted([DuplicateGroup(tuple(m), 1.0, True) for m in members.values() if len(m) > 1])

    # -- groups ------------------------------------------------------------------------------------------------

    def groups(self, texts: Mapping[int, str]) -> list[DuplicateGroup]:
        """Groups of texts that are alike, largest first; ``texts`` holds at least the suspects, by number."""
        first, of = self._distinct()
        joined = _Joined(len(first))
        sets = _Shingles(texts, np.array(self._numbers, np.int64)[first], self.size)
        different: set[tuple[int, int]] = set()
        for run in self._runs(first):
            for a, b in _pairs(run.tolist()):
                if joined.root(a) == joined.root(b) or (a, b) in different:
                    continue
                similarity = jaccard(sets[a], sets[b])
                if similarity >= self.threshold:
                    joined.join(a, b, similarity)
                elif len(different) < REMEMBERED:
                    different.add((a, b))
        return self._collected(joined, of)

    def _collected(self, joined: _Joined, of: NDArray[np.int64]) -> list[DuplicateGroup]:
        members: dict[int, list[int]] = {}
        roots = np.array([joined.root(n) for n in range(joined.size)], np.int64)
        many = np.bincount(roots[of], minlength=joined.size) if len(of) else np.zeros(0, np.int64)
        for n in np.flatnonzero(many[roots[of]] > 1).tolist() if len(of) else ():
            members.setdefault(int(roots[of[n]]), []).append(n)
        found = [
            DuplicateGroup(tuple(self._numbers[n] for n in group), joined.least[root], self._same(group))
            for root, group in members.items()
        ]
        return _sorted(found)

    def _same(self, group: list[int]) -> bool:
        return len({bytes(self._texts[n * DIGEST : (n + 1) * DIGEST]) for n in group}) == 1


def _sorted(found: list[DuplicateGroup]) -> list[DuplicateGroup]:
    return sorted(found, key=lambda group: (-len(group.members), group.members))


def _pairs(run: list[int]) -> Iterator[tuple[int, int]]:
    run = sorted(run)
    return ((a, b) for n, a in enumerate(run) for b in run[n + 1 : n + 1 + NEIGHBOURS])


class _Shingles:
    """The shingles of distinct texts, made when first asked for."""

    def __init__(self, texts: Mapping[int, str], numbers: NDArray[np.int64], size: int) -> None:
        self._texts, self._numbers, self._size = texts, numbers, size
        self._made: dict[int, Hashes] = {}

    def __getitem__(self, distinct: int) -> Hashes:
        if distinct not in self._made:
            self._made[distinct] = shingles(words(self._texts[int(self._numbers[distinct])]), self._size)
        return self._made[distinct]


class _Joined:
    """Which texts belong together (union by the lower number), and the weakest link of each group."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._above = list(range(size))
        self.least = [1.0] * size

    def root(self, n: int) -> int:
        while self._above[n] != n:
            self._above[n] = self._above[self._above[n]]
            n = self._above[n]
        return n

    def join(self, a: int, b: int, similarity: float) -> None:
        a, b = sorted((self.root(a), self.root(b)))
        self._above[b] = a
        self.least[a] = min(self.least[a], self.least[b], similarity)
