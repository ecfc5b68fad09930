"""What stands around an entry in its thread: what it answers, and what answers it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from store.hits import ContextEntry

__all__ = ["around"]


def around(rows: Sequence[dict[str, Any]], entry_id: str, steps: int) -> Iterator[ContextEntry]:
    """Up to ``steps`` entries above ``entry_id``, the nearest last, then up to ``steps`` replies to it in page order.

    ``rows`` are all passages of the thread. Of an entry that was edited only its newest revision counts. A reply to the
    post has the post above it; an entry whose parent has no text ends there.
    """
    newest = _newest_revisions(rows)
    parents = _above(newest, entry_id, steps)
    for n, parts in enumerate(parents):
        yield _entry(parts, "parent", len(parents) - n)
    replies = (parts for parts in newest.values() if _parent_of(parts[0], newest) == entry_id)
    for parts in islice(sorted(replies, key=lambda parts: parts[0]["position"] or 0), steps):
        yield _entry(parts, "reply", 1)


def _newest_revisions(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """For each entry the passages of its newest revision, in order."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["captured_at"] or "", row["revision_id"], row["start"])):
        parts = entries.setdefault(row["entry_id"], [])
        if parts and parts[0]["revision_id"] != row["revision_id"]:
            parts.clear()
        parts.append(row)
    return entries


def _parent_of(row: dict[str, Any], entries: dict[str, list[dict[str, Any]]]) -> str | None:
    if row["parent_id"] or row["kind"] == "post":
        return row["parent_id"] if row["kind"] != "post" else None
    return next((key for key, parts in entries.items() if parts[0]["kind"] == "post"), None)


def _above(entries: dict[str, list[dict[str, Any]]], entry_id: str, steps: int) -> list[list[dict[str, Any]]]:
    """The entries above one, the farthest first."""
    found: list[list[dict[str, Any]]] = []
    seen = {entry_id}
    at = entries.get(entry_id)
    while at and len(found) < steps:
        parent = _parent_of(at[0], entries)
        if parent is None or parent in seen:
            break
        seen.add(parent)
        at = entries.get(parent)
        found += [at] if at else []
    return found[::-1]


def _entry(parts: list[dict[str, Any]], relation: Any, steps: int) -> ContextEntry:
    first = parts[0]
    return ContextEntry(
        relation=relation,
        steps=steps,
        entry_id=first["entry_id"],
        author=first["author"],
        published=first["published"],
        kind=first["kind"],
        url=first["url"],
        text=" ".join(part["text"] for part in parts),
    )
