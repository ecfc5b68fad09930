"""Captures into tables, in batches; and what an interrupted run left taken up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cli.jobs.ingest import Ingested, read_capture
from cli.output import note
from store.records import ArchiveError, ModelUnavailable

if TYPE_CHECKING:
    from harvest.warc import Healed
    from store.archive import Archive
    from store.tables import Tables

#: Captures read before their rows are written.
BATCH = 50


def commit(tables: Tables, items: Iterable[Ingested]) -> None:
    """Write visits, threads and entries in one batch."""
    from store.records import Entry, Thread

    batch = list(items)
    threads: list[Thread] = [item.document.thread for item in batch if item.document]
    entries: list[Entry] = [entry for item in batch if item.document for entry in item.document.entries]
    if batch:
        tables.write([item.visit for item in batch], threads, entries)


def index_new(tables: Tables, quiet: bool) -> None:
    """Embed what is new. Without a model the harvest still stands; full-text search and a later run make up for it."""
    from cli.jobs.index import index_missing

    try:
        index_missing(tables, quiet=quiet)
    except ModelUnavailable as error:
        note(f"harvested, but not searchable yet: {error}" + (f" - {error.hint}" if error.hint else ""))


def heal(
    archive: Archive, tables: Tables, *, quiet: bool = False, taken_up: Callable[[Ingested], None] = lambda _: None
) -> int:
    """Take up what an interrupted run left: cut torn WARC tails, read captures whose rows are missing. Returns their number.

    ``taken_up`` is called with each once it is in the tables.
    """
    from harvest.warc import heal as heal_warc

    healed = 0
    for warc, start in archive.warcs_to_ingest():
        tell_of_healing(warc, heal_warc(warc, start), quiet)
        items = [item for item in captures_of(warc, start) if not tables.has_visit(item.visit.visit_id)]
        commit(tables, items)
        for item in items:
            taken_up(item)
        healed += len(items)
    if healed:
        note(f"{healed} pages of an interrupted run were taken up from the WARC files", quiet=quiet)
    archive.mark_ingested()
    return healed


def tell_of_healing(warc: Path, healed: Healed, quiet: bool) -> None:
    """Say what was cut off a file, and where it is damaged."""
    if healed.cut:
        note(f"{warc.name}: an interrupted write was cut off ({healed.cut} bytes)", quiet=quiet)
    if healed.damaged is not None:
        note(
            f"{warc.name}: damaged at byte {healed.damaged}; the records behind it are read (chorus verify tells more)"
        )


def captures_of(warc: Path, start: int = 0) -> Iterator[Ingested]:
    """Every capture that a WARC file holds from a byte offset on, read anew."""
    from harvest.visit import captures_from_warc

    try:
        for capture in captures_from_warc(warc, start=start):
            yield read_capture(capture)
    except OSError as error:
        raise ArchiveError(f"{warc}: cannot be read ({error})") from error
