"""Bringing the light index up to the tables: new passages become a segment, small segments are joined, labels rewritten.

The tables are read at one version, which the index then stands for; whoever writes meanwhile only makes it old again. Files
that nothing names any more stay for ``KEEP`` seconds, for readers that opened the index before.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from store.archive import write_atomically
from store.errors import ArchiveError, ArchiveLocked
from store.light import FOLDER, FORMAT, INDEX_FILE, read_index, table_state
from store.sections import SectionFile, write_sections
from store.segment_build import ID_BYTES, SHOWN, SegmentBuilder, pack_ids

if TYPE_CHECKING:
    import pyarrow as pa

    from store.tables import Tables

__all__ = ["KEEP", "Refreshed", "refresh"]

#: Rows of one segment at most: bounds the memory that writing one takes (about 1 GB) and what joining costs.
MAX_ROWS = 262_144

#: A segment is joined with new rows that make up at least this share of it: each row is then written O(log n) times.
JOIN_SHARE = 0.5

#: Seconds for which a file that is no longer named stays.
KEEP = 600.0

READ_BATCH = 4_096

#: From so many revisions on, the entries are read from end to end instead of looked up.
LOOKED_UP = 2_000

#: Columns of ``entries`` that a hit shows.
_PLACE = ("revision_id", "parent_id", "position", "depth", "state", "is_post_author", "captured_at", "evidence")

LOCK_FILE = ".lock"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: rows in the index, rows written, segments now."""

    rows: int
    written: int
    segments: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """Every passage of the table at one version: id, row id, labels."""

    ids: NDArray[np.bytes_]
    row_ids: NDArray[np.uint64]
    codes: NDArray[np.uint16]
    probabilities: NDArray[np.float64]
    label_sets: list[list[str] | None]


