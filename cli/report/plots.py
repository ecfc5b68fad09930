"""Plots as numbers: where each mark lies in the drawing. The template writes them as SVG, escaped like everything else.

Coordinates are pixels of the drawing's own box, from its upper left corner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: The drawing's width, and the room for names at its left.
WIDTH, NAMES = 960, 270

#: Heights of a row, of a panel's head and of the axis under it.
ROW, HEAD, AXIS = 26, 26, 24

#: Room between panels, and where the last tick's text needs some at the right edge.
GAP, EDGE = 26, 24

#: Panels side by side that can still be read; a codebook with more labels has the rest in the table.
MAX_PANELS = 6

#: Colours that the style sheet has.
COLOURS = 8

#: Between a number and its sign: no line ends there.
THIN = "\u202f"

#: Steps between ticks, times a power of ten.
STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Value:
    """An estimate with its interval, and what was counted; ``None`` where there is none."""

    estimate: float | None
    low: float | None = None
    high: float | None = None
    counted: float | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """One value drawn: ``at`` is where it is estimated, ``low`` to ``high`` its interval, ``counted`` what was counted."""

    at: float | None
    low: float | None
    high: float | None
    counted: float | None
    across: float
    colour: int
    says: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis with its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One field of a plot with its own axis from ``start`` to ``end``."""

    title: str
    colour: int
    start: float
    end: float
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A row's or column's text; ``full`` is what it was before it was cut."""

    at: float
    text: str
    full: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A whole drawing. ``upright`` plots have values on the vertical axis and names under it."""

    id: str
    title: str
    says: str
    width: float
    height: float
    panels: tuple[Panel, ...]
    names: tuple[Name, ...]
    upright: bool = False
    has_counted: bool = True


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar from ``x`` of ``width``, with its text beside or in it."""

    x: float
    y: float
    width: float
    colour: int
    text: str
    says: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars: ``words`` beside their bars, to the left and right of the middle, or one stacked row."""

    id: str
    title: str
    says: str
    width: float
    height: float
    bars: tuple[Bar, ...]
    names: tuple[str, ...] = ()


def percent(share: float | None) -> str:
    """``0.1234`` as ``12.3 %``, kept on one line."""
    return "–" if share is None else f"{100 * share:.1f}{THIN}%"


def number(value: float | None) -> str:
    """A mean or ratio to two places."""
    return "–" if value is None else f"{value:.2f}"


def ticks(top: float, many: int = 4) -> list[float]:
    """Round numbers from 0 to the first at or above ``top``, about ``many`` steps."""
    if top <= 0:
        return [0.0, 1.0]
    raw = top / many
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in STEPS if s * power >= raw * (1 - 1e-9))
    return [round(n * step, 10) for n in range(math.ceil(top / step - 1e-9) + 1)]


def cut(text: str, width: int) -> str:
    """``text`` on one line of at most ``width`` columns."""
    from cli.output import shorten

    return shorten(text, width)


def _says(name: str, value: Value, shown: Callable[[float | None], str]) -> str:
    interval = "" if value.low is None else f", 95 % interval {shown(value.low)} to {shown(value.high)}"
    counted = "" if value.counted is None else f"; called: {shown(value.counted)}"
    return f"{name}: {shown(value.estimate)}{interval}{counted}"


def _top(values: Sequence[Value]) -> float:
    return max((one for v in values for one in (v.estimate, v.high, v.counted) if one is not None), default=0.0)


def _mark(value: Value, place: Callable[[float], float], across: float, colour: int, says: str) -> Mark:
    at, low, high, counted = (
        None if one is None else round(place(one), 1) for one in (value.estimate, value.low, value.high, value.counted)
    )
    return Mark(at, low, high, counted, across, colour % COLOURS, says)


