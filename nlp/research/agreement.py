"""How far coders agree: Krippendorff's alpha for nominal data, Gwet's AC1, Cohen's kappa, raw agreement.

Alpha is computed from the coincidence matrix (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"), any number of
coders, missing codes allowed. Its interval is a bootstrap over units, which takes units as independent.

AC1 (Gwet 2008, "Computing inter-rater reliability and its variance in the presence of high agreement") differs in what it holds
for chance: where nearly all units have one code, alpha falls although coders agree, and AC1 does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Draws of a bootstrap, and the quantiles of a 95 % interval.
DRAWS, LOW, HIGH = 1000, 0.025, 0.975

#: Codes of one unit, by coder.
Unit = Mapping[str, Hashable]


@dataclass(frozen=True, slots=True)
class Agreement:
    """``alpha`` with its interval (``None`` where it is not defined), ``agreement`` the share of pairs that agree."""

    units: int
    coders: tuple[str, ...]
    alpha: float | None
    interval: tuple[float, float] | None
    agreement: float | None


def agreement(units: Sequence[Unit], *, seed: int = 0, draws: int = DRAWS) -> Agreement:
    """Agreement over ``units``; those with fewer than two codes count for nothing."""
    pairable = [unit for unit in units if len(unit) >= 2]
    coders = tuple(sorted({coder for unit in pairable for coder in unit}))
    alpha = krippendorff(pairable)
    interval = None
    if alpha is not None and len(pairable) > 1:
        interval = _interval(pairable, np.random.default_rng(seed), draws)
    return Agreement(len(pairable), coders, alpha, interval, _raw(pairable))


def krippendorff(units: Sequence[Unit]) -> float | None:
    """Nominal alpha; ``None`` where there is nothing to disagree about (no pairs, or one code only)."""
    return _alpha(*_kinds(units))


def gwet(units: Sequence[Unit]) -> float | None:
    """AC1 of any number of coders; ``None`` where no unit has two codes, or only one code is used.

    Units with one code tell of prevalence, not of agreement. Codes that nobody gave do not count as possible ones.
    """
    pairable = [unit for unit in units if len(unit) >= 2]
    shares = prevalence(units)
    if not pairable or len(shares) < 2:
        return None
    chance = sum(share * (1.0 - share) for share in shares.values()) / (len(shares) - 1)
    agreeing = sum(_agreeing(unit) for unit in pairable) / len(pairable)
    return (agreeing - chance) / (1.0 - chance)


def prevalence(units: Sequence[Unit]) -> dict[Hashable, float]:
    """The share of the units that each code covers; a unit whose coders differ counts for each code in part."""
    coded = [unit for unit in units if unit]
    shares: dict[Hashable, float] = {}
    for unit in coded:
        for code in unit.values():
            shares[code] = shares.get(code, 0.0) + 1.0 / len(unit)
    return {code: share / len(coded) for code, share in shares.items()}


def cohen(pairs: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Cohen's kappa of two coders (Cohen 1960); ``None`` where both use one and the same code throughout."""
    if not pairs:
        return None
    total = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(first[code] * second[code] for code in first) / total**2
    if chance == 1.0:
        return None
    return float((sum(a == b for a, b in pairs) / total - chance) / (1.0 - chance))


def _interval(units: Sequence[Unit], rng: np.random.Generator, draws: int) -> tuple[float, float]:
    """Quantiles of alpha where units are drawn anew; draws in which it is not defined count for nothing."""
    kinds, added = _kinds(units)
    found = [_alpha(kinds[rng.integers(len(units), size=len(units))], added) for _ in range(draws)]
    values = np.array([value for value in found if value is not None])
    return float(np.quantile(values, LOW)), float(np.quantile(values, HIGH))


def _kinds(units: Sequence[Unit]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The kind of each unit, and what a unit of each kind adds to the coincidence matrix (kinds × codes × codes).

    Units coded alike are of one kind, so that a bootstrap need only count them.
    """
    patterns = [frozenset(Counter(unit.values()).items()) for unit in units]
    kinds = {pattern: n for n, pattern in enumerate(dict.fromkeys(patterns))}
    codes = {code: n for n, code in enumerate(dict.fromkeys(code for unit in units for code in unit.values()))}
    added = np.zeros((len(kinds), len(codes), len(codes)))
    for pattern, n in kinds.items():
        counts = np.zeros(len(codes))
        for code, count in pattern:
            counts[codes[code]] = count
        if counts.sum() >= 2:
            added[n] = (np.outer(counts, counts) - np.diag(counts)) / (counts.sum() - 1)
    return np.array([kinds[pattern] for pattern in patterns], dtype=np.intp), added


def _alpha(kinds: NDArray[np.intp], added: NDArray[np.float64]) -> float | None:
    coincidence = np.tensordot(np.bincount(kinds, minlength=len(added)), added, 1)
    margins = coincidence.sum(axis=1)
    total = margins.sum()
    expected = total * total - np.square(margins).sum()
    if total < 2 or expected <= 0:
        return None
    return float(1.0 - (total - 1) * (total - np.trace(coincidence)) / expected)


def _agreeing(unit: Unit) -> float:
    """The share of a unit's pairs of codes that are alike."""
    counts = Counter(unit.values())
    return sum(n * (n - 1) for n in counts.values()) / (len(unit) * (len(unit) - 1))


def _raw(units: Sequence[Unit]) -> float | None:
    agreeing = pairs = 0
    for unit in units:
        codes = list(unit.values())
        for n, one in enumerate(codes):
            for other in codes[n + 1 :]:
                agreeing += one == other
                pairs += 1
    return agreeing / pairs if pairs else None