@contextmanager
def _alone(folder: Path, wait: bool) -> Iterator[None]:
    """Only one process refreshes at a time; others wait, or are told. Readers and writers of the tables are not held up."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise ArchiveLocked(f"{folder}: another process is indexing", hint="wait until it is done") from None
        yield
    finally:
        os.close(descriptor)


def refresh(tables: Tables, directory: Path, *, wait: bool = True, keep: float = KEEP) -> Refreshed | None:
    """Make the light index below ``directory`` stand for the passages as they are now; ``None`` if there are none.

    If another process does the same, waits for it, or raises ``ArchiveLocked`` unless ``wait``. ``keep`` 0 removes at once
    what is no longer named: for erasure, where no reader's comfort counts.
    """
    table = tables.table("passages")
    if table is None:
        return None
    folder = directory / FOLDER
    with _alone(folder, wait):
        table.checkout_latest()
        state = table_state(directory, int(table.version))
        old = read_index(directory)
        if old is not None and old["state"] == state and _whole(folder, old):
            return Refreshed(_total(old), 0, len(old["segments"]))
        found = _all_rows(table)
        kept, rest = _split(folder, old, found)
        fresh = list(_write(tables, table, folder, found, rest))
        segments = [*kept, *fresh]
        about = {
            "format": FORMAT,
            "state": state,
            "encoder": _encoder(table),
            "classified": any(found.label_sets),
            "label_sets": found.label_sets,
            "segments": [_with_labels(folder, segment, found) for segment in segments],
        }
        write_atomically(folder / INDEX_FILE, json.dumps(about).encode())
        _clean(folder, old, about, keep)
        return Refreshed(len(found.ids), len(rest), len(segments))


def _total(about: dict[str, Any]) -> int:
    return sum(int(segment["rows"]) for segment in about["segments"])


def _whole(folder: Path, about: dict[str, Any]) -> bool:
    """Whether every file of the index is there and complete."""
    try:
        for segment in about["segments"]:
            for name in (segment["file"], segment["labels"]):
                SectionFile(folder / name)
    except (OSError, ArchiveError, ValueError):
        return False
    return True


def _encoder(table: Any) -> str | None:
    rows = table.search().select(["encoder"]).limit(1).to_list()
    return str(rows[0]["encoder"]) if rows else None


# -- the tables' side ------------------------------------------------------------------------------------------


def _all_rows(table: Any) -> _Rows:
    ids, row_ids, labels, probabilities = [], [], [], []
    query = table.search().select(["passage_id", "labels", "label_probability"]).with_row_id(True)
    for batch in query.to_batches(READ_BATCH):
        ids.append(pack_ids(batch["passage_id"].to_pylist()))
        row_ids.append(batch["_rowid"].to_numpy().astype(np.uint64))
        labels += [None if names is None else tuple(names) for names in batch["labels"].to_pylist()]
        probabilities.append(np.array(batch["label_probability"].to_pylist(), np.float64))
    sets = sorted(set(labels), key=lambda names: (names is not None, names or ()))
    numbers = {names: n for n, names in enumerate(sets)}
    return _Rows(
        np.concatenate(ids) if ids else np.zeros(0, f"S{ID_BYTES}"),
        np.concatenate(row_ids) if row_ids else np.zeros(0, np.uint64),
        np.array([numbers[names] for names in labels], np.uint16),
        np.concatenate(probabilities) if probabilities else np.zeros(0, np.float64),
        [None if names is None else list(names) for names in sets],
    )


def _split(folder: Path, old: dict[str, Any] | None, found: _Rows) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    """Old segments that stay as they are, and the numbers of the rows that go into new ones."""
    kept = []
    for segment in old["segments"] if old else ():
        ids = _segment_ids(folder, segment)
        if ids is not None and np.isin(ids, found.ids).all():
            kept.append((segment, ids))
    covered = np.concatenate([ids for _, ids in kept]) if kept else found.ids[:0]
    waiting = int((~np.isin(found.ids, covered)).sum())
    kept.sort(key=lambda item: len(item[1]))
    while waiting and kept and waiting >= JOIN_SHARE * len(kept[0][1]) and waiting + len(kept[0][1]) <= MAX_ROWS:
        waiting += len(kept.pop(0)[1])
    covered = np.concatenate([ids for _, ids in kept]) if kept else found.ids[:0]
    return [segment for segment, _ in kept], np.flatnonzero(~np.isin(found.ids, covered))


def _segment_ids(folder: Path, segment: dict[str, Any]) -> NDArray[np.bytes_] | None:
    try:
        return SectionFile(folder / segment["file"]).array("passage_id")
    except (OSError, ArchiveError, ValueError, KeyError):
        return None


# -- writing ---------------------------------------------------------------------------------------------------


def _write(tables: Tables, table: Any, folder: Path, found: _Rows, rest: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """Write the rows as segments of at most ``MAX_ROWS``."""
    for start in range(0, len(rest), MAX_ROWS):
        builder = SegmentBuilder()
        chosen = rest[start : start + MAX_ROWS]
        places: dict[str, dict[str, Any]] | None = _scan_places(tables) if len(chosen) > LOOKED_UP else None
        for at in range(0, len(chosen), READ_BATCH):
            row_ids = found.row_ids[chosen[at : at + READ_BATCH]].tolist()
            _take(tables, table.take_row_ids(row_ids).to_arrow(), builder, places)
        name = f"{uuid.uuid4().hex}.segment"
        builder.finish(folder / name)
        yield {"file": name, "rows": len(chosen)}


def _take(tables: Tables, data: pa.Table, builder: SegmentBuilder, places: dict[str, dict[str, Any]] | None) -> None:
    size = data.schema.field("vector").type.list_size
    vectors = data["vector"].combine_chunks().flatten().to_numpy().reshape(-1, size)
    columns = [name for name in SHOWN if name in data.schema.names]
    rows = data.select(columns).to_pylist()
    if places is None:
        places = _look_up_places(tables, sorted({row["revision_id"] for row in rows}))
    builder.add([{**row, **places.get(row["revision_id"], {})} for row in rows], vectors)


def _scan_places(tables: Tables) -> dict[str, dict[str, Any]]:
    return {row["revision_id"]: row for row in tables.rows("entries", columns=_PLACE)}


def _look_up_places(tables: Tables, revisions: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {row["revision_id"]: row for row in tables.rows_by_ids("entries", "revision_id", revisions, _PLACE)}


def _with_labels(folder: Path, segment: dict[str, Any], found: _Rows) -> dict[str, Any]:
    """The segment's entry in the index, its labels written unless a file says the same already."""
    ids = SectionFile(folder / segment["file"]).array("passage_id")
    order = np.argsort(found.ids)
    at = order[np.searchsorted(found.ids, ids, sorter=order)]
    arrays: dict[str, NDArray[Any]] = {"codes": found.codes[at], "probabilities": found.probabilities[at]}
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()[:16]
    name = f"{Path(segment['file']).stem}-{digest}.labels"
    if not (folder / name).exists():
        temporary = folder / f"{uuid.uuid4().hex}.tmp"
        write_sections(temporary, arrays, {})
        temporary.replace(folder / name)
    return {"file": segment["file"], "rows": segment["rows"], "labels": name}


def _clean(folder: Path, old: dict[str, Any] | None, new: dict[str, Any], keep: float) -> None:
    """Remove what nothing has named for ``keep`` seconds; what was named until now begins to wait."""
    named, before = _names(new), _names(old) if old else set()
    for path in folder.iterdir():
        if path.name in named or path.name in (INDEX_FILE, LOCK_FILE):
            continue
        if path.name in before and keep:
            os.utime(path)
        elif time.time() - path.stat().st_mtime >= keep:
            path.unlink(missing_ok=True)


def _names(about: dict[str, Any]) -> set[str]:
    return {segment[key] for segment in about["segments"] for key in ("file", "labels")}
