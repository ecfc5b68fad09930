"""The rows that text mining reads: of every thread what its latest visit saw, visible, narrowed as asked, streamed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.narrowed import Narrowed
from store.records import NothingFound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from store.archive import Archive
    from store.tables import Tables

#: Rows looked up together.
BATCH = 4096

#: Up to so many threads the tables leave the others out themselves.
LISTED_THREADS = 500


@dataclass(frozen=True, slots=True)
class Place:
    """What is needed of an entry's thread."""

    site: str
    title: str | None
    url: str
    language: str | None


class Ids:
    """A set of ids, 16 bytes each, that answers for many at once: where each stands in it, or that it does not."""

    def __init__(self, ids: Iterable[str]) -> None:
        import numpy as np

        from store.segment_build import ID_BYTES, pack_ids

        rest, parts = iter(ids), []
        while batch := list(islice(rest, BATCH)):
            parts.append(pack_ids(batch))
        self._sorted = np.unique(np.concatenate(parts)) if parts else np.zeros(0, f"S{ID_BYTES}")

    def __len__(self) -> int:
        return len(self._sorted)

    def places(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """For each id its number in the set, -1 where it is not in it."""
        import numpy as np

        from store.segment_build import pack_ids

        if not len(self._sorted) or not ids:
            return np.full(len(ids), -1, np.int64)
        wanted = pack_ids(ids)
        at = np.minimum(np.searchsorted(self._sorted, wanted), len(self._sorted) - 1)
        return np.where(self._sorted[at] == wanted, at, -1)


class Corpus:
    """An archive's current, visible entries, narrowed. Needs 16 bytes an entry of the archive; the rest streams.

    Opening raises ``ArchiveError`` where there is no archive and ``UsageError`` for a filter that makes no sense.
    """

    def __init__(self, path: Path, narrowed: Narrowed | None = None) -> None:
        from store.archive import Archive

        self._conditions = (narrowed or Narrowed()).conditions()
        self.archive: Archive = Archive.open(path)

    @cached_property
    def tables(self) -> Tables:
        """The archive's tables; the first use imports LanceDB."""
        from store.tables import Tables

        return Tables.open(self.archive)

    @cached_property
    def threads(self) -> dict[str, Place]:
        """The threads of the site asked for, or all."""
        where = " AND ".join(c.sql() for c in self._conditions if c.field == "site") or None
        columns = ["thread_id", "site", "title", "url", "language"]
        return {
            row["thread_id"]: Place(row["site"], row["title"], row["url"], row["language"])
            for row in self.tables.rows("threads", where, columns)
        }

    @cached_property
    def _current(self) -> Ids:
        """The revisions that the latest visit of each thread saw."""
        latest = {row["visit_id"] for row in self.tables.rows("threads", columns=["visit_id"])}
        visits = self.tables.rows("visits", "thread_id IS NOT NULL", ["visit_id", "revision_ids"])
        return Ids(one for row in visits if row["visit_id"] in latest for one in row["revision_ids"] or ())

    def entries(self, columns: Sequence[str], where: str | None = None) -> Iterator[dict[str, Any]]:
        """Rows of the entries, in the table's order, ``thread_id`` and ``revision_id`` always among the columns.

        ``where`` is further SQL made by ``store.filters``.
        """
        names = sorted({*columns, "thread_id", "revision_id"})
        rows = self.tables.rows("entries", self._where(where), names)
        while batch := list(islice(rows, BATCH)):
            places = self._current.places([row["revision_id"] for row in batch])
            yield from (
                row for row, place in zip(batch, places, strict=True) if place >= 0 and row["thread_id"] in self.threads
            )

    def _where(self, more: str | None) -> str:
        from store.filters import is_in

        parts = ["state = 'visible'", *(f"({c.sql()})" for c in self._conditions if c.field != "site")]
        if any(c.field == "site" for c in self._conditions) and len(self.threads) <= LISTED_THREADS:
            parts.append(is_in("thread_id", list(self.threads)))
        return " AND ".join([*parts, f"({more})"] if more else parts)

    def nothing(self, what: str = "no entry of the archive meets these filters") -> NothingFound:
        """The error to raise where nothing was found, with the hint that fits."""
        if not self.tables.count("entries"):
            return NothingFound("the archive holds no entries yet", hint="chorus harvest URL")
        return NothingFound(what, hint="other words or fewer filters; chorus threads shows what is there")


class SentenceLabels:
    """What a model says of the sentences of some entries: of each entry the newest run that labelled it.

    A run labels the sentences of an entry together, so runs are never mixed within one. Where the model abstained a sentence
    bears no label, unless it would have been the codebook's last, which stands for none of the others.
    """

    def __init__(self, corpus: Corpus, revisions: Ids) -> None:
        import numpy as np

        from store.manifest import list_runs

        self._tables, self._revisions = corpus.tables, revisions
        self._order = {run.run_id: n for n, run in enumerate(list_runs(corpus.archive), 1)}
        self._unknown: dict[str, int] = {}
        self._newest = np.full(len(revisions), np.iinfo(np.int64).min, np.int64)
        for batch, places in self._batches(["revision_id", "run_id"]):
            ranks = np.array([self._rank(row["run_id"]) for row in batch], np.int64)
            inside = places >= 0
            np.maximum.at(self._newest, places[inside], ranks[inside])
        self.models: dict[str, int] = {}
        self._residuals: dict[str, str] = {}
        self.abstained = 0

    def _rank(self, run: str) -> int:
        """Runs in the order of their start; those whose manifest is lost come before all others, in the order met."""
        if run in self._order:
            return self._order[run]
        return self._unknown.setdefault(run, len(self._unknown) - 1_000_000_000)

    def _residual(self, model: str) -> str:
        """The last label of the codebook that a model reads: probabilities stand in its order."""
        from store.filters import quote

        if model not in self._residuals:
            row = next(iter(self._tables.rows("labels", f"model = {quote(model)}", ["probabilities"])))
            self._residuals[model] = row["probabilities"][-1]["label"]
        return self._residuals[model]

    def _batches(self, columns: Sequence[str]) -> Iterator[tuple[list[dict[str, Any]], NDArray[np.int64]]]:
        rows = self._tables.rows("labels", "unit = 'sentence'", columns)
        while batch := list(islice(rows, BATCH)):
            yield batch, self._revisions.places([row["revision_id"] for row in batch])

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each sentence with its entry's number in ``revisions``: ``label``, ``text``, ``start``, ``end``, ``model``.

        Counts by model go to ``models``, sentences without a label to ``abstained``.
        """
        columns = ["revision_id", "run_id", "label", "abstain", "start", "end", "text", "model"]
        self.models, self.abstained = {}, 0
        for batch, places in self._batches(columns):
            for row, place in zip(batch, places.tolist(), strict=True):
                if place < 0 or self._rank(row["run_id"]) != self._newest[place]:
                    continue
                self.models[row["model"]] = self.models.get(row["model"], 0) + 1
                if row["abstain"] and row["label"] != self._residual(row["model"]):
                    self.abstained += 1
                else:
                    yield place, row
