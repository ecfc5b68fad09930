"""Keyness: the words that set one group of texts apart from others, and whether many people use them or one.

- **G2**, log-likelihood of two rates: Rayson & Garside (2000), "Comparing corpora using frequency profiling"; the statistic is
  Dunning's (1993). With a word's counts ``a``, ``b`` in texts of ``n1``, ``n2`` words and expected counts
  ``e1 = n1 (a + b) / (n1 + n2)``, ``e2`` likewise: ``2 (a ln(a / e1) + b ln(b / e2))``, where ``0 ln 0`` is 0.
- **log ratio**: Hardie (2014), ``log2((a / n1) / (b / n2))``; a count of 0 is taken as 0.5.
- **dispersion**: Gries' (2008) deviation of proportions over authors, ``1/2 sum |v_i - s_i|`` with an author's share ``v_i`` of
  the word and ``s_i`` of all words, divided by ``1 - min s_i`` (Lijffijt & Gries 2012): 0 where everybody uses it alike, 1 where
  only the tersest author does.
- **p**: that chance alone gives so large a G2 (chi-squared, one degree of freedom). It takes words as independent, which texts
  never are; so it ranks, and dispersion guards. **q**: Benjamini & Hochberg (1995) over all words tested for a target.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Counts",
    "Group",
    "KeyWord",
    "benjamini_hochberg",
    "deviation_of_proportions",
    "keyness",
    "log_likelihood",
    "log_ratio",
    "p_value",
]

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

#: Counts kept apart until they are added up: 16 bytes each.
PENDING = 2_000_000

#: A pair of part and word as one number: 32 bits each.
WORD_BITS = 32
WORD_MASK = (1 << WORD_BITS) - 1

#: Hardie's stand-in for a count of zero.
ZERO = 0.5


@dataclass(frozen=True, slots=True)
class Group:
    """One group of texts: its name, its words in all, its parts (authors) with any."""

    name: str
    words: int
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWord:
    """A word that stands out in a target group. Rates are per million words; ``dispersion`` is ``None`` for a single part.

    ``parts`` is how many of the target's parts (authors) use it; ``reference`` is ``None`` for all other groups together.
    """

    word: str
    target: str
    reference: str | None
    count: int
    reference_count: int
    per_million: float
    reference_per_million: float
    g2: float
    log_ratio: float
    p: float
    q: float
    parts: int
    dispersion: float | None


class Counts:
    """Word counts of texts by group and, within it, by part (author). Takes about 16 bytes for each word of each part."""

    def __init__(self) -> None:
        self._words: dict[str, int] = {}
        self._parts: dict[tuple[str, str], int] = {}
        self._keys = np.zeros(0, np.uint64)
        self._counts = np.zeros(0, np.int64)
        self._pending: tuple[list[int], list[int]] = ([], [])

    def add(self, group: str, part: str, words: Iterable[str]) -> None:
        """Count the words of one text."""
        found = Counter(words)
        if not found:
            return
        base = self._parts.setdefault((group, part), len(self._parts)) << WORD_BITS
        numbers = self._words
        self._pending[0].extend([base | numbers.setdefault(word, len(numbers)) for word in found])
        self._pending[1].extend(found.values())
        if len(self._pending[0]) >= PENDING:
            self._add_up()

    def _add_up(self) -> None:
        keys = np.concatenate([self._keys, np.array(self._pending[0], np.uint64)])
        counts = np.concatenate([self._counts, np.array(self._pending[1], np.int64)])
        self._pending = ([], [])
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order]
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
        self._keys = keys[first]
        self._counts = np.add.reduceat(counts, first) if len(first) else counts

    def table(self) -> Table:
        """The counts so far, ready to be compared."""
        self._add_up()
        parts = (self._keys >> np.uint64(WORD_BITS)).astype(np.int64)
        words = (self._keys & np.uint64(WORD_MASK)).astype(np.int64)
        return Table(list(self._words), list(self._parts), parts, words, self._counts)


class Table:
    """Counts by part and word, each pair once, those of a group together."""

    def __init__(
        self, words: list[str], parts: list[tuple[str, str]], part_of: Whole, word_of: Whole, counts: Whole
    ) -> None:
        self.words = words
        names = sorted({group for group, _ in parts})
        self._number = {name: n for n, name in enumerate(names)}
        group_of = np.array([self._number[group] for group, _ in parts], np.int64)
        groups = group_of[part_of]
        order = np.argsort(groups, kind="stable")
        self._part_of, self._word_of, self._counts = part_of[order], word_of[order], counts[order]
        self._bounds = np.searchsorted(groups[order], np.arange(len(names) + 1))
        self.counts = np.bincount(word_of, counts, len(words)).astype(np.int64)
        sizes = np.bincount(group_of[part_of], counts, len(names)).astype(np.int64)
        many = np.bincount(group_of, minlength=len(names))
        self.groups = [Group(*row) for row in zip(names, sizes.tolist(), many.tolist(), strict=True)]

    def side(self, name: str) -> Side:
        """The counts of one group."""
        number = self._number.get(name)
        rows = slice(0, 0) if number is None else slice(int(self._bounds[number]), int(self._bounds[number + 1]))
        return Side(len(self.words), self._word_of[rows], self._part_of[rows], self._counts[rows])


class Side:
    """One group's counts. Arrays by word: ``counts``, ``parts`` (that use it); ``size`` is its words in all."""

    def __init__(self, vocabulary: int, words: Whole, parts: Whole, counts: Whole) -> None:
        self.counts = np.bincount(words, counts, vocabulary).astype(np.int64)
        self.parts = np.bincount(words, minlength=vocabulary)
        self.size = int(self.counts.sum())
        self._words, self._counts = words, counts
        _, self._parts = np.unique(parts, return_inverse=True)

    def dispersion(self) -> Floats:
        """For each word the normalised deviation of proportions, NaN for words that are not there."""
        shares = np.bincount(self._parts, self._counts) / max(1, self.size)
        if len(shares) < 2:
            return np.full(len(self.counts), np.nan)
        of_word, expected = self._counts / self.counts[self._words], shares[self._parts]
        # Parts that never use the word add their whole share: begin with all shares, 1, and put in those that do.
        off = 1 + np.bincount(self._words, np.abs(of_word - expected) - expected, len(self.counts))
        return np.asarray(np.where(self.counts > 0, np.clip(off / 2 / (1 - shares.min()), 0, 1), np.nan))


