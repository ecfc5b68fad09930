"""Classifying a file: JSON lines, CSV, TSV or Parquet in, one result for each row out, in the same order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.batch_input import InputRow, Source, count_rows, in_chunks, input_digest, read_rows
from cli.jobs.batch_output import INPUT_PATH, FileRun, ResultFile, Shape, result_file, result_format
from cli.output import Progress, note
from store.records import UsageError

if TYPE_CHECKING:
    from nlp.cache import CachedEncoder
    from nlp.classify import Classifier, Item

#: Rows judged and written together: what a crash costs at most, and enough texts of each length for full batches.
CHUNK = 1_024

#: A chunk ends early when its texts fill so many characters, so that memory stays flat with long entries.
CHUNK_CHARACTERS = 1_000_000

#: More than this is no sentence: the model reads its first 256 word pieces, the cues its first 2,000 characters.
LONGEST_SENTENCE = 20_000

#: What rows without a label are counted under.
NOT_CLASSIFIED = "not classified"

#: What rows on which the model abstained are counted under, besides their label.
ABSTAINED = "abstained"

#: Has words and cues, so that every column of its result has a value of its type.
EXAMPLE = "Thank you for sharing this, Ana."


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRequest:
    """What to classify and how: ``cache`` keeps embeddings on disk, ``model`` is a classifier's directory, ``costs`` as in
    ``Classifier.load``, ``engine`` as in ``open_classifier``."""

    source: Source
    unit: str = "sentence"
    explain: bool = False
    cache: bool = True
    quiet: bool = False
    model: Path | None = None
    costs: Mapping[str, float] | None = None
    engine: str = "local"


@dataclass(frozen=True, slots=True)
class FileReport:
    """What a result file holds: rows of ``label``, ``rows``, ``share`` (0 to 1) and ``abstained`` (on how many of them the model
    abstained; ``None`` if a version that did not count them began the file), and how many rows were not classified."""

    rows: list[dict[str, Any]]
    failed: int


@dataclass(slots=True)
class Outcome:
    """What came of it: how often each label was given, on how many rows the model abstained, how many were not classified,
    and the first one's error. ``shape`` is that of the rows, told when the first one is out."""

    labels: Counter[str] = field(default_factory=Counter)
    abstained: int = 0
    failed: int = 0
    first_error: str | None = None
    shape: Shape = field(default_factory=lambda: Shape((), {}))

    def count(self, row: dict[str, Any]) -> None:
        """Take one result into account."""
        if row["label"] is None:
            self.failed += 1
            self.first_error = self.first_error or row["error"]
        else:
            self.labels[row["label"]] += 1
            self.abstained += row["abstain"]

    def tell(self, *, quiet: bool = False) -> None:
        """Say on stderr on how much the model abstained, and what was not classified."""
        if self.abstained:
            note(f"the model abstained on {self.abstained} of {_rows_said(self.labels.total())}", quiet=quiet)
        if self.failed:
            were = "was" if self.failed == 1 else "were"
            first = f"; first: {self.first_error}" if self.first_error else ""
            note(f"{_rows_said(self.failed)} {were} not classified, their results say why{first}", quiet=quiet)


