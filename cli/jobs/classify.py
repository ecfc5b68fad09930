"""Classifying an archive: every entry that this model has not labelled yet, in batches that can be interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.narrowed import Narrowed
from cli.output import Progress, note
from store.records import Entry, Label, NothingFound, label_id

if TYPE_CHECKING:
    from nlp.cache import CachedEncoder
    from nlp.classify import Classification, Classifier, Item
    from store.filters import Condition
    from store.manifest import RunRecorder
    from store.tables import Tables

#: Entries labelled between two commits: what a crash costs at most is this much work.
ENTRIES_PER_COMMIT = 1_024

ROLES = {"post": "post"}


@dataclass(slots=True)
class ClassifyReport:
    """How often each label was given: rows with ``label``, ``units``, ``share`` (0 to 1), ``mean_probability``, ``abstained``
    (on how many of the units the model abstained) and the ``filters`` that chose their entries."""

    rows: list[dict[str, Any]] = field(default_factory=list)


def classify_archive(
    path: Path,
    *,
    unit: str = "sentence",
    quiet: bool = False,
    narrowed: Narrowed | None = None,
    cache: bool = True,
    model: Path | None = None,
    costs: Mapping[str, float] | None = None,
    engine: str = "local",
) -> ClassifyReport:
    """Label what this model has not labelled yet, in batches; then report over all that it has labelled.

    ``narrowed`` leaves other entries for another time and out of the report; raises ``NothingFound`` if it leaves none.
    ``cache`` keeps embeddings on disk; ``model`` is a classifier's directory, ``costs`` as in ``Classifier.load``, ``engine``
    as in ``open_classifier``.
    """
    from cli.jobs.model import open_classifier
    from store.archive import Archive
    from store.lock import write_lock
    from store.manifest import RunRecorder
    from store.tables import Tables

    choice = narrowed or Narrowed()
    conditions = choice.conditions()
    archive = Archive.open(path)
    opened = open_classifier(model, keep=cache, costs=costs, engine=engine)
    with write_lock(archive, "classify"), opened as (classifier, encoder):
        tables = Tables.open(archive)
        where = _where(tables, conditions)
        with RunRecorder(archive, "classify", parameters={"unit": unit, **_given(costs), **choice.given()}) as run:
            run.digests.update({"model": classifier.name, "codebook": classifier.codebook})
            _label_all(tables, classifier, encoder, unit, where, run, quiet)
        if encoder.trouble:
            note(f"embeddings were not kept: {encoder.trouble}", quiet=quiet)
        if unit == "sentence":
            _mark_passages(tables, classifier)
        chosen = _chosen(tables, where, quiet) if conditions else None
        return ClassifyReport(_summary(tables, classifier, unit, chosen, choice.given()))


def _given(costs: Mapping[str, float] | None) -> dict[str, Any]:
    return {"costs": dict(costs)} if costs else {}


def _where(tables: Tables, conditions: Iterable[Condition]) -> str:
    """SQL for the visible entries that meet the conditions. Raises ``NothingFound`` if none does."""
    from store.filters import is_in

    parts = ["state = 'visible'"]
    for condition in conditions:
        if condition.field == "site":
            where = f"site IS NOT NULL AND {condition.sql()}"
            threads = [row["thread_id"] for row in tables.rows("threads", where, ["thread_id"])]
            parts.append(is_in("thread_id", threads))
        else:
            parts.append(f"({condition.sql()})")
    where = " AND ".join(parts)
    if len(parts) > 1 and not tables.count("entries", where):
        raise NothingFound("no entry of the archive meets these filters", hint="chorus threads shows what is there")
    return where


def _own(classifier: Classifier, unit: str) -> str:
    """SQL for the labels that this model, reading its codebook, gave to such units."""
    from store.filters import quote

    return f"unit = {quote(unit)} AND model = {quote(classifier.name)} AND codebook = {quote(classifier.codebook)}"


def _done(tables: Tables, classifier: Classifier, unit: str) -> set[bytes]:
    """Revisions that this model has labelled."""
    return {bytes.fromhex(row["revision_id"]) for row in tables.rows("labels", _own(classifier, unit), ["revision_id"])}


def _waiting(tables: Tables, done: set[bytes], where: str) -> Counter[str]:
    """Threads with entries that wait for labels, in the table's order, which does not change; and how many wait in each."""
    found: Counter[str] = Counter()
    for entry in tables.iter_entries(where):
        if entry.text.strip() and bytes.fromhex(entry.revision_id) not in done:
            found[entry.thread_id] += 1
    return found


def _in_batches(waiting: Counter[str]) -> Iterator[list[str]]:
    """Threads with together ``ENTRIES_PER_COMMIT`` waiting entries or a little more."""
    batch: list[str] = []
    for thread in waiting:
        batch.append(thread)
        if sum(waiting[one] for one in batch) >= ENTRIES_PER_COMMIT:
            yield batch
            batch = []
    if batch:
        yield batch


