"""Deriving the tables again from the WARC files: in several processes, resumable, with an account of what changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.healing import captures_of, commit, tell_of_healing
from cli.jobs.ingest import Ingested
from cli.output import Progress, note

if TYPE_CHECKING:
    from store.archive import Archive
    from store.tables import Tables

#: Captures read before their rows are written.
BATCH = 50

#: Table -> its key, in the order reported.
KEYS = {
    "visits": "visit_id",
    "threads": "thread_id",
    "entries": "revision_id",
    "passages": "passage_id",
    "labels": "label_id",
}

#: Which WARC files the new tables hold already, and by which extractors.
STATE_FILE = "rebuilt.json"


def rebuild_tables(path: Path, *, workers: int | None = None, quiet: bool = False) -> list[dict[str, Any]]:
    """Build new tables beside the old ones, then put them in their place.

    Returns a row a table: how many rows ``before`` and ``after``, how many of them ``added`` and ``removed``. Labels and
    vectors of revisions that are still there are carried over, so nothing is classified or embedded twice. A rebuild that
    was interrupted goes on where it stopped, if the extractors are still the same.
    """
    from store.archive import Archive
    from store.lock import write_lock
    from store.manifest import RunRecorder

    archive = Archive.open(path)
    with write_lock(archive, "rebuild"), RunRecorder(archive, "rebuild") as run:
        run.digests["extractors"] = extractors_digest()
        rows = replace_tables(archive, run.digests["extractors"], workers, quiet)
        run.counts.update({row["table"]: row["after"] for row in rows})
    return rows


def replace_tables(
    archive: Archive, extractors: str, workers: int | None = None, quiet: bool = False
) -> list[dict[str, Any]]:
    """What ``rebuild_tables`` does, for one who holds the archive's lock."""
    from cli.jobs.healing import index_new
    from store.tables import Tables

    old = Tables.open(archive)
    before = {name: _keys(old, name) for name in KEYS}
    fresh = archive.root / "tables.new"
    done = _state(fresh, extractors)
    new = Tables.open(archive, directory=fresh)
    _read_everything(archive, new, done, extractors, workers or os.cpu_count() or 1, quiet)
    kept = new.adopt(old)
    note(f"kept {kept['labels']} labels and {kept['passages']} vectors of unchanged text", quiet=quiet)
    index_new(new, quiet)
    after = {name: _keys(new, name) for name in KEYS}
    (fresh / STATE_FILE).unlink(missing_ok=True)
    archive.swap_tables()
    archive.mark_ingested()
    return [_row(name, before[name], after[name]) for name in KEYS]


def _row(name: str, before: set[str], after: set[str]) -> dict[str, Any]:
    return {
        "table": name,
        "before": len(before),
        "after": len(after),
        "added": len(after - before),
        "removed": len(before - after),
    }


def _keys(tables: Tables, name: str) -> set[str]:
    return {row[KEYS[name]] for row in tables.rows(name, columns=[KEYS[name]])}


def extractors_digest() -> str:
    """SHA-256 over the code and rules that turn captures into rows: what a rebuild's result depends on beside the WARCs."""
    root = Path(__file__).parents[2] / "harvest"
    digest = hashlib.sha256()
    for file in sorted(f for f in root.rglob("*") if f.suffix in (".py", ".toml", ".js")):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _state(fresh: Path, extractors: str) -> dict[str, int]:
    """WARC files (and their sizes) that an interrupted rebuild has read; begins anew where other code did."""
    try:
        found = json.loads((fresh / STATE_FILE).read_bytes())
    except (FileNotFoundError, ValueError):
        found = {}
    if found.get("extractors") != extractors:
        shutil.rmtree(fresh, ignore_errors=True)
        return {}
    return dict(found["files"])


def _read_everything(
    archive: Archive, tables: Tables, done: dict[str, int], extractors: str, workers: int, quiet: bool
) -> None:
    from harvest.warc import heal as heal_warc
    from store.archive import write_atomically

    files = archive.warcs()
    for warc in files:
        tell_of_healing(warc, heal_warc(warc), quiet)
    todo = [warc for warc in files if done.get(warc.name) != warc.stat().st_size]
    if done:
        note(f"{len(files) - len(todo)} of {len(files)} WARC files were read by an interrupted rebuild", quiet=quiet)
    parts = max(1, -(-workers // max(len(todo), 1)))
    with Progress("captures read", quiet=quiet) as progress, _pool(workers) as pool:
        read = partial(_read_part, parts=parts)
        tasks = [(warc, part) for warc in todo for part in range(parts)]
        results = pool.map(read, tasks)
        for warc in todo:
            items = sorted((item for _ in range(parts) for item in next(results)), key=lambda pair: pair[0])
            for batch in _batches([item for _, item in items]):
                commit(tables, batch)
                progress.step(len(batch), detail=warc.name)
            done[warc.name] = warc.stat().st_size
            state = {"extractors": extractors, "files": done}
            write_atomically(archive.root / "tables.new" / STATE_FILE, json.dumps(state).encode())


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))  # LanceDB's threads do not survive a fork


def _read_part(task: tuple[Path, int], *, parts: int) -> list[tuple[int, Ingested]]:
    """Every ``parts``-th capture of a file, with its number in it."""
    warc, part = task
    return list(_numbered(warc, part, parts))


def _numbered(warc: Path, part: int, parts: int) -> Iterator[tuple[int, Ingested]]:
    from cli.jobs.ingest import read_capture
    from harvest.visit import captures_from_warc

    if parts == 1:
        yield from enumerate(captures_of(warc))
        return
    for number, capture in enumerate(captures_from_warc(warc)):
        if number % parts == part:
            yield number, read_capture(capture)


def _batches(items: list[Ingested]) -> Iterator[list[Ingested]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
