"""Reciprocity: how many answers comments get, by what they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cli.report.calls import Calls
    from cli.report.census import Census

#: Draws of the bootstrap over threads, as for prevalence.
DRAWS = 400

Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Answered:
    """Comments whose first label is ``label``: how many, direct replies to them, how many got any; replies a comment."""

    label: str
    comments: int
    replies: int
    answered: int
    mean: float | None
    interval: Interval


@dataclass(frozen=True, slots=True)
class Reciprocity:
    """``rows`` by label; ``difference`` of the means of the first two labels. ``threads`` have nested comments, of ``of``."""

    rows: tuple[Answered, ...]
    difference: float | None
    interval: Interval
    threads: int
    of: int


def reciprocity(census: Census, calls: Calls) -> Reciprocity:
    """Count the direct, visible replies to comments in threads that nest comments; intervals by drawing threads."""
    label = calls.of_entries()
    chosen = census.is_comment & census.in_nested_thread & (label >= 0)
    threads, place = np.unique(census.divisions["thread"].of[chosen], return_inverse=True)
    cell = place * len(calls.labels) + label[chosen]
    shape = (len(threads), len(calls.labels))

    def table(weights: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.bincount(cell, weights, shape[0] * shape[1]).reshape(shape).astype(np.float64)

    replies = census.replies[chosen]
    many, got, any_ = table(np.ones_like(replies)), table(replies), table((replies > 0).astype(np.int64))
    means, gap = _means(many.sum(0), got.sum(0))
    intervals, gap_interval = _intervals(many, got)
    rows = tuple(
        Answered(name, int(many[:, n].sum()), int(got[:, n].sum()), int(any_[:, n].sum()), _plain(means[n]), at)
        for n, (name, at) in enumerate(zip(calls.labels, intervals, strict=True))
    )
    return Reciprocity(rows, _plain(gap), gap_interval, census.nested_threads, census.threads.count)


def _means(many: NDArray[np.float64], got: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    means = np.divide(got, many, out=np.full(len(many), np.nan), where=many > 0)
    return means, float(means[0] - means[1]) if len(means) > 1 else float("nan")


def _intervals(many: NDArray[np.float64], got: NDArray[np.float64]) -> tuple[Sequence[Interval], Interval]:
    """95 % intervals of each mean and of the gap; none with a single thread, or where draws often hold no such comment."""
    if len(many) < 2:
        return [None] * many.shape[1], None
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(DRAWS):
        weights = rng.multinomial(len(many), np.full(len(many), 1 / len(many)))
        means, gap = _means(weights @ many, weights @ got)
        drawn.append([*means, gap])
    values = np.array(drawn)
    *each, gap_interval = [_quantiles(values[:, n]) for n in range(values.shape[1])]
    return each, gap_interval


def _quantiles(values: NDArray[np.float64]) -> Interval:
    from nlp.research.agreement import HIGH, LOW

    known = values[~np.isnan(values)]
    if len(known) < DRAWS / 2:
        return None
    low, high = np.quantile(known, (LOW, HIGH)).tolist()
    return low, high


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
