"""The order of a merged thread: as the pages show it; what they leave out stands among its neighbours in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from harvest.extract.items import Reading


@dataclass(frozen=True, slots=True)
class Order:
    """Keys in order, parents before their children. ``cut`` names the comments that lost their parent to open a circle."""

    keys: tuple[str, ...]
    cut: frozenset[str] = frozenset()


def arrange(shown: Sequence[str], readings: Mapping[str, Reading], parents: Mapping[str, str | None]) -> Order:
    """Put all of ``readings`` in order; ``shown`` are the keys that pages show, in their order.

    That order stays where nothing has to be put in between. Else the thread is walked as a tree, answers below what they
    answer, neighbours as they were shown.
    """
    cut = _circles(parents)
    up = {key: None if key in cut else parent for key, parent in parents.items()}
    if len(shown) == len(readings) and _parents_first(shown, up):
        return Order(tuple(shown), cut)
    moments = _moments(readings, up)
    below: dict[str | None, list[str]] = {}
    for key in shown:
        below.setdefault(up[key], []).append(key)
    backwards = newest_first([moments[key] for key in below.get(None, [])])
    known = set(shown)
    between: dict[str | None, list[str]] = {}
    for key in sorted((key for key in readings if key not in known), key=lambda key: moments[key] or 0.0):
        between.setdefault(up[key], []).append(key)
    for parent, keys in between.items():
        falling = backwards and parent is None
        below[parent] = _woven(below.get(parent, []), keys[::-1] if falling else keys, moments, falling)
    return Order(_walk(below), cut)


def _circles(parents: Mapping[str, str | None]) -> frozenset[str]:
    """Comments that, followed from answer to answer, would answer themselves: one of each circle."""
    done: set[str] = set()
    cut: set[str] = set()
    for start in parents:
        path: list[str] = []
        on_path: set[str] = set()
        key: str | None = start
        while key is not None and key not in done:
            if key in on_path:
                cut.add(key)
                break
            path.append(key)
            on_path.add(key)
            key = parents.get(key)
        done.update(path)
    return frozenset(cut)


def _parents_first(keys: Iterable[str], up: Mapping[str, str | None]) -> bool:
    seen: set[str | None] = {None}
    for key in keys:
        if up[key] not in seen:
            return False
        seen.add(key)
    return True


def moment(one: Reading) -> float | None:
    """When the comment was written, in seconds since 1970; wall clocks without offset count as UTC."""
    if one.date is None or one.date.iso is None:
        return None
    try:
        read = datetime.fromisoformat(one.date.iso)
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _moments(readings: Mapping[str, Reading], up: Mapping[str, str | None]) -> dict[str, float | None]:
    """The moment of each comment; one without a date was there before its first answer."""
    found = {key: moment(one) for key, one in readings.items()}
    for key, parent in up.items():
        own = found[key]
        if parent is not None and own is not None and readings[parent].date is None:
            known = found[parent]
            found[parent] = own if known is None else min(known, own)
    return found


def newest_first(moments: Sequence[float | None]) -> bool:
    """Whether a list of comments runs from the newest to the oldest."""
    dated = [one for one in moments if one is not None]
    falling = sum(later < earlier for earlier, later in pairwise(dated))
    return falling > 0 and falling * 2 > len(dated) - 1


def _woven(
    shown: Sequence[str], between: Sequence[str], moments: Mapping[str, float | None], falling: bool
) -> list[str]:
    """``shown`` as it is, each of ``between`` before the first that is later than it (``falling``: earlier)."""
    found: list[str] = []
    waiting = deque(between)
    for key in shown:
        there = moments[key]
        while waiting and there is not None and (own := moments[waiting[0]]) is not None:
            if not (there < own if falling else there > own):
                break
            found.append(waiting.popleft())
        found.append(key)
    return [*found, *waiting]


def _walk(below: Mapping[str | None, Sequence[str]]) -> tuple[str, ...]:
    found: list[str] = []
    waiting = list(reversed(below.get(None, ())))
    while waiting:
        key = waiting.pop()
        found.append(key)
        waiting.extend(reversed(below.get(key, ())))
    return tuple(found)
