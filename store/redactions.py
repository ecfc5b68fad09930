"""What was erased from an archive, when and by whom: one JSON line an erasure, in ``redactions.jsonl``, only ever added to.

The log must not keep what it is about. Entries appear by their ids; a name or an address only as a keyed hash (HMAC-SHA-256
under the archive's id), which tells whether a given one was erased and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store.archive import Archive

LOG_FILE = "redactions.jsonl"


def selector_key(archive: Archive, scope: str, value: str) -> str:
    """The hash under which the log knows a name or an address."""
    return "hmac-sha256:" + hmac.new(archive.identity.encode(), f"{scope}:{value}".encode(), hashlib.sha256).hexdigest()


def log_redaction(archive: Archive, row: Mapping[str, Any]) -> None:
    """Add a line; it is on the disk when this returns."""
    with (archive.root / LOG_FILE).open("ab") as stream:
        stream.write(json.dumps(row, ensure_ascii=True).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


@dataclass(frozen=True, slots=True)
class Erased:
    """What the log says was erased so far: entries by id, selectors by their keys."""

    entries: frozenset[str]
    selectors: frozenset[str]


def erased(archive: Archive) -> Erased:
    """Everything that was ever erased. A last line that was cut off counts for nothing."""
    entries: set[str] = set()
    selectors: set[str] = set()
    try:
        lines = (archive.root / LOG_FILE).read_bytes().split(b"\n")
    except FileNotFoundError:
        return Erased(frozenset(), frozenset())
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        entries.update(row.get("entries", ()))
        selectors.add(row.get("selector", ""))
    return Erased(frozenset(entries), frozenset(selectors - {""}))
