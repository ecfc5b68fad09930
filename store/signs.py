"""Vectors as bits: which of their components, once mixed, are positive. A 24th of a vector's size, compared ten times as fast.

The bits choose candidates; the vectors themselves are then compared exactly ("refined"). There is nothing to train, so new
rows and filters change nothing. Mixing (changing signs by a fixed pattern, then a Walsh-Hadamard transform, twice over)
spreads each component over all bits: models differ in how unevenly theirs are filled. Measured on benchmarks/search_bench.py:
of the true ten nearest the 2,000 best by bits hold .997, among 100,000 passages and among 1,000,000; unmixed .993, and with a
tenth of the components four times as strong .508 (mixed .993).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["CODES_FROM", "EXACT_UP_TO", "NEVER", "REFINED", "least_unlike", "sign_codes", "unlike"]

#: Segments from this size on get bits: 64 bytes a row.
CODES_FROM = 8_192

#: Up to so many passages in all, every vector is compared: 16 ms and 200 MB of mapped file, and the answer is exact. Beyond it
#: bits choose: 0.01 ms per 1,000 rows, and 3 ms to refine.
EXACT_UP_TO = 131_072

#: Candidates compared exactly: at least so many, and at least this many times what is asked for. Of 1,000,000 passages 2,000
#: take 24 ms and give recall@10 .997; 8,000 take 48 ms and give .998.
REFINED = 2_000
REFINED_TIMES = 20

#: More than any vector has bits: a row that may not be found.
NEVER = np.uint16(16_384)

#: Rounds of mixing: a second one raised what 1,000 candidates hold from .987 to .992, a third no further.
ROUNDS = 2

BATCH = 16_384

Floats = NDArray[np.float32]


def sign_codes(vectors: Floats) -> NDArray[np.uint64]:
    """The bits of vectors (rows x dimensions) as 64-bit words, word by word: shape (words, rows)."""
    matrix = _mixing(vectors.shape[1])
    parts = [_bits(vectors[start : start + BATCH] @ matrix) for start in range(0, len(vectors), BATCH)]
    return np.ascontiguousarray(np.concatenate(parts).T)


def _bits(mixed: Floats) -> NDArray[np.uint64]:
    return np.packbits(mixed > 0, axis=1).view(np.uint64)


@lru_cache(maxsize=2)
def _mixing(dimensions: int) -> Floats:
    """The mixing as a matrix: many vectors are multiplied faster than transformed one by one."""
    return _mixed(np.eye(dimensions, dtype=np.float32))


def _mixed(vectors: Floats) -> Floats:
    """Vectors (rows x dimensions) mixed into the next power of two of components, 64 at least."""
    size = max(64, 1 << (vectors.shape[1] - 1).bit_length())
    out = np.pad(vectors, ((0, 0), (0, size - vectors.shape[1])))
    numbers = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)  # bits of the golden ratio
    for turn in range(ROUNDS):
        odd = np.bitwise_count(numbers >> np.uint64(20 + 7 * turn) & np.uint64(0xFFFF)) % 2
        out = _walsh(np.where(odd, -out, out), size)
    return np.asarray(out, np.float32)


def _walsh(rows: Floats, size: int) -> Floats:
    step = 1
    while step < size:
        pairs = rows.reshape(-1, size // (2 * step), 2, step)
        first, second = pairs[:, :, 0], pairs[:, :, 1]
        rows = np.stack((first + second, first - second), axis=2).reshape(-1, size)
        step *= 2
    return rows


def unlike(codes: NDArray[np.uint64], vector: Floats) -> NDArray[np.uint16]:
    """For each row how many bits differ from those of ``vector``."""
    own = _bits(_mixed(vector[None, :]))[0]
    out: NDArray[np.uint16] = np.bitwise_count(codes[0] ^ own[0]).astype(np.uint16)
    for word, mine in zip(codes[1:], own[1:], strict=True):
        out += np.bitwise_count(word ^ mine)
    return out


def least_unlike(parts: Sequence[NDArray[np.uint16]], many: int) -> list[NDArray[np.int64]]:
    """Of several segments' counts the rows with the lowest, for ``many`` answers: a few thousand in all, ties included."""
    wanted = max(REFINED, REFINED_TIMES * many)
    counts = np.zeros(int(NEVER) + 1, np.int64)
    for part in parts:
        counts += np.bincount(part, minlength=len(counts))
    most = int(np.searchsorted(np.cumsum(counts[:NEVER]), wanted))
    return [np.flatnonzero(part <= min(most, int(NEVER) - 1)) for part in parts]
