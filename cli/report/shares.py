"""The chapters on how frequent the labels are: overall, by group, by depth, and who gets answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cli.report.page import Link, Note, Section, Table
from cli.report.plots import Plot, Value, interval_plot, number, percent, year_plot

if TYPE_CHECKING:
    from cli.report.material import Material
    from cli.report.replies import Reciprocity

#: Groups shown of a division, the largest; fitting the interval of one takes about a second.
MAX_GROUPS = 20

#: Years that a plot has room for.
MAX_YEARS = 30

#: What each division is called, and what its table is called after.
TITLES = {
    "thread": ("By thread", "Thread"),
    "site": ("By site", "Site"),
    "year": ("Over time", "Year"),
    "author": ("By author", "Author"),
    "level": ("By depth", "Entries"),
    "role": ("By role", "Entries"),
}

NO_CONFUSION = "The model brings no held-out confusion to correct its shares by: --gold FILE with coded sentences"

HOW = (
    "A filled mark is the share that explains the machine's calls best, given how it errs; the bar is its 95 % interval, over "
    "threads, over what is not known of the errors, and over what few sentences leave open. A ring is the share that the machine "
    "called, sentences on which it abstained included. What lies in one thread only has no interval."
)


def prevalence(material: Material) -> Section:
    """Who is it really about?"""
    return Section("about-whom", "Who is it really about?", tuple(_prevalence(material)))


def _prevalence(material: Material) -> list[Any]:
    calls = material.calls
    if calls is None:
        return [Note(material.no_labels)]
    if material.errors is None:
        return [Note(NO_CONFUSION)]
    rows = material.estimates("archive", ["all"])
    parts: list[Any] = [_headline(material, rows[:2]), *_overall(rows), HOW]
    chosen = material.request.by
    for by in (chosen, *(name for name in ("thread", "author", "year") if name != chosen)):
        parts += _division(material, by)
    return parts


def _headline(material: Material, rows: list[dict[str, Any]]) -> str:
    where = f"{rows[0]['sentences']} sentences of {_threads(rows[0]['threads'])}"
    said = [f"{percent(row['estimate'])}{_within(row)} are {row['label']}" for row in rows]
    known = f"The machine's errors are taken out as far as they are known from {_source(material)}."
    return f"Of {where}, " + "; ".join(said) + f". {known}"


def _source(material: Material) -> str:
    return material.errors.source if material.errors is not None else "nothing"


def _threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"


def _within(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f" (95 % interval {100 * row['low']:.1f} to {percent(row['high'])})"


def _overall(rows: list[dict[str, Any]]) -> list[Any]:
    labels = [row["label"] for row in rows]
    values = [[_value(row)] for row in rows]
    title = "Share of sentences by label"
    cells = tuple(
        (r["label"], percent(r["called"]), percent(r["estimate"]), _interval(r["low"], r["high"])) for r in rows
    )
    return [
        interval_plot("overall", title, labels, [""], values, colour_rows=True),
        Table(f"{title}, in numbers", ("Label", "Called by the machine", "Corrected", "95 % interval"), cells),
    ]


def _value(row: dict[str, Any]) -> Value:
    return Value(row["estimate"], row["low"], row["high"], row["called"])


def _interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{100 * low:.1f}–{percent(high)}"


def _division(material: Material, by: str) -> list[Any]:
    """A plot and a table of the largest groups (of years the latest), and a line on what was left out."""
    from cli.jobs.estimate import MIN_AUTHOR_SENTENCES

    if material.calls is None:
        return []
    sizes = material.calls.sizes(by)
    names = [n for n, count in sizes.items() if by != "author" or count >= MIN_AUTHOR_SENTENCES]
    if by == "year":
        names = sorted(names)[-MAX_GROUPS:]
    title, _ = TITLES[by]
    if not names:
        why = f"no author has {MIN_AUTHOR_SENTENCES} sentences" if by == "author" else f"no entry has its {by}"
        return [Note(f"{title}: {why}.")]
    few, left = len(sizes) - len(names), max(0, len(names) - MAX_GROUPS)
    more = [f"{left} smaller ones are not shown: chorus estimate --by {by}."] if left else []
    more += (
        [f"{few} authors with fewer than {MIN_AUTHOR_SENTENCES} sentences are left out."]
        if few and by == "author"
        else []
    )
    unknown = len(material.calls) - sum(sizes.values())
    more += [f"{unknown} sentences of entries that do not say their {by} are left out."] if unknown else []
    more += [f"{few} earlier years are not shown: chorus estimate --by year."] if few and by == "year" else []
    return shares_of(material, by, names[:MAX_GROUPS], " ".join(more) or None)


def shares_of(material: Material, by: str, names: list[str], more: str | None = None) -> list[Any]:
    """Plot and table of some groups of a division."""
    if material.calls is None:
        return []
    labels = material.calls.labels
    found = material.estimates(by, names)
    groups = [found[n : n + len(labels)] for n in range(0, len(found), len(labels))]
    links = [_link(material, by, rows[0][by]) for rows in groups]
    values = [[_value(row) for row in rows] for rows in groups]
    title, head = TITLES[by]
    many = () if by == "thread" else ("Threads",)
    cells = [
        (link, rows[0]["sentences"], *([] if by == "thread" else [rows[0]["threads"]]), *(_cell(row) for row in rows))
        for link, rows in zip(links, groups, strict=True)
    ]
    table = Table(f"{title}, in numbers", (head, "Sentences", *many, *labels), tuple(cells), more=more)
    return [_plot(by, title, [link.text for link in links], labels, values), table]


def _plot(by: str, title: str, names: list[str], labels: tuple[str, ...], values: list[list[Value]]) -> Plot:
    if by == "year" and len(names) > 1:
        return year_plot(f"by-{by}", title, *_without_gaps(names, values), labels)
    return interval_plot(f"by-{by}", title, names, labels, values)


def _without_gaps(years: list[str], values: list[list[Value]]) -> tuple[list[str], list[list[Value]]]:
    """The years with those between that have no sentence, so that time runs evenly; left alone where the gaps are wide."""
    if not all(re.fullmatch("[0-9]{4}", year) for year in years) or int(years[-1]) - int(years[0]) > MAX_YEARS:
        return years, values
    known = dict(zip(years, values, strict=True))
    every = [f"{year:04}" for year in range(int(years[0]), int(years[-1]) + 1)]
    return every, [known.get(year, [Value(None)] * len(values[0])) for year in every]


def _link(material: Material, by: str, group: str) -> Link:
    if by != "thread":
        return Link(group, None)
    place = material.census.corpus.threads[group]
    return Link(place.title or place.url, place.url)


def _cell(row: dict[str, Any]) -> str:
    """Three lines: corrected, its interval if there is one, called."""
    interval = "" if row["low"] is None else f"{_interval(row['low'], row['high'])}\n"
    return f"{percent(row['estimate'])}\n{interval}called {percent(row['called'])}"


# -- depth, role, answers ------------------------------------------------------------------------------------------


def structure(material: Material) -> Section:
    """By depth and role, and whether promotion is answered."""
    return Section("structure", "By depth and role", tuple(_structure(material)))


def _structure(material: Material) -> list[Any]:
    from cli.report.census import LEVELS, ROLES
    from cli.report.replies import reciprocity

    calls = material.calls
    if calls is None:
        return [Note(material.no_labels)]
    parts: list[Any] = []
    if material.errors is None:
        parts.append(Note(NO_CONFUSION))
    else:
        for by, order in (("level", LEVELS), ("role", ROLES)):
            there = calls.sizes(by)
            parts += shares_of(material, by, [name for name in order if name in there])
    return [*parts, *_answers(reciprocity(material.census, calls))]


def _answers(found: Reciprocity) -> list[Any]:
    if not found.threads:
        return [Note("Who gets answers cannot be told: no thread has a comment under a comment.")]
    title = "Who gets answers: direct replies to a comment, by what it does"
    rows = [row for row in found.rows if row.comments]
    values = [[Value(row.mean, *(row.interval or (None, None)))] for row in rows]
    cells = tuple(
        (row.label, row.comments, row.replies, number(row.mean), _plain_interval(row.interval), _share(row))
        for row in rows
    )
    columns = ("Comments that are", "Comments", "Replies", "Replies a comment", "95 % interval", "With any reply")
    names = [f"{row.label} (n = {row.comments})" for row in rows]
    return [
        f"A comment counts under the first label, in the codebook's order, that one of its sentences surely bears. Counted are "
        f"visible direct replies, in the {found.threads} of {_threads(found.of)} where comments stand under comments. "
        f"Early comments get more replies than late ones; nothing is adjusted for that.",
        *([interval_plot("answers", title, names, [""], values, shown=number, colour_rows=True)] if rows else []),
        Table(f"{title}, in numbers", columns, cells),
        _verdict(found),
    ]


def _share(row: Any) -> str:
    return percent(row.answered / row.comments)


def _plain_interval(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.2f}–{interval[1]:.2f}"


def _verdict(found: Reciprocity) -> str:
    first, second = found.rows[:2]
    if found.difference is None:
        return (
            f"Comments that are {first.label} and comments that are {second.label} cannot be compared: one is missing."
        )
    pair = f"replies a comment, {first.label} less {second.label}: {_signed(found.difference)}"
    if found.interval is None:
        return f"Difference in {pair} (too few threads for an interval)."
    low, high = found.interval
    sure = "fewer" if high < 0 else "more" if low > 0 else None
    verdict = f"{first.label} gets {sure} replies" if sure else "no clear difference"
    return f"Difference in {pair} (95 % interval {_signed(low)} to {_signed(high)}): {verdict}."


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")
