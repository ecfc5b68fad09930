"""How far coders agree: Krippendorff's alpha for nominal data, Cohen's kappa, raw agreement.

Alpha is computed from the coincidence matrix (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"), any number of
coders, missing codes allowed. Its interval is a bootstrap over units, which takes units as independent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

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
        rng = np.random.default_rng(seed)
        found = [
            krippendorff([pairable[n] for n in rng.integers(len(pairable), size=len(pairable))]) for _ in range(draws)
        ]
        values = np.array([value for value in found if value is not None])
        interval = (float(np.quantile(values, LOW)), float(np.quantile(values, HIGH)))
    return Agreement(len(pairable), coders, alpha, interval, _raw(pairable))


def krippendorff(units: Sequence[Unit]) -> float | None:
    """Nominal alpha; ``None`` where there is nothing to disagree about (no pairs, or one code only)."""
    coincidence: Counter[tuple[Hashable, Hashable]] = Counter()
    for unit in units:
        codes = Counter(unit.values())
        size = codes.total()
        if size < 2:
            continue
        for one, count in codes.items():
            for other, further in codes.items():
                pairs = count * (further - (one == other))
                coincidence[one, other] += pairs / (size - 1)  # type: ignore[assignment]  # counts may be fractions
    margins: Counter[Hashable] = Counter()
    for (one, _), count in coincidence.items():
        margins[one] += count
    total = sum(margins.values())
    expected = total * total - sum(count * count for count in margins.values())
    if total < 2 or expected <= 0:
        return None
    disagreement = sum(count for (one, other), count in coincidence.items() if one != other)
    return float(1.0 - (total - 1) * disagreement / expected)


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


def _raw(units: Sequence[Unit]) -> float | None:
    agreeing = pairs = 0
    for unit in units:
        codes = list(unit.values())
        for n, one in enumerate(codes):
            for other in codes[n + 1 :]:
                agreeing += one == other
                pairs += 1
    return agreeing / pairs if pairs else None
