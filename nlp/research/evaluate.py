"""A classifier against human codes: figures with intervals by bootstrap over clusters (pages, threads), since sentences of one
page are not independent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.research.agreement import DRAWS, HIGH, LOW, krippendorff

#: Equal-width bins of the winning probability for the calibration error.
BINS = 10

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Judged:
    """One unit: the human label, the machine's, the probability it gave that, and the cluster that the unit belongs to."""

    truth: str
    called: str
    probability: float
    cluster: str


def confusion(rows: Sequence[Judged], labels: Sequence[str]) -> Counts:
    """Truth (rows) against calls (columns)."""
    place = {label: n for n, label in enumerate(labels)}
    out = np.zeros((len(labels), len(labels)), np.int64)
    for row in rows:
        out[place[row.truth], place[row.called]] += 1
    return out


def macro_f1(counts: Counts) -> float:
    """Mean F1 over labels; a label that neither side uses counts as 0, as in the usual scorers."""
    return float(np.mean(_f1(counts)))


def _f1(counts: Counts) -> NDArray[np.float64]:
    right = np.diag(counts).astype(float)
    used = counts.sum(axis=0) + counts.sum(axis=1)
    return np.asarray(np.divide(2 * right, used, out=np.zeros(len(right)), where=used > 0))


def calibration_error(rows: Sequence[Judged]) -> float:
    """Expected calibration error of the winning probability."""
    sure = np.array([row.probability for row in rows])
    right = np.array([row.truth == row.called for row in rows], float)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(float(sure[bins == b].sum() - right[bins == b].sum())) for b in range(BINS)]
    return sum(gaps) / len(rows)


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
    """Everything at once, as plain values. ``meta_as_promotion`` is ``None`` for codebooks without those labels."""
    counts = confusion(rows, labels)
    f1 = _f1(counts)
    per_label = {}
    for n, label in enumerate(labels):
        called, truly = int(counts[:, n].sum()), int(counts[n].sum())
        per_label[label] = {
            "precision": counts[n, n] / called if called else None,
            "recall": counts[n, n] / truly if truly else None,
            "f1": float(f1[n]),
            "support": truly,
        }
    return {
        "units": len(rows),
        "clusters": len({row.cluster for row in rows}),
        "macro_f1": macro_f1(counts),
        "macro_f1_interval": bootstrap(rows, labels, macro_f1, seed=seed),
        "accuracy": float(np.diag(counts).sum() / max(counts.sum(), 1)),
        "alpha": krippendorff([{"human": row.truth, "machine": row.called} for row in rows]),
        "calibration_error": calibration_error(rows),
        "meta_as_promotion": _rate(counts, labels, "meta-talk", "self-promotion"),
        "labels": per_label,
        "confusion": counts.tolist(),
    }


def _rate(counts: Counts, labels: Sequence[str], truth: str, called: str) -> float | None:
    if truth not in labels or called not in labels:
        return None
    row = counts[list(labels).index(truth)]
    return float(row[list(labels).index(called)] / row.sum()) if row.sum() else None
