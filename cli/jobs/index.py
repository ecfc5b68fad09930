"""Cutting entries into passages and embedding them, so that search finds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from cli.config import resolve
from cli.output import Progress
from store.records import Entry, Passage, Thread, passage_id

if TYPE_CHECKING:
    from nlp.encoder import Encoder
    from store.tables import Tables

#: Passages encoded and written at a time: enough for full batches by length, and a commit about every few seconds.
BATCH = 512


def open_encoder() -> Encoder:
    """The configured embedding model."""
    from nlp.encoder import load_encoder

    return load_encoder(resolve("model").value)


def index_missing(tables: Tables, *, quiet: bool = False) -> int:
    """Write passages, with their vectors, for every entry that has none yet. Returns how many were added."""
    entries = list(tables.entries_without_passages())
    if not entries:
        return 0
    encoder = open_encoder()
    threads = {thread.thread_id: thread for thread in tables.threads()}
    authors = {entry.entry_id: entry.author for entry in tables.iter_entries()}
    passages = _passages(entries, threads, authors, encoder.fingerprint)
    added = 0
    with Progress("passages embedded", quiet=quiet) as progress:
        while batch := list(islice(passages, BATCH)):
            added += tables.add_passages(batch, encoder.encode([passage.text for passage in batch]))
            progress.step(len(batch))
    tables.index_passages()
    return added


def _passages(
    entries: Iterable[Entry], threads: dict[str, Thread], authors: dict[str, str | None], fingerprint: str
) -> Iterator[Passage]:
    from nlp.passages import split_passages

    for entry in entries:
        thread = threads.get(entry.thread_id)
        for span in split_passages(entry.text):
            yield Passage(
                passage_id=passage_id(entry.revision_id, span.start, span.end),
                revision_id=entry.revision_id,
                entry_id=entry.entry_id,
                thread_id=entry.thread_id,
                start=span.start,
                end=span.end,
                text=span.text,
                title=thread.title if thread else None,
                site=thread.site if thread else "",
                author=entry.author,
                kind=entry.kind,
                published=entry.published,
                url=entry.url or (thread.url if thread else None),
                parent_author=authors.get(entry.parent_id) if entry.parent_id else None,
                encoder=fingerprint,
            )
