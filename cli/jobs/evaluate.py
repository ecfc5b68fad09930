"""A classifier against sentences that people coded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.codings import cluster_of, read_coded, settled, weights_of
from store.records import ConfigError, NothingFound, UsageError

if TYPE_CHECKING:
    from nlp.classify import Classifier
    from store.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldRequest:
    """What to hold the classifier against: coded lines in ``path``. ``archive`` is where sentences of it were judged already, in
    view of their threads (``insist``: all that lie there must have been); ``decided_by`` the coder whose word is the last one;
    ``model`` and ``costs`` say which classifier."""

    path: str
    model: Path | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    archive: Path | None = None
    insist: bool = True
    decided_by: str | None = None


@dataclass(frozen=True, slots=True)
class _Call:
    """What the classifier said of one unit."""

    label: str
    probability: float
    abstain: bool


def evaluate_file(request: GoldRequest) -> dict[str, Any]:
    """Compare the classifier's labels with those of a coded file. ``in_archive`` sentences were judged in their threads,
    ``by_themselves`` others that come from entries.

    A sentence that lies in the archive is judged as it was there, in view of its thread; others by themselves, or in view of
    those of their cluster. Raises ``UsageError``, ``ConfigError`` or ``NothingFound`` for codings that will not do.
    """
    from cli.jobs.model import load_classifier
    from nlp.research.evaluate import Judged, evaluate

    classifier = load_classifier(request.model, request.costs)
    gold = settled(read_coded(request.path), classifier.codebook, "the classifier's codebook", request.decided_by)
    _check(request.path, gold.rows, classifier)
    calls, in_archive = _calls(request, gold.rows, classifier)
    judged = [
        Judged(row["label"], call.label, call.probability, cluster_of(row), weight, call.abstain)
        for row, call, weight in zip(gold.rows, calls, weights_of(gold.rows), strict=True)
    ]
    return {
        **evaluate(judged, classifier.labels),
        "in_archive": in_archive,
        "by_themselves": max(0, sum(bool(row.get("entry_id")) for row in gold.rows) - in_archive),
        "disagreed": gold.disagreed,
        "other_codebooks": gold.other,
        "learned_from": classifier.learned_from([row["text"] for row in gold.rows]),
        "model": classifier.name,
        "codebook": classifier.codebook,
    }


def remarks(found: Mapping[str, Any]) -> list[str]:
    """What must be known to read the figures, a line each."""
    said = []
    if found["learned_from"]:
        said.append(
            f"{found['learned_from']} of {found['units']} sentences are among those that the classifier learned from: "
            "on others it errs more often"
        )
    if found["by_themselves"] > 0:
        said.append(
            f"{found['by_themselves']} sentences of entries were judged by themselves: in view of their threads they may get "
            "other labels (-a ARCHIVE, labelled by this classifier, compares those)"
        )
    if found["disagreed"]:
        said.append(f"{found['disagreed']} units on which coders differ are left out (--decided-by CODER settles them)")
    if found["other_codebooks"]:
        said.append(f"{found['other_codebooks']} codings of other codebooks are left out")
    absent = [label for label, row in found["labels"].items() if not row["support"]]
    if absent:
        said.append(f"no sentence is coded {', '.join(absent)}: macro-F1 counts that as 0, so it is no figure to quote")
    return said


def _check(path: str, rows: Sequence[dict[str, Any]], classifier: Classifier) -> None:
    unknown = {row["label"] for row in rows} - set(classifier.labels)
    if unknown:
        raise ConfigError(
            f"{path}: label {sorted(unknown)[0]!r} is not one that the model gives",
            hint="labels: " + ", ".join(classifier.labels),
        )
    if not rows:
        raise NothingFound(f"{path}: its coders agree on no unit", hint="--decided-by CODER settles them")
    if any(not isinstance(row.get("text"), str) for row in rows):
        raise UsageError(f"{path}: each line needs its text to be classified")


def _calls(request: GoldRequest, rows: Sequence[dict[str, Any]], classifier: Classifier) -> tuple[list[_Call], int]:
    """What the classifier says of each unit, and of how many the archive knew it."""
    from nlp.classify import Item
    from nlp.page import on_pages

    known = _in_archive(request, request.archive, rows, classifier) if request.archive is not None else {}
    others = [row for row in rows if str(row["id"]) not in known]
    items = [
        Item(str(r["id"]), r["text"], r.get("context") or None, r.get("role") or "comment", cluster_of(r))
        for r in others
    ]
    judged = classifier.classify(on_pages(items, request.path)) if items else ()
    fresh = {one.id: _Call(one.label, max(p.probability for p in one.probabilities), one.abstain) for one in judged}
    return [known.get(str(row["id"])) or fresh[str(row["id"])] for row in rows], len(known)


def _in_archive(
    request: GoldRequest, archive: Path, rows: Sequence[dict[str, Any]], classifier: Classifier
) -> dict[str, _Call]:
    """The archive's own labels for those of the units that are sentences of it. If any has none, raises ``NothingFound``, or
    leaves all to be judged by themselves."""
    from store.archive import Archive
    from store.tables import Tables

    places = {str(row["id"]): place for row in rows if (place := _place(str(row["id"])))}
    tables = Tables.open(Archive.open(archive))
    revisions = sorted({revision for revision, _ in places.values()})
    there = {row["revision_id"] for row in tables.rows_by_ids("entries", "revision_id", revisions, ["revision_id"])}
    labels = _stored(tables, classifier, sorted(there))
    found = {name: labels[place] for name, place in places.items() if place in labels}
    missing = sum(place[0] in there and name not in found for name, place in places.items())
    if missing and not request.insist:
        return {}
    if missing:
        raise NothingFound(
            f"{missing} of the coded sentences lie in {archive} and are not labelled by this model there",
            hint="chorus classify",
        )
    return found


def _stored(tables: Tables, classifier: Classifier, revisions: Sequence[str]) -> dict[tuple[str, int], _Call]:
    columns = ["revision_id", "start", "unit", "model", "codebook", "label", "abstain", "probabilities"]
    return {
        (row["revision_id"], row["start"]): _Call(
            row["label"], max(p["probability"] for p in row["probabilities"]), row["abstain"]
        )
        for row in tables.rows_by_ids("labels", "revision_id", revisions, columns)
        if row["unit"] == "sentence" and (row["model"], row["codebook"]) == (classifier.name, classifier.codebook)
    }


def _place(name: str) -> tuple[str, int] | None:
    """Revision and place of a sentence, as ``chorus sample`` names it; ``None`` for another's id."""
    revision, _, start = name.rpartition(":")
    return (revision, int(start)) if revision and start.isascii() and start.isdigit() else None