def interval_plot(
    name: str,
    title: str,
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[Value]],
    *,
    shown: Callable[[float | None], str] = percent,
    colour_rows: bool = False,
) -> Plot:
    """Rows of marks with intervals, a panel for each of ``columns``; ``values[row][column]``, all on one scale."""
    columns = columns[:MAX_PANELS]
    scale = ticks(_top([v for row in values for v in row[: len(columns)]]), 4 if len(columns) < 3 else 2)
    width = (WIDTH - NAMES - EDGE - GAP * (len(columns) - 1)) / len(columns)
    panels = []
    for n, column in enumerate(columns):
        start = NAMES + n * (width + GAP)

        def place(value: float, start: float = start) -> float:
            return start + width * value / scale[-1]

        marks = [
            _mark(
                row[n],
                place,
                HEAD + ROW * (k + 0.5),
                k if colour_rows else n,
                _says(f"{rows[k]}, {column}" if column else rows[k], row[n], shown),
            )
            for k, row in enumerate(values)
        ]
        at = tuple(Tick(round(place(one), 1), _axis(one, shown)) for one in scale)
        panels.append(Panel(column, n % COLOURS, round(start, 1), round(start + width, 1), at, tuple(marks)))
    names = tuple(Name(HEAD + ROW * (k + 0.5), cut(row, 38), row) for k, row in enumerate(rows))
    counted = any(v.counted is not None for row in values for v in row)
    height = HEAD + ROW * len(rows) + AXIS
    return Plot(name, title, _summary(rows, columns), WIDTH, height, tuple(panels), names, has_counted=counted)


def _axis(value: float, shown: Callable[[float | None], str]) -> str:
    return f"{100 * value:g}{THIN}%" if shown is percent else f"{value:g}"


def _summary(rows: Sequence[str], columns: Sequence[str]) -> str:
    what = f" for each of {', '.join(columns)}" if any(columns) else ""
    return f"{len(rows)} rows{what}; the table beneath has the same numbers."


#: An upright plot's height of a field, room for the axis' text at the left, and between two fields.
FIELD, SCALE, BETWEEN = 130, 52, 44


def year_plot(
    name: str, title: str, years: Sequence[str], values: Sequence[Sequence[Value]], columns: Sequence[str]
) -> Plot:
    """Marks with intervals along the years, a panel for each of ``columns`` under each other; ``values[year][column]``."""
    columns = columns[:MAX_PANELS]
    step = (WIDTH - SCALE - EDGE) / len(years)
    across = [round(SCALE + step * (k + 0.5), 1) for k in range(len(years))]
    panels = []
    for n, column in enumerate(columns):
        scale = ticks(_top([row[n] for row in values]), 3)
        end = HEAD + n * (FIELD + BETWEEN) + FIELD

        def place(value: float, end: float = end, top: float = scale[-1]) -> float:
            return end - FIELD * value / top

        marks = [
            _mark(row[n], place, across[k], n, _says(f"{years[k]}, {column}", row[n], percent))
            for k, row in enumerate(values)
            if row[n].estimate is not None
        ]
        at = tuple(Tick(round(place(one), 1), _axis(one, percent)) for one in scale)
        panels.append(Panel(column, n % COLOURS, end - FIELD, end, at, tuple(marks)))
    height = HEAD + len(columns) * (FIELD + BETWEEN) - BETWEEN + AXIS + 4
    names = tuple(Name(at, year, year) for at, year in zip(across, years, strict=True))
    return Plot(name, title, _summary(years, columns), WIDTH, height, tuple(panels), names, upright=True)


def stacked(name: str, title: str, parts: Sequence[tuple[str, int, int]]) -> Bars:
    """One row cut in proportion to ``parts``: name, count, colour."""
    total = sum(count for _, count, _ in parts) or 1
    x, bars = 0.0, []
    for what, count, colour in parts:
        width = WIDTH * count / total
        text = f"{what} {count}"
        bars.append(Bar(round(x, 1), 0, round(width, 1), colour, text if width > 9 * len(text) else "", text))
        x += width
    return Bars(name, title, ", ".join(bar.says for bar in bars), WIDTH, ROW + 4, tuple(bars))


def butterfly(
    name: str,
    title: str,
    sides: tuple[str, str],
    words: tuple[Sequence[tuple[str, float]], Sequence[tuple[str, float]]],
) -> Bars:
    """Words with their weights, those of the first side to the left of the middle, of the second to the right."""
    half, room = WIDTH / 2, 150
    top = max((weight for side in words for _, weight in side), default=1.0) or 1.0
    bars = []
    for side, rows in enumerate(words):
        for n, (word, weight) in enumerate(rows):
            width = (half - room) * weight / top
            x = half - 4 - width if side == 0 else half + 4
            says = f"{word}: {weight:.1f}, {sides[side]}"
            bars.append(Bar(round(x, 1), HEAD + 20 * n, round(width, 1), side, cut(word, 20), says))
    height = HEAD + 20 * max(len(rows) for rows in words) + 4
    says = "; ".join(f"{side}: {', '.join(w for w, _ in rows)}" for side, rows in zip(sides, words, strict=True))
    return Bars(name, title, says, WIDTH, height, tuple(bars), sides)
