"""What is in an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any


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
    return [{"what": what, "value": value} for what, value in values.items()]
