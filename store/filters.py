"""Search filters: what a passage must be, as SQL for LanceDB and as plain conditions for the light index.

Values become escaped literals in one place; column names are never the user's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import get_args

from store.errors import UsageError
from store.records import EntryKind

__all__ = ["MIN_PREFIX", "Condition", "Filter", "day_after", "is_in", "quote", "starts_with"]

#: How many digits of an id a prefix needs at least.
MIN_PREFIX = 4

KINDS: tuple[str, ...] = get_args(EntryKind)

#: field -> the column that it looks at. ``since`` and ``before`` compare, ``thread`` is a prefix, the others are equal.
COLUMNS = {
    "site": "site",
    "author": "author",
    "kind": "kind",
    "label": "labels",
    "thread": "thread_id",
    "since": "published",
    "before": "published",
}

#: A day, a month or a year, as far as it is given.
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


def quote(value: str) -> str:
    """``value`` as an SQL string literal. A NUL byte cannot stand in one and is refused."""
    if "\0" in value:
        raise UsageError("a filter value may not contain a NUL character")
    clean = value.encode("utf-8", "replace").decode("utf-8")
    return "'" + clean.replace("'", "''") + "'"


def is_in(column: str, values: list[str]) -> str:
    """SQL that holds where ``column`` has one of ``values``."""
    return f"{column} IN ({', '.join(map(quote, values))})" if values else "false"


def starts_with(column: str, prefix: str) -> str:
    """SQL that holds where ``column`` begins with ``prefix`` (taken literally)."""
    return f"starts_with({column}, {quote(prefix)})"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a passage must be, or with ``negated`` must not be: ``field`` is a key of ``COLUMNS``.

    ``values`` are alternatives, in the form that ``of`` gives them. A passage whose column is empty never meets a
    condition, and always meets a negated one.
    """

    field: str
    values: tuple[str, ...]
    negated: bool = False

    @classmethod
    def of(cls, field: str, value: str, *, negated: bool = False) -> Condition:
        """The condition for a value as typed. ``until`` and ``after`` are understood too. Raises ``UsageError``."""
        if "\0" in value:
            raise UsageError("a filter value may not contain a NUL character")
        if field in ("since", "after", "before", "until"):
            _check_date(field, value)
        match field:
            case "site":
                value = value.lower().removeprefix("www.")
            case "author" | "thread":
                value = value.lower()
            case "kind" if value not in KINDS:
                raise UsageError(f"kind {value}: not known", hint="one of " + ", ".join(KINDS))
            case "until":
                field, value = "before", day_after(value)
            case "after":
                field = "since"
        return cls(field, (value,), negated)

    def sql(self) -> str:
        """The condition as SQL."""
        column = COLUMNS[self.field]
        plain = self._sql(column)
        return f"({column} IS NULL OR NOT ({plain}))" if self.negated else plain

    def _sql(self, column: str) -> str:
        values = list(self.values)
        match self.field:
            case "author":
                return is_in(f"lower({column})", values)
            case "label":
                return " OR ".join(f"array_has({column}, {quote(value)})" for value in values)
            case "thread":
                return " OR ".join(starts_with(column, value) for value in values)
            case "since":
                return f"{column} >= {quote(values[0])}"
            case "before":
                return f"{column} < {quote(values[0])}"
        return is_in(column, values)


def _check_date(field: str, value: str) -> None:
    if not _DATE.fullmatch(value):
        raise UsageError(f"{field} {value}: not a date", hint="2012, 2012-12 or 2012-12-05")
    day_after(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a search is narrowed to; ``None`` leaves a field open.

    ``site`` is a host (``www.`` ignored); ``author`` ignores letter case; ``since`` and ``until`` are days, months or years
    (``2012``, ``2012-12``, ``2012-12-05``), both included, compared with the day that the page printed, in its own time
    zone; entries without a date are left out then. ``thread`` is an id or the start of one. ``also`` are further
    conditions, as a query gives them: alternatives where they name the same field, except for dates.
    """

    site: str | None = None
    author: str | None = None
    kind: str | None = None
    label: str | None = None
    since: str | None = None
    until: str | None = None
    thread: str | None = None
    also: tuple[Condition, ...] = ()

    def conditions(self) -> tuple[Condition, ...]:
        """Everything a passage must meet: the fields, then ``also`` with its alternatives joined. All must hold."""
        names = ("site", "author", "kind", "label", "since", "until", "thread")
        given = [(name, getattr(self, name)) for name in names]
        return (*(Condition.of(name, value) for name, value in given if value is not None), *_alternatives(self.also))

    def sql(self) -> str | None:
        """The conditions as SQL, or ``None`` when everything is open."""
        return " AND ".join(f"({condition.sql()})" for condition in self.conditions()) or None


def _alternatives(conditions: tuple[Condition, ...]) -> list[Condition]:
    """Conditions on the same field joined to one (``author:a author:b``); dates and negated ones stay apart."""
    joined: dict[object, Condition] = {}
    for n, condition in enumerate(conditions):
        apart = condition.negated or condition.field in ("since", "before")
        key: object = n if apart else condition.field
        before = joined[key].values if key in joined else ()
        joined[key] = Condition(condition.field, (*before, *condition.values), condition.negated)
    return list(joined.values())


def day_after(moment: str) -> str:
    """The first day, month or year after ``moment``, as text that compares with ISO dates."""
    try:
        parts = [int(part) for part in moment.split("-")]
        if len(parts) == 1:
            return f"{parts[0] + 1:04d}"
        if len(parts) == 2:
            first = date(parts[0], parts[1], 28) + timedelta(days=4)
            return first.strftime("%Y-%m")
        return (date(*parts) + timedelta(days=1)).isoformat()
    except (ValueError, TypeError, OverflowError) as error:
        raise UsageError(f"{moment}: not a date", hint="2012, 2012-12 or 2012-12-05") from error
