"""What is to be coded: the units of a sample, and the entries that they answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.archive import Archive
from store.records import ChorusError, NothingFound, UsageError

if TYPE_CHECKING:
    from store.records import Entry
    from store.tables import Tables

#: Sides of a sample, and the roles that a unit can have.
SPLITS, ROLES = ("dev", "test"), ("post", "comment")


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a sample: ``number`` is its place among those to code (from 1), ``row`` its line as it was read."""

    number: int
    row: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Its id as text."""
        return str(self.row["id"])

    @property
    def text(self) -> str:
        """What is to be coded."""
        return str(self.row["text"])

    @property
    def context(self) -> str | None:
        """The sentence before, where there is one."""
        return self.row.get("context")

    @property
    def role(self) -> str | None:
        """``post`` or ``comment``, where the sample says so."""
        return self.row.get("role")


@dataclass(frozen=True, slots=True)
class Answered:
    """The entry that a comment answers. Whose it is, is not said."""

    kind: str
    text: str


def read_sample(path: str, split: str | None = None) -> list[Unit]:
    """The units of a sample, or of one side of it. Raises ``UsageError`` naming the line, ``NothingFound`` for none."""
    rows: list[dict[str, Any]] = []
    lines: dict[str, int] = {}
    for number, row in _sample_rows(path):
        key = str(row["id"])
        if key in lines:
            raise UsageError(f"{path}: line {number}: id {key!r} is that of line {lines[key]}")
        lines[key] = number
        if split is None or row.get("split") == split:
            rows.append(row)
    if not rows:
        side = f" on the {split} side" if split and lines else ""
        raise NothingFound(f"{path}: no units{side} in it", hint="chorus sample > to-code.jsonl")
    return [Unit(number, row) for number, row in enumerate(rows, 1)]


def _sample_rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (IsADirectoryError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text") from error
    for number, line in enumerate(text.split("\n"), 1):  # texts may hold other line ends
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}: line {number} is not JSON", hint="`chorus sample` writes the form") from error
        wrong = _wrong(row)
        if wrong:
            raise UsageError(f"{path}: line {number} {wrong}", hint="`chorus sample` writes the form")
        yield number, row


def _wrong(row: Any) -> str | None:
    """What keeps a line from being a unit."""
    if not isinstance(row, dict):
        return "is no JSON object"
    missing = [name for name in ("id", "text") if row.get(name) is None]
    if missing:
        return f"has no {missing[0]}"
    if isinstance(row["id"], bool) or not isinstance(row["id"], str | int) or row["id"] == "":
        return "has an id that is neither text nor a whole number"
    if not isinstance(row["text"], str) or not row["text"].strip():
        return "has a text without anything in it"
    if not isinstance(row.get("context"), str | None):
        return "has a context that is no text"
    if row.get("role") not in (None, *ROLES):
        return f"has a role that is none of {', '.join(ROLES)}"
    return None


class Parents:
    """Looks up which entry a comment answers, in the archive if there is one. ``trouble`` says why it cannot be told."""

    def __init__(self, archive: Archive | None, trouble: str | None = None) -> None:
        self._archive, self.trouble = archive, trouble
        self._tables: Tables | None = None
        self._thread: tuple[str, dict[str, Entry]] | None = None

    def of(self, unit: Unit) -> Answered | None:
        """The entry that the unit's comment answers; ``None`` for a post, or where the archive does not tell."""
        thread, name = unit.row.get("thread_id"), unit.row.get("entry_id")
        if self._archive is None or unit.role == "post" or not (thread and name):
            return None
        try:
            entries = self._entries(str(thread))
        except (NothingFound, UsageError):
            return None
        except ChorusError as error:  # tables can be made anew: no reason to keep people from coding
            self.trouble = str(error)
            self._archive = None
            return None
        own = entries.get(str(name))
        if own is None or own.kind == "post":
            return None
        parent = entries.get(own.parent_id) if own.parent_id else _post(entries)
        if parent is None:
            return None
        return Answered(parent.kind, parent.text if parent.state == "visible" else f"({parent.state})")

    def _entries(self, thread: str) -> dict[str, Entry]:
        """The thread's entries by id. Units of a thread follow each other in a sample, so the last one is kept."""
        from store.tables import Tables

        if self._thread is None or self._thread[0] != thread:
            if self._tables is None:
                assert self._archive is not None  # noqa: S101 - seen to by the caller
                self._tables = Tables.open(self._archive)
            document = self._tables.thread_document(thread)
            self._thread = (thread, {entry.entry_id: entry for entry in document.entries})
        return self._thread[1]


def _post(entries: Mapping[str, Entry]) -> Entry | None:
    return next((entry for entry in entries.values() if entry.kind == "post"), None)
