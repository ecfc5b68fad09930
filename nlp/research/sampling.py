"""Samples for human coding that leak nothing: whole clusters go to one side, and each unit keeps its chance of being drawn."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drawn:
    """``index`` into the units given; ``split`` is ``dev`` or ``test``; ``chance`` that a unit of its stratum was drawn."""

    index: int
    split: str
    chance: float


def draw(
    clusters: Sequence[str], strata: Sequence[str] | None, size: int, *, dev_share: float = 0.5, seed: int = 0
) -> list[Drawn]:
    """Draw ``size`` units, the same number from each stratum as far as it goes; without strata, each unit alike.

    The clusters are divided between dev and test so that none lies on both sides.
    """
    rng = random.Random(seed)  # noqa: S311 - a sample that can be drawn again, not a secret
    names = sorted(set(clusters))
    rng.shuffle(names)
    dev = set(names[: round(len(names) * dev_share)])
    groups: dict[str, list[int]] = defaultdict(list)
    for index in range(len(clusters)):
        groups[strata[index] if strata else ""].append(index)
    chosen: list[Drawn] = []
    left, remaining = size, sorted(groups, key=lambda name: (len(groups[name]), name))
    while remaining:
        name = remaining.pop(0)
        members = groups[name]
        count = min(len(members), left // (len(remaining) + 1))
        left -= count
        sides = {index: "dev" if clusters[index] in dev else "test" for index in rng.sample(members, count)}
        chosen += [Drawn(index, side, count / len(members)) for index, side in sides.items()]
    return sorted(chosen, key=lambda one: one.index)
