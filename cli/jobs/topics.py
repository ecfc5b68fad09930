"""Topics of an archive: its passages clustered by the vectors that search uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.mining import BATCH, Corpus, Ids
from cli.jobs.narrowed import Narrowed
from store.records import NothingFound, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlp.mining.topics import Near, TopicCollector

    Block = tuple[list[dict[str, Any]], NDArray[np.float32]]

COLUMNS = ("passage_id", "revision_id", "entry_id", "thread_id", "text", "author", "published", "encoder")

#: Words that name a topic in a list; JSON gives more.
NAME_WORDS, MORE_WORDS = 5, 15


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicsRequest:
    """How many topics (``None``: chosen by silhouette), the seed of the clustering, and passages to show of each."""

    number: int | None = None
    seed: int = 0
    samples: int = 3
    narrowed: Narrowed = field(default_factory=Narrowed)


@dataclass(frozen=True, slots=True)
class TopicsReport:
    """``about``: the vectors' model and how the number was found; ``topics``: largest first."""

    about: dict[str, Any]
    topics: list[dict[str, Any]]


def topics_report(path: Path, request: TopicsRequest) -> TopicsReport:
    """Cluster and name. Reads the passages twice and holds 50,000 vectors at most. Raises ``NothingFound``."""
    from nlp.mining.topics import Sample, TopicCollector, choose_number, find_centres

    if request.number is not None and request.number < 1:
        raise UsageError(f"-n {request.number}: not usable", hint="1 or more, or auto")
    corpus = Corpus(path, request.narrowed)
    source = _Source(corpus)
    sample = Sample()
    for rows, vectors in source:
        sample.add([bytes.fromhex(row["passage_id"]) for row in rows], vectors)
    fitted = sample.vectors()
    if not len(fitted):
        raise _nothing(corpus)
    number, tried = (request.number, {}) if request.number is not None else choose_number(fitted, seed=request.seed)
    collector = TopicCollector(find_centres(fitted, number, seed=request.seed), request.samples)
    spread = _Spread()
    for rows, vectors in source:
        topics = collector.add([row["passage_id"] for row in rows], [row["text"] for row in rows], vectors)
        spread.add(topics.tolist(), rows)
    about = {
        "encoder": source.encoder,
        "passages": sample.seen,
        "passages_fitted": len(fitted),
        "topics": sum(size > 0 for size in collector.sizes),
        "number": "auto" if request.number is None else request.number,
        "silhouettes": {str(n): value for n, value in tried.items()},
        "seed": request.seed,
        "filters": request.narrowed.given(),
    }
    return TopicsReport(about, _topics(corpus, collector, spread, source.encoder))


def _nothing(corpus: Corpus) -> NothingFound:
    if not corpus.tables.count("passages"):
        return NothingFound("the archive holds no passages yet", hint="chorus harvest URL")
    return corpus.nothing("no passage of the archive meets these filters")


# -- reading ---------------------------------------------------------------------------------------------------


class _Source:
    """The passages of current, visible entries with their vectors, in blocks; can be gone through again.

    They come from the memory maps that search uses, where these stand for the tables; else from the tables.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._revisions = Ids(row["revision_id"] for row in corpus.entries([]))
        self.encoder: str | None = None

    def __iter__(self) -> Iterator[Block]:
        for rows, vectors in self._light() or self._tables():
            inside = self._revisions.places([row["revision_id"] for row in rows]) >= 0
            kept = [row for row, wanted in zip(rows, inside.tolist(), strict=True) if wanted]
            if kept:
                self.encoder = kept[0]["encoder"]
                yield kept, vectors[inside]

    def _light(self) -> Iterator[Block] | None:
        from store.light import FOLDER, LightIndex, read_index
        from store.segment import Labels, Segment

        place = self._corpus.archive.tables_dir
        about = read_index(place)
        if about is None or LightIndex.open(place) is None:
            return None
        folder, sets = place / FOLDER, about["label_sets"]
        segments = [Segment(folder / part["file"], Labels(folder / part["labels"], sets)) for part in about["segments"]]
        return (
            ([segment.row(n) for n in range(start, stop)], segment.vectors[start:stop])
            for segment in segments
            for start in range(0, segment.rows, BATCH)
            for stop in [min(start + BATCH, segment.rows)]
        )

    def _tables(self) -> Iterator[Block]:
        table = self._corpus.tables.table("passages")
        if table is None:
            return
        for batch in table.search().select([*COLUMNS, "vector"]).to_batches(BATCH):
            size = batch.schema.field("vector").type.list_size
            vectors = batch["vector"].flatten().to_numpy().reshape(-1, size)
            yield batch.select(list(COLUMNS)).to_pylist(), vectors


class _Spread:
    """Who speaks of each topic, where, and from when to when."""

    def __init__(self) -> None:
        self.authors: Counter[int] = Counter()
        self.threads: Counter[int] = Counter()
        self.first: dict[int, str] = {}
        self.last: dict[int, str] = {}
        self._seen: set[tuple[int, str, str]] = set()

    def add(self, topics: list[int], rows: list[dict[str, Any]]) -> None:
        """Take a batch of passages with their topics."""
        for topic, row in zip(topics, rows, strict=True):
            self._once(self.authors, topic, "author", (row["author"] or "").lower())
            self._once(self.threads, topic, "thread", row["thread_id"])
            day = (row["published"] or "")[:10]
            if day:
                self.first[topic] = min(day, self.first.get(topic, day))
                self.last[topic] = max(day, self.last.get(topic, day))

    def _once(self, counter: Counter[int], topic: int, what: str, name: str) -> None:
        if name and (topic, what, name) not in self._seen:
            self._seen.add((topic, what, name))
            counter[topic] += 1


# -- what is told ----------------------------------------------------------------------------------------------


def _topics(corpus: Corpus, collector: TopicCollector, spread: _Spread, encoder: str | None) -> list[dict[str, Any]]:
    from nlp.mining.topics import stop_words_of

    stop = stop_words_of(place.language for place in corpus.threads.values())
    names = collector.names(MORE_WORDS, without=stop)
    order = sorted(range(len(names)), key=lambda n: (-collector.sizes[n], [word for word, _ in names[n]]))
    total = sum(collector.sizes)
    return [
        {
            "topic": number,
            "label": " ".join(word for word, _ in names[n][:NAME_WORDS]) or None,
            "passages": collector.sizes[n],
            "share": round(collector.sizes[n] / total, 4),
            "authors": spread.authors[n],
            "threads": spread.threads[n],
            "first": spread.first.get(n),
            "last": spread.last.get(n),
            "cohesion": round(collector.cohesion(n), 4),
            "words": [{"word": word, "weight": round(weight, 5)} for word, weight in names[n]],
            "samples": _samples(corpus, collector.nearest(n)),
            "encoder": encoder,
        }
        for number, n in enumerate((n for n in order if collector.sizes[n]), 1)
    ]


def _samples(corpus: Corpus, nearest: list[Near]) -> list[dict[str, Any]]:
    columns = ["passage_id", "entry_id", "thread_id", "author", "published", "url", "start", "end"]
    rows = corpus.tables.rows_by_ids("passages", "passage_id", [near.key for near in nearest], columns)
    found = {row["passage_id"]: row for row in rows}
    return [
        {
            "entry_id": row["entry_id"],
            "thread_id": row["thread_id"],
            "author": row["author"],
            "date": row["published"],
            "permalink": row["url"],
            "start": row["start"],
            "end": row["end"],
            "text": near.text,
            "cosine": near.cosine,
        }
        for near in nearest
        if (row := found.get(near.key))
    ]
