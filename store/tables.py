"""The LanceDB tables of an archive. Everything in them can be derived again from its WARC files.

Rows are upserted by their deterministic ids: entries, passages and labels are added once and never overwritten; visits and
threads are replaced by what is newer. Writers hold ``store.lock``; readers need nothing and see the last commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from store.archive import Archive
from store.errors import ArchiveError, ConfigError, NothingFound, UsageError
from store.filters import MIN_PREFIX, is_in, quote, starts_with
from store.records import Entry, Label, Passage, Thread, ThreadDocument, Visit
from store.schema import arrow_schema, from_row, to_row

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

R = TypeVar("R")

#: table -> (record class, key column)
TABLES: dict[str, tuple[type, str]] = {
    "visits": (Visit, "visit_id"),
    "threads": (Thread, "thread_id"),
    "entries": (Entry, "revision_id"),
    "passages": (Passage, "passage_id"),
    "labels": (Label, "label_id"),
}

#: Rows per batch when a whole table is streamed: a few megabytes at a time.
READ_BATCH = 4096

#: Ids in one ``IN (…)``: keeps the condition short enough to parse quickly.
IDS_PER_QUERY = 500


class Tables:
    """The tables of one archive. ``open`` imports LanceDB, which costs about two seconds of CPU."""

    def __init__(self, database: Any, directory: Path) -> None:
        self._database = database
        self._directory = directory
        self._opened: dict[str, Any] = {}

    @classmethod
    def open(cls, archive: Archive, *, directory: Path | None = None) -> Tables:
        """Open the archive's tables, or others in ``directory`` (rebuild makes new ones beside the old)."""
        import lancedb

        place = directory or archive.tables_dir
        place.mkdir(parents=True, exist_ok=True)
        return cls(lancedb.connect(str(place)), place)

    # -- plumbing ----------------------------------------------------------------------------------------------

    def table(self, name: str) -> Any | None:
        """An opened table, or ``None`` if nothing was ever written to it."""
        if name not in self._opened:
            if not (self._directory / f"{name}.lance").is_dir():
                return None
            try:
                self._opened[name] = self._database.open_table(name)
            except (ValueError, OSError, RuntimeError) as error:
                raise ArchiveError(f"table {name} cannot be read ({error})", hint="chorus rebuild") from error
        return self._opened[name]

    def _table_for_writing(self, name: str, schema: pa.Schema) -> Any:
        table = self.table(name)
        if table is None:
            table = self._opened[name] = self._database.create_table(name, schema=schema)
        missing = [schema.field(column) for column in schema.names if column not in table.schema.names]
        if missing:  # a table of an earlier chorus: its rows get the new columns as null
            table.add_columns(missing)
        return table

    def _upsert(self, name: str, records: Sequence[Any], *, replace: bool) -> int:
        """Write records by key; returns how many keys are new."""
        import pyarrow as pa

        if not records:
            return 0
        cls, key = TABLES[name]
        unique = {getattr(record, key): record for record in records}  # merge_insert wants each key once
        schema = arrow_schema(cls)
        data = pa.Table.from_pylist([to_row(record) for record in unique.values()], schema=schema)
        return self._merge(name, data, key, replace=replace)

    def _merge(self, name: str, data: pa.Table, key: str, *, replace: bool) -> int:
        merge = self._table_for_writing(name, data.schema).merge_insert(key)
        if replace:
            merge = merge.when_matched_update_all()
        return int(merge.when_not_matched_insert_all().execute(data).num_inserted_rows)

    def rows(
        self, name: str, where: str | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Rows of a table as plain values, streamed. ``where`` is SQL made by ``store.filters`` only."""
        table = self.table(name)
        if table is None:
            return
        query = table.search()
        if where:
            query = query.where(where)
        chosen = columns or [c for c in table.schema.names if c != "vector"]
        for batch in query.select(list(chosen)).to_batches(READ_BATCH):
            yield from batch.to_pylist()

    def _records(self, name: str, cls: type[R], where: str | None = None) -> Iterator[R]:
        return (from_row(cls, row) for row in self.rows(name, where))

    def count(self, name: str, where: str | None = None) -> int:
        """Number of rows."""
        table = self.table(name)
        return 0 if table is None else int(table.count_rows(where))

    # -- writing -----------------------------------------------------------------------------------------------

    def write(self, visits: Sequence[Visit], threads: Sequence[Thread], entries: Sequence[Entry]) -> int:
        """Write a batch of pages; returns how many entry revisions are new. Visits go last: they make a page count."""
        added = self._upsert("entries", _first_seen(entries), replace=False)
        self._upsert("threads", self._newest(threads), replace=True)
        self._upsert("visits", visits, replace=True)
        return added

    def _newest(self, threads: Sequence[Thread]) -> list[Thread]:
        """Of each thread the latest capture, left out where the table has a later one already."""
        latest: dict[str, Thread] = {}
        for thread in [*self._by_ids("threads", Thread, "thread_id", [t.thread_id for t in threads]), *threads]:
            known = latest.get(thread.thread_id)
            if known is None or thread.captured_at >= known.captured_at:
                latest[thread.thread_id] = thread
        return list(latest.values())

    def add_passages(self, passages: Sequence[Passage], vectors: np.ndarray[Any, Any]) -> int:
        """Add passages with their vectors (float32, one row a passage). All vectors of a table come from one encoder."""
        import pyarrow as pa

        if not passages:
            return 0
        self.require_encoder(passages[0].encoder)
        size = int(vectors.shape[1])
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype("float32").ravel(), pa.float32()), size)
        rows = pa.Table.from_pylist([to_row(passage) for passage in passages], schema=arrow_schema(Passage))
        return self._merge("passages", rows.append_column("vector", column), "passage_id", replace=False)

    def require_encoder(self, fingerprint: str) -> None:
        """Raise ``ConfigError`` if the vectors in the table come from another encoder: they cannot be compared."""
        for row in self.rows("passages", f"encoder <> {quote(fingerprint)}", ["encoder"]):
            raise ConfigError(
                f"the archive's vectors come from {row['encoder']}, the configured model is {fingerprint}",
                hint="use the same model, or remove tables/ and run chorus rebuild",
            )

    def add_labels(self, labels: Sequence[Label]) -> int:
        """Add labels; those already there stay as they are."""
        return self._upsert("labels", labels, replace=False)

    def index_passages(self) -> None:
        """Bring every index up to the rows: LanceDB's own, and the light one that answers without LanceDB."""
        from store.indexing import compact, index_passages
        from store.refresh import refresh

        index_passages(self)
        compact(self, tuple(name for name in TABLES if name != "passages"))
        refresh(self, self._directory)

    def is_indexed(self) -> bool:
        """Whether every index stands for the passages as they are now."""
        from store.light import condition

        return condition(self._directory) == "current"

    def refresh_search(self, *, wait: bool = True, erase: bool = False) -> None:
        """Bring only the light index up to the rows. Raises ``ArchiveLocked`` if another process does and ``wait`` is false.

        ``erase`` removes the files of before at once, so that nothing is left in them of rows that were deleted.
        """
        from store.refresh import KEEP, refresh

        refresh(self, self._directory, wait=wait, keep=0.0 if erase else KEEP)

    def set_passage_labels(self, model: str, codebook: str, *, order: Sequence[str]) -> int:
        """Write on each passage the labels of its sentences, in codebook order, with the first one's best probability.

        Sentences on which the model abstained do not count; the last label of ``order`` is given when no other is.
        Returns how many passages changed.
        """
        import pyarrow as pa

        sentences = self._sentences_by_revision(model, codebook)
        changed = []
        columns = ["passage_id", "revision_id", "start", "end", "labels", "label_probability"]
        for row in self.rows("passages", columns=columns):
            labels, probability = _roll_up(row, sentences.get(row["revision_id"], []), order)
            if labels != row["labels"] or probability != row["label_probability"]:
                changed.append({"passage_id": row["passage_id"], "labels": labels, "label_probability": probability})
        if changed:
            names = ("passage_id", "labels", "label_probability")
            schema = pa.schema([arrow_schema(Passage).field(name) for name in names])
            data = pa.Table.from_pylist(changed, schema=schema)
            self._opened["passages"].merge_insert("passage_id").when_matched_update_all().execute(data)
            self.index_passages()
        return len(changed)

    def _sentences_by_revision(self, model: str, codebook: str) -> dict[str, list[dict[str, Any]]]:
        where = f"unit = 'sentence' AND model = {quote(model)} AND codebook = {quote(codebook)}"
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows("labels", where, ["revision_id", "start", "end", "label", "abstain", "probabilities"]):
            own = next((p["probability"] for p in row["probabilities"] if p["label"] == row["label"]), 0.0)
            found[row["revision_id"]].append({**row, "probability": own, "probabilities": None})
        return found

    def adopt(self, old: Tables) -> dict[str, int]:
        """Take over labels and passages, vectors included, of revisions that are here too. Returns counts by table."""
        known = {row["revision_id"] for row in self.rows("entries", columns=["revision_id"])}
        kept = {}
        for name in ("passages", "labels"):
            kept[name] = 0
            table = old.table(name)
            for batch in table.search().to_batches(READ_BATCH) if table is not None else ():
                kept[name] += self._adopt_batch(name, batch, known)
        return kept

    def _adopt_batch(self, name: str, batch: pa.RecordBatch, known: set[str]) -> int:
        import pyarrow as pa
        import pyarrow.compute as pc

        data = pa.Table.from_batches([batch])
        data = data.filter(pc.is_in(data["revision_id"], value_set=pa.array(sorted(known), pa.string())))
        return self._merge(name, data, TABLES[name][1], replace=False) if data.num_rows else 0

    # -- reading -----------------------------------------------------------------------------------------------

    def threads(self, *, site: str | None = None) -> list[Thread]:
        """All threads, or those of one host."""
        where = None if site is None else f"site = {quote(site.lower().removeprefix('www.'))}"
        return list(self._records("threads", Thread, where))

    def iter_entries(self, where: str | None = None) -> Iterator[Entry]:
        """Entry revisions, streamed."""
        return self._records("entries", Entry, where)

    def visits(self, thread_id: str) -> list[Visit]:
        """The visits that saw a thread, in any order."""
        return list(self._records("visits", Visit, f"thread_id = {quote(thread_id)}"))

    def revisions(self, ids: Sequence[str]) -> dict[str, Entry]:
        """Entry revisions by their ids."""
        return {entry.revision_id: entry for entry in self._by_ids("entries", Entry, "revision_id", list(ids))}

    def has_visit(self, visit_id: str) -> bool:
        """Whether a visit is in the tables."""
        return self.count("visits", f"visit_id = {quote(visit_id)}") > 0

    def captured_urls(self) -> set[str]:
        """The URLs, as asked for, that were captured with success."""
        return {row["url"] for row in self.rows("visits", "outcome <> 'failed'", ["url"])}

    def captured_digests(self) -> set[tuple[str, str]]:
        """Address and digest of every page that was read, to know one when it comes again."""
        return {(visit.url, visit.dom.digest) for visit in self._records("visits", Visit) if visit.dom}

    def outcome_counts(self) -> dict[str, int]:
        """Visits by outcome."""
        counts: dict[str, int] = defaultdict(int)
        for row in self.rows("visits", columns=["outcome"]):
            counts[row["outcome"]] += 1
        return dict(counts)

    def thread_document(self, name: str) -> ThreadDocument:
        """The thread that ``name`` stands for - a thread's or entry's id, the start of one, or a URL - as last seen."""
        return self.document(self._find_thread(name))

    def _find_thread(self, name: str) -> Thread:
        found = self._named(name)
        if len(found) > 1:
            raise UsageError(f"{name}: stands for {len(found)} threads", hint="give more of the id")
        for one in self._by_ids("threads", Thread, "thread_id", list(found)):
            return one
        raise NothingFound(f"{name}: no such thread or entry", hint="chorus threads lists them")

    def _named(self, name: str) -> set[str]:
        """Ids of the threads that ``name`` may mean."""
        if "://" in name:
            where = f"url = {quote(name)} OR canonical_url = {quote(name)}"
            found = {row["thread_id"] for row in self.rows("threads", where, ["thread_id"])}
            visits = self.rows("visits", f"url = {quote(name)} AND thread_id IS NOT NULL", ["thread_id"])
            return found or {row["thread_id"] for row in visits}
        if len(name) < MIN_PREFIX:
            raise UsageError(f"{name}: too short for an id", hint=f"give at least {MIN_PREFIX} characters")
        prefix = name.lower()
        threads = {row["thread_id"] for row in self.rows("threads", starts_with("thread_id", prefix), ["thread_id"])}
        if threads:
            return threads
        where = f"{starts_with('entry_id', prefix)} OR {starts_with('revision_id', prefix)}"
        return {row["thread_id"] for row in self.rows("entries", where, ["thread_id"])}

    def document(self, thread: Thread) -> ThreadDocument:
        """A thread exactly as its latest visit saw it."""
        visits = list(self._records("visits", Visit, f"visit_id = {quote(thread.visit_id or '')}"))
        order = visits[0].revision_ids if visits else ()
        entries = {e.revision_id: e for e in self._by_ids("entries", Entry, "revision_id", list(order))}
        seen = [entries[revision] for revision in order if revision in entries]
        post = next((entry for entry in seen if entry.kind == "post"), None)
        return ThreadDocument(thread, post, tuple(entry for entry in seen if entry is not post))

    def documents(self) -> Iterator[ThreadDocument]:
        """All threads as last seen, by URL."""
        for thread in sorted(self.threads(), key=lambda t: (t.url, t.thread_id)):
            yield self.document(thread)

    def rows_by_ids(
        self, name: str, column: str, ids: Sequence[str], columns: Sequence[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Rows whose ``column`` is one of ``ids``, in any order."""
        for start in range(0, len(ids), IDS_PER_QUERY):
            yield from self.rows(name, is_in(column, list(ids[start : start + IDS_PER_QUERY])), columns)

    def _by_ids(self, name: str, cls: type[R], column: str, ids: list[str]) -> Iterator[R]:
        return (from_row(cls, row) for row in self.rows_by_ids(name, column, ids))

    def entries_without_passages(self) -> Iterator[Entry]:
        """Revisions that search cannot find yet. Those without text have no passages and are left out."""
        done = {row["revision_id"] for row in self.rows("passages", columns=["revision_id"])}
        return (e for e in self.iter_entries() if e.text.strip() and e.revision_id not in done)


def _first_seen(entries: Sequence[Entry]) -> list[Entry]:
    """Of each revision the first capture, so that a batch reads like its pages one by one."""
    first: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda e: e.captured_at):
        first.setdefault(entry.revision_id, entry)
    return list(first.values())


def _roll_up(
    passage: dict[str, Any], sentences: Sequence[dict[str, Any]], order: Sequence[str]
) -> tuple[list[str] | None, float | None]:
    """The labels of the sentences inside a passage, in ``order``, and the best probability of the first."""
    inside = [s for s in sentences if s["start"] < passage["end"] and s["end"] > passage["start"]]
    if not inside:
        return None, None
    best: dict[str, float] = {}
    for sentence in inside:
        if not sentence["abstain"] or sentence["label"] == order[-1]:
            best[sentence["label"]] = max(best.get(sentence["label"], 0.0), sentence["probability"])
    borne = [label for label in order[:-1] if label in best] or [order[-1]]
    return borne, best.get(borne[0])
