"""Classifying an archive, or a stream of JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cli.output import Progress
from store.records import LABELS, Entry, Label, UsageError, label_id

if TYPE_CHECKING:
    from nlp.classify import Classification, Classifier
    from store.tables import Tables

#: Entries labelled between two commits: what a crash costs at most is this much work.
ENTRIES_PER_COMMIT = 256

ROLES = {"post": "post"}


@dataclass(slots=True)
class ClassifyReport:
    """How often each label was given: rows with ``label``, ``units``, ``share`` (0 to 1) and ``mean_probability``."""

    rows: list[dict[str, Any]] = field(default_factory=list)


def classify_archive(path: Path, *, unit: str = "sentence", quiet: bool = False) -> ClassifyReport:
    """Label what this model has not labelled yet, in batches; then report over the whole archive."""
    from nlp.classify import Classifier
    from store.archive import Archive
    from store.lock import write_lock
    from store.manifest import RunRecorder
    from store.tables import Tables

    archive = Archive.open(path)
    with write_lock(archive, "classify"):
        tables = Tables.open(archive)
        classifier = Classifier.load()
        with RunRecorder(archive, "classify", parameters={"unit": unit}) as run:
            run.digests.update({"model": classifier.name, "codebook": classifier.codebook})
            run.counts["labels"] = _label_all(tables, classifier, unit, run.run_id, quiet)
        if unit == "sentence":
            _mark_passages(tables, classifier)
        return ClassifyReport(_summary(tables, classifier, unit))


def _label_all(tables: Tables, classifier: Classifier, unit: str, run_id: str, quiet: bool) -> int:
    entries = list(tables.unlabelled_entries(classifier.name, classifier.codebook, unit))
    done = 0
    waiting = iter(entries)
    with Progress("entries classified", len(entries), quiet=quiet) as progress:
        while batch := list(islice(waiting, ENTRIES_PER_COMMIT)):
            labels = list(_labels(batch, classifier, unit, run_id))
            tables.add_labels(labels)
            done += len(labels)
            progress.step(len(batch))
    return done


def _labels(entries: list[Entry], classifier: Classifier, unit: str, run_id: str) -> Iterator[Label]:
    if unit == "entry":
        from nlp.classify import Item

        items = [Item(id=e.revision_id, text=e.text, context=None, role=_role(e)) for e in entries]
        for entry, result in zip(entries, classifier.classify_entries(items), strict=True):
            yield _label(entry, result, classifier, unit, run_id, 0, len(entry.text))
        return
    pairs = [(entry, item) for entry in entries for item in _sentences(entry)]
    results = classifier.classify(item for _, (item, _, _) in pairs)
    for (entry, (_, start, end)), result in zip(pairs, results, strict=True):
        yield _label(entry, result, classifier, unit, run_id, start, end)


def _role(entry: Entry) -> str:
    return ROLES.get(entry.kind, "comment")


def _sentences(entry: Entry) -> Iterator[tuple[Any, int, int]]:
    """The entry's sentences as items, each with the one before it as its context."""
    from nlp.classify import Item
    from nlp.segment import split_sentences

    before: str | None = None
    for span in split_sentences(entry.text):
        name = f"{entry.revision_id}:{span.start}"
        yield Item(id=name, text=span.text, context=before, role=_role(entry)), span.start, span.end
        before = span.text


def _label(
    entry: Entry, result: Classification, classifier: Classifier, unit: str, run_id: str, start: int, end: int
) -> Label:
    return Label(
        label_id=label_id(entry.revision_id, start, end, unit, classifier.name, classifier.codebook),
        run_id=run_id,
        revision_id=entry.revision_id,
        entry_id=entry.entry_id,
        thread_id=entry.thread_id,
        unit=unit,  # type: ignore[arg-type]  # checked by the command
        start=start,
        end=end,
        text=entry.text[start:end],
        label=result.label,
        promo=result.promo,
        share=result.share,
        meta=result.meta,
        probabilities=result.probabilities,
        abstain=result.abstain,
        cues=result.cues,
        model=classifier.name,
        codebook=classifier.codebook,
    )


def _mark_passages(tables: Tables, classifier: Classifier) -> None:
    """Tell each passage which labels its sentences bear, so that search can filter by them."""
    tables.set_passage_labels(classifier.name, classifier.codebook, order=LABELS)


def _summary(tables: Tables, classifier: Classifier, unit: str) -> list[dict[str, Any]]:
    counts = tables.label_counts(classifier.name, classifier.codebook, unit)
    total = sum(count for count, _ in counts.values())
    return [
        {
            "label": name,
            "units": counts.get(name, (0, 0.0))[0],
            "share": counts.get(name, (0, 0.0))[0] / total if total else 0.0,
            "mean_probability": counts[name][1] if name in counts else None,
            "unit": unit,
            "model": classifier.name,
            "codebook": classifier.codebook,
        }
        for name in LABELS
    ]


def classify_lines(source: str, *, unit: str = "sentence", quiet: bool = False) -> Iterator[dict[str, Any]]:
    """Classify JSON lines, one result a line in the same order, with flat memory.

    A line that is no JSON object with ``id`` and ``text`` raises ``UsageError`` naming it; results before it are out by then.
    """
    with _open(source) as lines, Progress("classified", quiet=quiet or source == "-") as progress:
        from nlp.classify import Classifier

        classifier = Classifier.load()
        items = _items(lines, source)
        results = classifier.classify_entries(items) if unit == "entry" else classifier.classify(items)
        for result in results:
            progress.step()
            yield result.to_json()


def _open(source: str) -> IO[bytes]:
    if source == "-":
        return sys.stdin.buffer
    try:
        return Path(source).open("rb")
    except FileNotFoundError as error:
        raise UsageError(f"{source}: no such file") from error
    except IsADirectoryError as error:
        raise UsageError(f"{source}: a directory, not a file") from error


def _items(lines: Iterable[bytes], source: str) -> Iterator[Any]:
    from nlp.classify import Item

    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _parse(line, f"{source}, line {number}")
        role = "post" if row.get("role") == "post" else "comment"
        yield Item(id=str(row["id"]), text=row["text"], context=row.get("context") or None, role=role)


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where}: not JSON", hint='one object a line: {"id": …, "text": …}') from error
    if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("text"), str):
        raise UsageError(
            f"{where}: needs id and text", hint='{"id": "1", "text": "…", "context": null, "role": "comment"}'
        )
    if not isinstance(row.get("context"), str | None):
        raise UsageError(f"{where}: context must be text or null")
    return row
