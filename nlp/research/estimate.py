"""How frequent labels are, corrected for the classifier's own confusion.

Counting machine labels misleads where a label is rare: a classifier that calls 3 % of neutral sentences promotion doubles a
true 3 %. With the confusion matrix (what is called what, from human codes) the true mix is the one under which the calls are
most likely: a mixture of multinomials, fitted by expectation-maximisation, so shares stay between 0 and 1. Where the matrix
can be inverted and the result is a mix, this equals the inversion of Rogan and Gladen (1978).

The interval draws clusters (threads); for what we do not know of the confusion, each of its rows from a Dirichlet
distribution over its counts plus one half (Jeffreys' prior); and for what a few sentences leave open, however they were called,
the calls from such a one, too: nine sentences of which none is called promotion do not show that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.research.agreement import HIGH, LOW

#: Draws of the bootstrap; the fit runs once for each.
DRAWS = 400

STEPS, TOLERANCE = 500, 1e-7

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Shares by label: as called, corrected, and the corrected ones' 95 % intervals (``None`` with a single cluster)."""

    units: int
    clusters: int
    raw: tuple[float, ...]
    corrected: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...] | None


def estimate(calls: Sequence[NDArray[np.int64]], confusion: Floats, *, seed: int = 0) -> Estimate:
    """``calls``: for each cluster how often each label was called; ``confusion``: truth (rows) against calls, in counts (of units
    that were not drawn alike: in effective ones)."""
    parts = np.stack(list(calls)).astype(float)
    total = parts.sum(axis=0)
    rates = (confusion + 0.5) / (confusion + 0.5).sum(axis=1, keepdims=True)
    corrected = true_mix(total, rates)
    intervals = None
    if len(parts) > 1:
        rng = np.random.default_rng(seed)
        drawn = [_draw(parts, confusion, rng) for _ in range(DRAWS)]
        draws = true_mixes(np.stack([calls for calls, _ in drawn]), np.stack([rates for _, rates in drawn]))
        low, high = np.quantile(draws, (LOW, HIGH), axis=0)
        low, high = np.minimum(low, corrected), np.maximum(high, corrected)
        intervals = tuple(zip(low.tolist(), high.tolist(), strict=True))
    raw = total / max(total.sum(), 1.0)
    return Estimate(int(total.sum()), len(parts), tuple(raw.tolist()), tuple(corrected.tolist()), intervals)


def _draw(parts: Floats, confusion: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Calls such as those of drawn clusters, and drawn rates."""
    chosen = parts[rng.integers(len(parts), size=len(parts))].sum(axis=0)
    return rng.dirichlet(chosen + 0.5) * chosen.sum(), np.stack([rng.dirichlet(row + 0.5) for row in confusion])


def true_mix(calls: Floats, rates: Floats) -> Floats:
    """The mix of true labels under which ``calls`` are likeliest; ``rates[t, c]`` is the chance that ``t`` is called ``c``."""
    return np.asarray(true_mixes(calls[None], rates[None])[0])


def true_mixes(calls: Floats, rates: Floats) -> Floats:
    """``true_mix`` of many at once: ``calls[n, c]`` and ``rates[n, t, c]``; each goes on until it moves no more."""
    mixes = np.full(rates.shape[:2], 1.0 / rates.shape[1])
    going = np.arange(len(mixes))
    for _ in range(STEPS):
        joint = mixes[going][:, :, None] * rates[going]
        share = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-300)
        fresh = (share * calls[going][:, None, :]).sum(axis=2)
        fresh /= np.maximum(fresh.sum(axis=1, keepdims=True), 1e-300)
        moved = np.abs(fresh - mixes[going]).max(axis=1)
        mixes[going] = fresh
        going = going[moved >= TOLERANCE]
        if not len(going):
            break
    return mixes
