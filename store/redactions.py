"""What was erased from an archive, when and by whom: one JSON line an erasure, in ``redactions.jsonl``, only ever added to.

The log must not keep what it is about. Entries appear by their ids; a name or an address only as a keyed hash (HMAC-SHA-256
under the archive's id), which tells whether a given one was erased and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.archive import Archive, write_atomically

LOG_FILE = "redactions.jsonl"

#: A rewrite that is ready and must now be done to its end: the line for the log, and the WARC files to be replaced.
READY_FILE = "redaction.ready.json"

#: What is added to a WARC file's name for the one that will replace it.
FRESH = ".redacted"


def selector_key(archive: Archive, scope: str, value: str) -> str:
    """The hash under which the log knows a name or an address."""
    return "hmac-sha256:" + hmac.new(archive.identity.encode(), f"{scope}:{value}".encode(), hashlib.sha256).hexdigest()


def log_redaction(archive: Archive, row: Mapping[str, Any]) -> None:
    """Add a line; it is on the disk when this returns."""
    with (archive.root / LOG_FILE).open("ab") as stream:
        stream.write(json.dumps(row, ensure_ascii=True).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def fresh_file(archive: Archive, name: str) -> Path:
    """Where the file that will replace the WARC file ``name`` is written: beside it, on the same disk, wherever a link leads."""
    place = (archive.warc_dir / name).resolve()
    return place.with_name(place.name + FRESH)


def replace_files(archive: Archive, names: Sequence[str], row: Mapping[str, Any]) -> None:
    """Replace WARC files by those in their ``fresh_file`` and log it, all or nothing: what is stopped midway is done to its end
    by the next one who writes to the archive."""
    write_atomically(archive.root / READY_FILE, json.dumps({"row": dict(row), "files": list(names)}).encode())
    finish_rewrite(archive)


def finish_rewrite(archive: Archive) -> None:
    """Do what ``replace_files`` was stopped in, if it was. For holders of the lock."""
    place = archive.root / READY_FILE
    try:
        ready = json.loads(place.read_bytes())
    except FileNotFoundError:
        return
    archive.unmark_ingested(ready["files"])  # else a later run would take a new file for a torn old one
    for name in ready["files"]:
        with suppress(FileNotFoundError):  # replaced before
            fresh_file(archive, name).replace((archive.warc_dir / name).resolve())
    log_redaction(archive, ready["row"])
    place.unlink()


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
