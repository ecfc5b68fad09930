"""The history of a thread, read from the archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from store.records import NothingFound, Thread, UsageError

if TYPE_CHECKING:
    from store.history import Change


@dataclass(frozen=True, slots=True)
class ThreadHistory:
    """A thread, how many visits saw it, and what changed between them, oldest change first."""

    thread: Thread
    visits: tuple[str, ...]
    changes: tuple[Change, ...]


def thread_history(path: Path, name: str, *, since: str | None = None) -> ThreadHistory:
    """Raises ``NothingFound`` where ``name`` (an id, the start of one, or a URL) stands for no thread."""
    from datetime import datetime

    from store.archive import Archive
    from store.history import changes, visits_of
    from store.tables import Tables

    if since is not None:
        try:
            datetime.fromisoformat(since)
        except ValueError:
            raise UsageError(f"--since {since}: not a date", hint="2026-11-23 or 2026-11-23T10:00:00Z") from None
    tables = Tables.open(Archive.open(path))
    thread = tables.thread_document(name).thread
    visits = visits_of(tables, thread.thread_id, since)
    wanted = {revision for visit in visits for revision in visit.revision_ids}
    found = tuple(changes(visits, tables.revisions(sorted(wanted))))
    if not visits:
        raise NothingFound(f"{name}: was never visited")
    return ThreadHistory(thread, tuple(v.captured_at for v in visits), found)