def _label_all(
    tables: Tables,
    classifier: Classifier,
    encoder: CachedEncoder,
    unit: str,
    where: str,
    run: RunRecorder,
    quiet: bool,
) -> None:
    """Thread by thread: what a thread is about tells what its sentences are likely to do, so all of it is judged together,
    whatever was labelled before. Where a run stopped and went on does not show in the labels."""
    done = _done(tables, classifier, unit)
    waiting = _waiting(tables, done, where)
    run.counts.update({"entries": 0, "labels": 0, "abstained": 0})
    with Progress("entries classified", sum(waiting.values()), quiet=quiet) as progress:
        for threads in _in_batches(waiting):
            entries = _entries(tables, threads, "state = 'visible'")
            wanted = {e.revision_id for e in _entries(tables, threads, where)}
            wanted = {name for name in wanted if bytes.fromhex(name) not in done}
            labels = [one for one in _labels(entries, classifier, unit, run.run_id) if one.revision_id in wanted]
            tables.add_labels(labels)
            entries_done = sum(waiting[thread] for thread in threads)
            run.counts["entries"] += entries_done
            run.counts["labels"] += len(labels)
            run.counts["abstained"] += sum(label.abstain for label in labels)
            run.counts.update({"texts encoded": encoder.encoded, "texts from cache": encoder.found})
            run.counts["sentences from cache"] = classifier.recalled
            progress.step(entries_done)


def _entries(tables: Tables, threads: list[str], where: str) -> list[Entry]:
    """Entries with text of these threads, thread by thread, each in its own order."""
    from store.filters import is_in

    place = {thread: n for n, thread in enumerate(threads)}
    found = (e for e in tables.iter_entries(f"({where}) AND {is_in('thread_id', threads)}") if e.text.strip())
    return sorted(found, key=lambda e: (place[e.thread_id], e.position, e.revision_id))


def _labels(entries: list[Entry], classifier: Classifier, unit: str, run_id: str) -> Iterator[Label]:
    pairs = [(entry, *found) for entry in entries for found in _sentences(entry)]
    classifier.hold(item for _, item, _, _ in pairs)
    if unit == "entry":
        from nlp.classify import Item

        items = [Item(e.revision_id, e.text, None, _role(e), e.thread_id) for e in entries]
        for entry, result in zip(entries, classifier.classify_entries(items), strict=True):
            yield _label(entry, result, classifier, unit, run_id, 0, len(entry.text))
        return
    results = classifier.classify(item for _, item, _, _ in pairs)
    for (entry, _, start, end), result in zip(pairs, results, strict=True):
        yield _label(entry, result, classifier, unit, run_id, start, end)


def _role(entry: Entry) -> str:
    return ROLES.get(entry.kind, "comment")


def _sentences(entry: Entry) -> Iterator[tuple[Item, int, int]]:
    """The entry's sentences as items, each with the one before it as its context."""
    from nlp.classify import Item
    from nlp.segment import split_sentences

    before: str | None = None
    for span in split_sentences(entry.text):
        name = f"{entry.revision_id}:{span.start}"
        yield Item(name, span.text, before, _role(entry), entry.thread_id), span.start, span.end
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
    tables.set_passage_labels(classifier.name, classifier.codebook, order=classifier.labels)


def _chosen(tables: Tables, where: str, quiet: bool) -> set[bytes]:
    """Revisions of the entries that the filters chose; says that the report is of them alone."""
    found = {bytes.fromhex(row["revision_id"]) for row in tables.rows("entries", where, ["revision_id"])}
    many = "1 entry that meets" if len(found) == 1 else f"{len(found)} entries that meet"
    note(f"labels of the {many} the filters, whenever they were given", quiet=quiet)
    return found


@dataclass(slots=True)
class _Tally:
    """How many units bear a label, the sum of the probabilities that it was given with, on how many the model abstained."""

    units: int = 0
    probability: float = 0.0
    abstained: int = 0


def _tallies(tables: Tables, classifier: Classifier, unit: str, chosen: set[bytes] | None) -> dict[str, _Tally]:
    """What each label was given to, in the whole archive or in the ``chosen`` revisions."""
    found = {name: _Tally() for name in classifier.labels}
    columns = ["revision_id", "label", "abstain", "probabilities"]
    for row in tables.rows("labels", _own(classifier, unit), columns):
        if chosen is None or bytes.fromhex(row["revision_id"]) in chosen:
            tally = found[row["label"]]
            tally.units += 1
            tally.probability += next(p["probability"] for p in row["probabilities"] if p["label"] == row["label"])
            tally.abstained += row["abstain"]
    return found


def _summary(
    tables: Tables, classifier: Classifier, unit: str, chosen: set[bytes] | None, filters: dict[str, str]
) -> list[dict[str, Any]]:
    tallies = _tallies(tables, classifier, unit, chosen)
    total = sum(tally.units for tally in tallies.values())
    return [
        {
            "label": name,
            "units": tally.units,
            "share": tally.units / total if total else 0.0,
            "mean_probability": tally.probability / tally.units if tally.units else None,
            "abstained": tally.abstained,
            "unit": unit,
            "filters": filters,
            "model": classifier.name,
            "codebook": classifier.codebook,
        }
        for name, tally in tallies.items()
    ]
