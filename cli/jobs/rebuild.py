"""Deriving the tables again from the WARC files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.healing import captures_of, commit
from cli.output import Progress, note

if TYPE_CHECKING:
    from store.archive import Archive
    from store.tables import Tables

#: Captures read before their rows are written.
BATCH = 50

TABLES = ("visits", "threads", "entries", "passages", "labels")


def rebuild_tables(path: Path, *, quiet: bool = False) -> list[dict[str, Any]]:
    """Build new tables beside the old ones, then put them in their place. Returns the row counts before and after.

    Labels and vectors of revisions that are still there are carried over, so nothing is classified or embedded twice.
    """
    from cli.jobs.healing import index_new
    from store.archive import Archive
    from store.lock import write_lock
    from store.manifest import RunRecorder
    from store.tables import Tables

    archive = Archive.open(path)
    with write_lock(archive, "rebuild"), RunRecorder(archive, "rebuild") as run:
        old = Tables.open(archive)
        before = {name: old.count(name) for name in TABLES}
        fresh = archive.root / "tables.new"
        shutil.rmtree(fresh, ignore_errors=True)
        new = Tables.open(archive, directory=fresh)
        _read_everything(archive, new, quiet)
        kept = new.adopt(old)
        note(f"kept {kept['labels']} labels and {kept['passages']} vectors of unchanged text", quiet=quiet)
        index_new(new, quiet)
        after = {name: new.count(name) for name in TABLES}
        archive.swap_tables(fresh)
        archive.mark_ingested()
        run.counts.update(after)
    return [{"table": name, "before": before[name], "after": after[name]} for name in TABLES]


def _read_everything(archive: Archive, tables: Tables, quiet: bool) -> None:
    from harvest.warc import heal as heal_warc

    waiting = []
    with Progress("captures read", quiet=quiet) as progress:
        for warc in archive.warcs():
            heal_warc(warc)
            for item in captures_of(warc):
                waiting.append(item)
                progress.step(detail=item.visit.url)
                if len(waiting) >= BATCH:
                    commit(tables, waiting)
                    waiting.clear()
    commit(tables, waiting)
