"""What is in an archive."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harvest.frontier import Trouble
    from store.archive import Archive

#: Pages and hosts in trouble that are listed one by one.
MAX_TROUBLES = 50


def archive_status(path: Path) -> list[dict[str, Any]]:
    """Rows of ``what`` and ``value``."""
    from store.archive import Archive
    from store.manifest import list_runs
    from store.tables import Tables

    archive = Archive.open(path)
    tables = Tables.open(archive)
    threads = tables.threads()
    visits = tables.outcome_counts()
    completeness = [thread.completeness for thread in threads]
    runs = list_runs(archive)
    values = {
        "archive": str(archive.root.resolve()),
        "visits": sum(visits.values()),
        "visits failed": visits.get("failed", 0),
        "threads": len(threads),
        "threads complete": completeness.count("complete"),
        "threads partial": completeness.count("partial"),
        "threads of unknown completeness": completeness.count("unknown"),
        "comments": sum(thread.captured_count for thread in threads),
        "entry revisions": tables.count("entries"),
        "passages": tables.count("passages"),
        "labels": tables.count("labels"),
        "WARC files": len(archive.warcs()),
        "WARC bytes": sum(warc.stat().st_size for warc in archive.warcs()),
        "table bytes": sum(f.stat().st_size for f in archive.tables_dir.rglob("*") if f.is_file()),
        "last run": f"{runs[-1].command} {runs[-1].started_at} {runs[-1].status}" if runs else None,
    }
    values |= _queue(archive)
    return [{"what": what, "value": value} for what, value in values.items()]


def _queue(archive: Archive) -> dict[str, Any]:
    """What is queued, due and failing, and why, from the frontier."""
    from harvest.frontier import Frontier

    if not archive.frontier_file.is_file():
        return {}
    with Frontier(archive.frontier_file, read_only=True) as frontier:
        now = time.time()
        stats = frontier.stats(now)
        troubles = list(frontier.troubles(MAX_TROUBLES))
        held = [host for host in frontier.hosts() if host.error]
    values: dict[str, Any] = {
        "pages queued": stats.ready + stats.leased + stats.parked,
        "pages due for another visit": stats.due,
        "pages waiting or failed": stats.waiting + stats.failed,
    }
    values |= {f"trouble: {one.url}": _trouble(one) for one in troubles}
    return values | {f"host: {one.host}": one.error for one in held[:MAX_TROUBLES]}


def _trouble(one: Trouble) -> str:
    when = f"; next try {_date(one.due_at)}" if one.due_at else ""
    return f"{one.error} ({one.attempts} tries{when})"


def _date(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
