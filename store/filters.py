"""Search filters as SQL. Values become escaped literals in one place; column names are never the user's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from store.errors import UsageError

#: How many digits of an id a prefix needs at least.
MIN_PREFIX = 4


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a search is narrowed to; ``None`` leaves a field open.

    ``site`` is a host (``www.`` ignored); ``author`` ignores letter case; ``since`` and ``until`` are days, months or years
    (``2012``, ``2012-12``, ``2012-12-05``), both included, compared with the day that the page printed, in its own time
    zone; entries without a date are left out then. ``thread`` is an id or the start of one.
    """

    site: str | None = None
    author: str | None = None
    kind: str | None = None
    label: str | None = None
    since: str | None = None
    until: str | None = None
    thread: str | None = None

    def sql(self) -> str | None:
        """The condition, or ``None`` when everything is open."""
        parts = []
        if self.site is not None:
            parts.append(f"site = {quote(self.site.lower().removeprefix('www.'))}")
        if self.author is not None:
            parts.append(f"lower(author) = {quote(self.author.lower())}")
        if self.kind is not None:
            parts.append(f"kind = {quote(self.kind)}")
        if self.label is not None:
            parts.append(f"array_has(labels, {quote(self.label)})")
        if self.since is not None:
            parts.append(f"published >= {quote(self.since)}")
        if self.until is not None:
            parts.append(f"published < {quote(day_after(self.until))}")
        if self.thread is not None:
            parts.append(starts_with("thread_id", self.thread))
        return " AND ".join(parts) or None


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
