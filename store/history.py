"""What changed in a thread between visits: comments added, edited, removed, moved to another parent.

Derived from what each visit saw (``Visit.revision_ids``); nothing is stored for it, so a rebuild gives the same history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from store.records import Entry, Evidence, Visit

if TYPE_CHECKING:
    from store.tables import Tables

ChangeKind = Literal["added", "edited", "removed", "re-parented", "returned"]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a change: the entry's revision, and the visit that saw it with the record of its rendered page."""

    entry: Entry
    visit_id: str
    captured_at: str
    dom: Evidence | None


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one entry between two visits.

    ``before`` is ``None`` for what is new, ``after`` for what is gone; ``at`` is when the later visit saw it so. An edit
    that also moves the entry is one change of kind ``edited``.
    """

    kind: ChangeKind
    entry_id: str
    at: str
    before: Side | None
    after: Side | None

    def to_json(self) -> dict[str, Any]:
        """Plain values; each side with its text and the WARC record that it was read from."""
        return {
            "change": self.kind,
            "entry_id": self.entry_id,
            "at": self.at,
            "before": _side_json(self.before),
            "after": _side_json(self.after),
        }


def _side_json(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    entry = side.entry
    names = ("revision_id", "kind", "author", "published", "parent_id", "state", "text", "url")
    evidence = side.dom or entry.evidence
    cited = None
    if evidence is not None:
        cited = {name: getattr(evidence, name) for name in ("warc", "offset", "record_id", "digest")}
    return {
        **{name: getattr(entry, name) for name in names},
        "visit_id": side.visit_id,
        "captured_at": side.captured_at,
        "evidence": cited,
    }


def visits_of(tables: Tables, thread_id: str, since: str | None = None) -> list[Visit]:
    """The visits that saw a thread, oldest first; with ``since`` (an ISO date) those from then on and the one before."""
    visits = sorted(tables.visits(thread_id), key=lambda v: (v.captured_at, v.visit_id))
    if since is None:
        return visits
    first = next((n for n, v in enumerate(visits) if v.captured_at >= since), len(visits))
    return visits[max(first - 1, 0) :]


def changes(visits: Sequence[Visit], entries: dict[str, Entry]) -> Iterator[Change]:
    """What changed from each visit to the next. ``entries`` has every revision that the visits name.

    A visit that saw only part of the thread proves no removal: what it does not show stays as it was.
    """
    known: dict[str, Side] = {}
    gone: dict[str, Side] = {}
    for number, visit in enumerate(visits):
        now = {
            entries[name].entry_id: Side(entries[name], visit.visit_id, visit.captured_at, visit.dom)
            for name in visit.revision_ids
            if name in entries
        }
        if number:
            yield from _between(known, gone, now, visit)
        known.update(now)
        for name in now:
            gone.pop(name, None)


def _between(known: dict[str, Side], gone: dict[str, Side], now: dict[str, Side], visit: Visit) -> Iterator[Change]:
    for name, side in now.items():
        before = known.get(name)
        if before is None:
            kind: ChangeKind = "returned" if name in gone else "added"
            yield Change(kind, name, visit.captured_at, gone.get(name), side)
        elif before.entry.revision_id != side.entry.revision_id:
            yield Change(_kind(before.entry, side.entry), name, visit.captured_at, before, side)
    if visit.completeness == "partial":
        return
    for name in [name for name in known if name not in now]:
        gone[name] = known.pop(name)
        yield Change("removed", name, visit.captured_at, gone[name], None)


def _kind(before: Entry, after: Entry) -> ChangeKind:
    if after.state == "deleted" and before.state != "deleted":
        return "removed"
    same = (before.text, before.author, before.state) == (after.text, after.author, after.state)
    return "re-parented" if same else "edited"