def _rows_said(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


class Judge:
    """The classifier with its cached encoder, for rows in chunks."""

    def __init__(self, classifier: Classifier, encoder: CachedEncoder, request: InputRequest) -> None:
        self._encoder, self._request = encoder, request
        self._told: dict[str, int] = {}
        self.classifier = classifier
        items = [self._item(EXAMPLE)]
        classifier.hold(items)
        example = next(self._results(items))
        self.shape = Shape((*example, "error"), example)

    def judge(self, chunk: list[InputRow]) -> list[dict[str, Any]]:
        """One result for each row: the model's, or one that says why there is none."""
        from nlp.page import on_pages

        items = on_pages([row.item for row in chunk if row.item is not None], str(chunk[0].number))
        self.classifier.hold(self._sentences(items))
        results = self._results(items)
        return [self._failed(row) if row.item is None else next(results) for row in chunk]

    def encoder_counts(self) -> dict[str, int]:
        """How many texts were encoded, and what came from the cache since the last call."""
        now = {
            "texts encoded": self._encoder.encoded,
            "texts from cache": self._encoder.found,
            "sentences from cache": self.classifier.recalled,
        }
        before, self._told = self._told, now
        return {name: value - before.get(name, 0) for name, value in now.items()}

    def _results(self, items: list[Item]) -> Iterator[dict[str, Any]]:
        entries = self._request.unit == "entry"
        found = self.classifier.classify_entries(items) if entries else self.classifier.classify(items)
        for item, result in zip(items, found, strict=True):
            row = result.to_json()
            if self._request.explain:
                self._explain(item, row)
            yield row

    def _sentences(self, items: list[Item]) -> Iterator[Item]:
        """What will be judged."""
        from nlp.classify import sentences_of

        for item in items:
            if self._request.unit == "entry":
                yield from sentences_of(item)
            else:
                yield item

    def _failed(self, row: InputRow) -> dict[str, Any]:
        known: dict[str, Any] = {
            "id": row.id,
            "cues": [],
            "model": self.classifier.name,
            "codebook": self.classifier.codebook,
        }
        blank = {name: None for name in self.shape.columns if name != "explain"}
        return {**blank, **known, "error": row.error}

    def _explain(self, item: Item, row: dict[str, Any]) -> None:
        """Add ``explain`` to a result: to an entry its cues, and to each of its sentences what the heads made of it."""
        before = item.context
        sentences = row.get("sentences")
        for sentence in sentences or ():
            sentence["explain"] = {
                "contributions": self._contributions(self._item(sentence["text"], before, item.role))
            }
            before = sentence["text"]
        row["explain"] = {"cues": _with_acts(row["cues"])}
        if sentences is None:
            row["explain"]["contributions"] = self._contributions(item)

    def _contributions(self, item: Item) -> list[dict[str, Any]] | None:
        """What each part of the model gave, where the classifier can say."""
        explain = getattr(self.classifier, "explain", None)
        return list(explain(item)) if explain is not None else None

    @staticmethod
    def _item(text: str, context: str | None = None, role: str = "comment") -> Item:
        from nlp.classify import Item

        return Item("", text, context, role)


def _with_acts(cues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cues, each with what it speaks for: ``promo``, ``share``, ``meta`` or ``none``."""
    from nlp.cues import cue_acts

    acts = cue_acts()
    return [{**cue, "act": acts.get(cue["type"], "none")} for cue in cues]


@contextmanager
def _judge(request: InputRequest) -> Iterator[Judge]:
    from cli.jobs.model import open_classifier

    opened = open_classifier(request.model, keep=request.cache, costs=request.costs, engine=request.engine)
    with opened as (classifier, encoder):
        yield Judge(classifier, encoder, request)
        if encoder.trouble:
            note(f"embeddings were not kept: {encoder.trouble}", quiet=request.quiet)


def _rows(request: InputRequest) -> Iterator[InputRow]:
    return read_rows(request.source, longest=LONGEST_SENTENCE if request.unit == "sentence" else None)


def classify_rows(request: InputRequest, outcome: Outcome) -> Iterator[dict[str, Any]]:
    """Results as they come, with flat memory; ``outcome`` fills on the way.

    A file that cannot be used raises ``UsageError`` naming the place, one without rows ``NothingFound``; results before it
    are out by then.
    """
    chunks = in_chunks(_rows(request), CHUNK, CHUNK_CHARACTERS)
    chunk = next(chunks, None)  # before the model is loaded: a wrong file is told at once
    total = count_rows(request.source) if not request.quiet else None
    with _judge(request) as judge, Progress("rows classified", total, quiet=request.quiet) as progress:
        outcome.shape = judge.shape
        while chunk:
            for row in judge.judge(chunk):
                outcome.count(row)
                yield row
            progress.step(len(chunk))
            chunk = next(chunks, None)


def classify_file(request: InputRequest, out: Path) -> FileReport:
    """Classify into ``out``, going on where an earlier run of the same stopped.

    Raises ``UsageError`` if the file was begun with another input, model or option, ``ArchiveLocked`` while another
    process writes to it, ``NothingFound`` if there are no rows.
    """
    _check(request, out)
    digest = input_digest(request.source)
    with _judge(request) as judge:
        digests = {"model": judge.classifier.name, "codebook": judge.classifier.codebook}
        run = FileRun(out, _parameters(request), {**digests, **({"input": digest} if digest else {})})
        with result_file(run, judge.shape) as result:
            if result is None:
                note(f"{out}: is whole already", quiet=request.quiet)
            else:
                _fill(result, run, judge, request)
                result.finish()
                run.status = "partial" if run.counts.get(NOT_CLASSIFIED) else "done"
        return FileReport(_summary(run.counts, judge.classifier.labels), run.counts.get(NOT_CLASSIFIED, 0))


def _check(request: InputRequest, out: Path) -> None:
    """Find what is wrong before the model is loaded and anything is written."""
    result_format(out)
    if not out.parent.is_dir():
        raise UsageError(f"--out {out}: there is no directory {out.parent}")
    if request.source.path == "-":
        return
    if out.exists() and out.resolve() == Path(request.source.path).resolve():
        raise UsageError(f"--out {out}: is the input itself")
    next(_rows(request), None)


def _parameters(request: InputRequest) -> dict[str, Any]:
    source = request.source
    columns = {"text_column": source.text_column, "id_column": source.id_column}
    path = source.path if source.path == "-" else str(Path(source.path).resolve())
    return {
        INPUT_PATH: path,
        "unit": request.unit,
        "explain": request.explain,
        "costs": dict(request.costs or {}),
        **columns,
    }


def _fill(result: ResultFile, run: FileRun, judge: Judge, request: InputRequest) -> None:
    """Append what is still missing."""
    done, outcome = run.counts["rows"], Outcome()
    if done:
        note(f"{run.out}: going on after row {done}", quiet=request.quiet)
    total = count_rows(request.source) if not request.quiet else None
    chunks = in_chunks(islice(_rows(request), done, None), CHUNK, CHUNK_CHARACTERS)
    with Progress("rows classified", total - done if total else None, quiet=request.quiet) as progress:
        for chunk in chunks:
            started = time.monotonic()
            rows, counts = judge.judge(chunk), judge.encoder_counts()
            for row in rows:
                outcome.count(row)
            counts.update(Counter(row["label"] or NOT_CLASSIFIED for row in rows))
            counts.update(_abstentions(rows) if not done or ABSTAINED in run.counts else {})
            counts["milliseconds"] = round(1000 * (time.monotonic() - started))
            result.append(rows, counts)
            progress.step(len(chunk))
    outcome.tell(quiet=request.quiet)


def _abstentions(rows: list[dict[str, Any]]) -> dict[str, int]:
    """On how many rows the model abstained, in all and of each label."""
    found = Counter(_abstained(row["label"]) for row in rows if row["abstain"])
    return {ABSTAINED: found.total(), **found}


def _abstained(label: str) -> str:
    """What rows of this label on which the model abstained are counted under."""
    return f"{label}, {ABSTAINED}"


def _summary(counts: dict[str, int], labels: tuple[str, ...]) -> list[dict[str, Any]]:
    names = [*labels, *([NOT_CLASSIFIED] if counts.get(NOT_CLASSIFIED) else [])]
    total = max(counts["rows"], 1)
    return [
        {
            "label": name,
            "rows": counts.get(name, 0),
            "share": counts.get(name, 0) / total,
            "abstained": counts.get(_abstained(name), 0) if ABSTAINED in counts else None,
        }
        for name in names
    ]
