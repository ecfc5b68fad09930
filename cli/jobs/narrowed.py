"""Which entries of an archive a command works on: the filters that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.records import UsageError

if TYPE_CHECKING:
    from store.filters import Condition

#: Entries are narrowed by these fields of a query; labels are what is being made here.
FIELDS = ("site", "author", "kind", "since", "until", "thread")


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """Which entries are meant: the options of ``chorus search`` (``None``: open), and ``where``, a query of fields only."""

    where: str | None = None
    site: str | None = None
    author: str | None = None
    kind: str | None = None
    since: str | None = None
    until: str | None = None
    thread: str | None = None

    def given(self) -> dict[str, str]:
        """The options that were given, for the manifest."""
        found = {name: getattr(self, name) for name in ("where", *FIELDS)}
        return {name: value for name, value in found.items() if value is not None}

    def conditions(self) -> tuple[Condition, ...]:
        """All of them as conditions. Raises ``UsageError`` for a value or a query that makes no sense here."""
        from store.filters import Filter
        from store.query import parse_query

        query = parse_query(self.where or "")
        if query.text or query.without:
            hint = 'author:"Ana Ruiz" kind:comment -site:blog.example after:2012'
            raise UsageError(f"--where {self.where}: takes fields, not words", hint=hint)
        conditions = Filter(**{name: getattr(self, name) for name in FIELDS}, also=query.conditions).conditions()
        if any(condition.field == "label" for condition in conditions):
            raise UsageError("--where label: cannot be used here; labels are what classify makes")
        return conditions
