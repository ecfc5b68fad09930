"""Cutting entries into passages and embedding them, so that search finds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING

from cli.config import resolve
from cli.output import Progress
from store.records import Entry, Passage, Thread, passage_id

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlp.encoder import Encoder
    from nlp.onnx_model import Use
    from store.tables import Tables

#: Passages encoded and written at a time: enough for full batches by length, and a commit about every few seconds.
BATCH = 512

#: Words in a passage at most. nDCG@10 of search by meaning on benchmarks/retrieval: .458 at 120, .480 at 60, .506 at 40 words;
#: below 60 a passage no longer tells on its own what it is about.
PASSAGE_WORDS = 60

#: How much of the title's vector is added to the passage's: nDCG@10 .480 at 0, .511 at 0.3, .496 at 0.5; with the title put
#: before the text instead .485.
TITLE_WEIGHT = 0.3


def open_encoder(use: Use = "bulk") -> Encoder:
    """The configured embedding model, for many texts at once, one query or queries one by one."""
    from nlp.encoder import load_encoder

    return load_encoder(resolve("model").value, use=use)


def index_missing(tables: Tables, *, quiet: bool = False) -> int:
    """Write passages, with their vectors, for every entry that has none yet. Returns how many were added."""
    entries = tables.entries_without_passages()
    first = next(entries, None)
    if first is None:
        if tables.count("passages") and not tables.is_indexed():  # carried over by rebuild, or a run that was killed
            tables.index_passages()
        return 0
    encoder = open_encoder()
    threads = {thread.thread_id: thread for thread in tables.threads()}
    authors = {row["entry_id"]: row["author"] for row in tables.rows("entries", columns=("entry_id", "author"))}
    passages = _passages(chain([first], entries), threads, authors, encoder.fingerprint)
    added = 0
    with Progress("passages embedded", quiet=quiet) as progress:
        while batch := list(islice(passages, BATCH)):
            added += tables.add_passages(batch, embed(encoder, batch))
            progress.step(len(batch))
    tables.index_passages()
    return added


def embed(encoder: Encoder, passages: Sequence[Passage]) -> NDArray[np.float32]:
    """A unit vector for each passage (float32, passages x dimensions): its text, and a little of its thread's title.

    A short reply says nothing of what the talk is about; the title does.
    """
    import numpy as np

    titles = sorted({passage.title for passage in passages if passage.title})
    vectors = encoder.encode([*(passage.text for passage in passages), *titles])
    mixed = vectors[: len(passages)].copy()
    of_title = dict(zip(titles, vectors[len(passages) :], strict=True))
    for n, passage in enumerate(passages):
        if passage.title:
            mixed[n] += TITLE_WEIGHT * of_title[passage.title]
    mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
    return mixed


def _passages(
    entries: Iterable[Entry], threads: dict[str, Thread], authors: dict[str, str | None], fingerprint: str
) -> Iterator[Passage]:
    from nlp.passages import split_passages

    for entry in entries:
        thread = threads.get(entry.thread_id)
        for span in split_passages(entry.text, PASSAGE_WORDS):
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
