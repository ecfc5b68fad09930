"""A classifier against human codes: figures with intervals by bootstrap over clusters (pages, threads), since sentences of one
page are not independent. Units that were not drawn alike count for as many as they stand for (Horvitz and Thompson 1952)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.research.agreement import DRAWS, HIGH, LOW

#: Equal-width bins of the winning probability for the calibration error.
BINS = 10

Counts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """One unit: the human label, the machine's, the machine's best probability, the cluster that the unit belongs to, how many
    units it stands for (1 on average), and whether the machine abstained."""

    truth: str
    called: str
    probability: float
    cluster: str
    weight: float = 1.0
    abstain: bool = False


def confusion(rows: Sequence[Judged], labels: Sequence[str]) -> Counts:
    """Truth (rows) against calls (columns), in weights."""
    place = {label: n for n, label in enumerate(labels)}
    out = np.zeros((len(labels), len(labels)))
    for row in rows:
        out[place[row.truth], place[row.called]] += row.weight
    return out


def effective_counts(rows: Sequence[Judged], labels: Sequence[str]) -> Counts:
    """``confusion`` brought to the number of equally drawn units that would tell as much of each truth (Kish 1965): the counts
    themselves where all units weigh alike."""
    out = confusion(rows, labels)
    for n, label in enumerate(labels):
        weights = np.array([row.weight for row in rows if row.truth == label])
        if len(weights):
            out[n] *= weights.sum() / np.square(weights).sum()
    return out


def alpha(counts: Counts) -> float | None:
    """Krippendorff's alpha of the two, from their confusion; ``None`` where there is nothing to disagree about."""
    both = counts + counts.T
    total, margins = both.sum(), both.sum(axis=1)
    expected = total**2 - np.square(margins).sum()
    if total < 2 or expected <= 0:
        return None
    return float(1.0 - (total - 1) * (total - both.trace()) / expected)


def macro_f1(counts: Counts) -> float:
    """Mean F1 over labels; a label that neither side uses counts as 0, as in the usual scorers."""
    return float(np.mean(_f1(counts)))


def _f1(counts: Counts) -> NDArray[np.float64]:
    right = np.diag(counts).astype(float)
    used = counts.sum(axis=0) + counts.sum(axis=1)
    return np.asarray(np.divide(2 * right, used, out=np.zeros(len(right)), where=used > 0))


def calibration_error(rows: Sequence[Judged]) -> float:
    """Expected calibration error of the winning probability."""
    sure, weights = np.array([row.probability for row in rows]), np.array([row.weight for row in rows])
    right = np.array([row.truth == row.called for row in rows], float)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(float((weights * (sure - right))[bins == b].sum())) for b in range(BINS)]
    return sum(gaps) / float(weights.sum())


def bootstrap(
    rows: Sequence[Judged], labels: Sequence[str], figure: Callable[[Counts], float], *, seed: int = 0
) -> tuple[float, float] | None:
    """95 % interval of a figure of the confusion matrix, by drawing clusters; ``None`` with a single cluster."""
    clusters: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        clusters[row.cluster].append(row)
    if len(clusters) < 2:
        return None
    parts = np.stack([confusion(part, labels) for part in clusters.values()])
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(parts), size=(DRAWS, len(parts)))
    values = [figure(parts[chosen].sum(axis=0)) for chosen in drawn]
    return float(np.quantile(values, LOW)), float(np.quantile(values, HIGH))


def evaluate(rows: Sequence[Judged], labels: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """Everything at once, as plain values. All figures but ``units``, ``clusters``, ``abstained``, ``support`` and ``confusion``
    are weighted. ``meta_as_promotion`` is ``None`` for codebooks without those labels."""
    counts = confusion(rows, labels)
    f1 = _f1(counts)
    support = Counter(row.truth for row in rows)
    per_label = {}
    for n, label in enumerate(labels):
        called, truly = float(counts[:, n].sum()), float(counts[n].sum())
        per_label[label] = {
            "precision": counts[n, n] / called if called else None,
            "recall": counts[n, n] / truly if truly else None,
            "f1": float(f1[n]),
            "support": support[label],
        }
    plain = [replace(row, weight=1.0) for row in rows]
    weights = np.array([row.weight for row in rows])
    sure = [row for row in rows if not row.abstain]
    return {
        "units": len(rows),
        "effective_units": float(weights.sum() ** 2 / np.square(weights).sum()),
        "clusters": len({row.cluster for row in rows}),
        "macro_f1": macro_f1(counts),
        "macro_f1_interval": bootstrap(rows, labels, macro_f1, seed=seed),
        "accuracy": _accuracy(counts),
        "abstained": len(rows) - len(sure),
        "accuracy_where_sure": _accuracy(confusion(sure, labels)) if sure else None,
        "alpha": alpha(counts),
        "calibration_error": calibration_error(rows),
        "meta_as_promotion": _rate(counts, labels, "meta-talk", "self-promotion"),
        "labels": per_label,
        "confusion": confusion(plain, labels).astype(int).tolist(),
        "confusion_weighted": effective_counts(rows, labels).tolist(),
    }


def _accuracy(counts: Counts) -> float:
    return float(np.diag(counts).sum() / counts.sum())


def _rate(counts: Counts, labels: Sequence[str], truth: str, called: str) -> float | None:
    if truth not in labels or called not in labels:
        return None
    row = counts[list(labels).index(truth)]
    return float(row[list(labels).index(called)] / row.sum()) if row.sum() else None