def log_likelihood(a: Any, b: Any, n1: float, n2: float) -> Floats:
    """G2 of counts ``a`` in ``n1`` words against ``b`` in ``n2``."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    both = a + b
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(a > 0, a * np.log(a * (n1 + n2) / (n1 * both)), 0.0)
        right = np.where(b > 0, b * np.log(b * (n1 + n2) / (n2 * both)), 0.0)
    return np.asarray(np.maximum(2 * (left + right), 0.0), np.float64)


def log_ratio(a: Any, b: Any, n1: float, n2: float) -> Floats:
    """Binary logarithm of the ratio of the two rates; 1 is twice as often. Zeros count as a half."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    rates = (np.where(a > 0, a, ZERO) / n1) / (np.where(b > 0, b, ZERO) / n2)
    return np.asarray(np.log2(rates), np.float64)


def p_value(g2: Any) -> Floats:
    """Chance of a chi-squared value with one degree of freedom at least so large."""
    return np.array([math.erfc(math.sqrt(value / 2)) for value in np.asarray(g2, np.float64).tolist()])


def benjamini_hochberg(p: Any) -> Floats:
    """For each p-value the least false-discovery rate at which it would be called significant."""
    p = np.asarray(p, np.float64)
    order = np.argsort(p)
    ranked = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    return q


def deviation_of_proportions(counts: Any, sizes: Any) -> float | None:
    """The same dispersion for one word: its count in each part, and each part's words. ``None`` for fewer than two parts."""
    counts, sizes = np.asarray(counts, np.float64), np.asarray(sizes, np.float64)
    if len(sizes) < 2 or not counts.sum():
        return None
    shares = sizes / sizes.sum()
    return float(np.abs(counts / counts.sum() - shares).sum() / 2 / (1 - shares.min()))


def keyness(
    table: Table, target: str, reference: str | None = None, *, min_count: int = 5, min_parts: int = 3
) -> list[KeyWord]:
    """The words that ``target`` uses more than ``reference`` (a group, or ``None`` for all others), highest G2 first.

    Tested is every word that both sides together use ``min_count`` times; ``q`` is over these. Returned are those that the
    target uses more, by at least ``min_parts`` of its parts. Empty if a side has no words.
    """
    ours = table.side(target)
    others = table.counts - ours.counts if reference is None else table.side(reference).counts
    rest = int(others.sum())
    if not ours.size or not rest:
        return []
    tested = np.flatnonzero(ours.counts + others >= max(1, min_count))
    a, b = ours.counts[tested], others[tested]
    g2, ratio = log_likelihood(a, b, ours.size, rest), log_ratio(a, b, ours.size, rest)
    p = p_value(g2)
    q, spread = benjamini_hochberg(p), ours.dispersion()
    shown = np.flatnonzero((a > 0) & (ratio > 0) & (ours.parts[tested] >= min_parts))
    found = [
        KeyWord(
            word=table.words[tested[n]],
            target=target,
            reference=reference,
            count=int(a[n]),
            reference_count=int(b[n]),
            per_million=1e6 * float(a[n]) / ours.size,
            reference_per_million=1e6 * float(b[n]) / rest,
            g2=float(g2[n]),
            log_ratio=float(ratio[n]),
            p=float(p[n]),
            q=float(q[n]),
            parts=int(ours.parts[tested[n]]),
            dispersion=None if np.isnan(spread[tested[n]]) else float(spread[tested[n]]),
        )
        for n in shown.tolist()
    ]
    return sorted(found, key=lambda word: (-word.g2, word.word))
