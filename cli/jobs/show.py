"""Reading threads back out of an archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from store.records import Thread, ThreadDocument


def thread_rows(path: Path, *, site: str | None = None) -> list[dict[str, Any]]:
    """One row a thread, newest capture first."""
    from store.archive import Archive
    from store.tables import Tables

    tables = Tables.open(Archive.open(path))
    found = tables.threads(site=site)
    return [_row(thread) for thread in sorted(found, key=lambda t: (t.captured_at, t.url), reverse=True)]


def _row(thread: Thread) -> dict[str, Any]:
    return {
        "id": thread.thread_id,
        "title": thread.title,
        "site": thread.site,
        "url": thread.url,
        "platform": thread.platform,
        "language": thread.language,
        "comments": thread.captured_count,
        "announced": thread.announced_count,
        "completeness": thread.completeness,
        "completeness_reason": thread.completeness_reason,
        "captured_at": thread.captured_at,
    }


def thread_document(path: Path, name: str) -> ThreadDocument:
    """The thread that ``name`` (an id, the start of one, or a URL) stands for, as its latest visit saw it."""
    from store.archive import Archive
    from store.tables import Tables

    return Tables.open(Archive.open(path)).thread_document(name)
