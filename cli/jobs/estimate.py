"""Prevalence in an archive, corrected for the classifier's own confusion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.evaluate import GoldRequest, evaluate_file, remarks
from store.records import ConfigError, NothingFound, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlp.classify import Classifier
    from store.records import Entry, Thread
    from store.tables import Tables

#: What prevalence can be told by, and the columns that name a group there.
GROUPS: dict[str, tuple[str, ...]] = {
    "archive": ("archive",),
    "site": ("site",),
    "thread": ("thread", "title"),
    "author": ("author", "site"),
    "kind": ("kind",),
    "year": ("year",),
    "month": ("month",),
}

#: Nothing is said of an author with fewer sentences (CODEBOOK, unit of analysis).
MIN_AUTHOR_SENTENCES = 5

#: Columns of an estimate, behind those that name its group.
COLUMNS = ("label", "sentences", "threads", "called", "estimate", "low", "high")

#: What names one group: a value for each of its columns; ``None`` for what an entry does not say.
Group = tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateRequest:
    """What to tell by (one of ``GROUPS``), and how the classifier errs: ``gold`` is a file of coded sentences."""

    by: str = "archive"
    gold: str | None = None
    model: Path | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    decided_by: str | None = None


@dataclass(frozen=True, slots=True)
class Errors:
    """How a classifier errs: ``counts`` of truth (rows) against calls, its ``error``, the share of meta-talk taken for promotion
    (``None`` without those labels), the words for where that is known from, and what must be known to read it."""

    counts: NDArray[np.float64]
    error: float
    meta_as_promotion: float | None
    source: str
    remarks: tuple[str, ...] = ()


def estimate_archive(path: Path, request: EstimateRequest) -> dict[str, Any]:
    """Prevalence in the archive by group: ``rows``, what they rest on (``about``), and ``remarks`` for the reader."""
    from cli.jobs.model import load_classifier
    from store.archive import Archive
    from store.tables import Tables

    if request.by not in GROUPS:
        raise UsageError(f"--by {request.by}: not known", hint="one of " + ", ".join(GROUPS))
    classifier = load_classifier(request.model, request.costs)
    tables = Tables.open(Archive.open(path))
    calls = _calls(tables, classifier, request.by)
    if not calls.groups:
        raise NothingFound("no sentence is labelled by this model", hint="chorus classify")
    if request.gold is None:
        errors = own_errors(classifier)
    else:
        found = evaluate_file(
            GoldRequest(
                path=request.gold,
                model=request.model,
                costs=request.costs,
                archive=path,
                decided_by=request.decided_by,
            )
        )
        errors = errors_on(found, request.gold)
    rows = [
        {**dict(zip(GROUPS[request.by], group, strict=True)), **row}
        for group, clusters in calls.groups.items()
        for row in _shares(clusters, classifier.labels, errors)
    ]
    about = {**about_estimates(classifier, errors), "abstained": calls.abstained}
    return {"rows": rows, "about": about, "remarks": [*errors.remarks, *calls.remarks()]}


def estimate_rows(
    by: str, counts: Mapping[str, Sequence[NDArray[np.int64]]], labels: Sequence[str], errors: Errors
) -> list[dict[str, Any]]:
    """A row for each group and label. ``counts`` has for each group how often each label was called, thread by thread."""
    return [{by: group, **row} for group, clusters in counts.items() for row in _shares(clusters, labels, errors)]


def _shares(clusters: Sequence[NDArray[np.int64]], labels: Sequence[str], errors: Errors) -> Iterator[dict[str, Any]]:
    from nlp.research.estimate import estimate

    found = estimate(clusters, errors.counts)
    for n, label in enumerate(labels):
        low, high = found.intervals[n] if found.intervals else (None, None)
        yield {
            "label": label,
            "sentences": found.units,
            "threads": found.clusters,
            "called": _rounded(found.raw[n]),
            "estimate": _rounded(found.corrected[n]),
            "low": _rounded(low),
            "high": _rounded(high),
        }


def _rounded(share: float | None) -> float | None:
    """A share to five places: what stands behind them is noise of the fit."""
    return None if share is None else round(share, 5)


def about_estimates(classifier: Classifier, errors: Errors) -> dict[str, Any]:
    """What estimates rest on: whose labels, which model and codebook, the confusion's source, its error and meta-talk's."""
    return {
        "labels_by": "machine",
        "model": classifier.name,
        "codebook": classifier.codebook,
        "confusion_from": errors.source,
        "held_out_error": errors.error,
        "meta_as_promotion": errors.meta_as_promotion,
    }


def errors_on(found: Mapping[str, Any], gold: str) -> Errors:
    """How it errs on the coded sentences of a file, as ``evaluate_file`` found."""
    import numpy as np

    source = f"{found['units']} coded sentences of {gold}"
    return Errors(
        np.array(found["confusion_weighted"]),
        1.0 - found["accuracy"],
        found["meta_as_promotion"],
        source + (f", {found['in_archive']} of them as labelled in the archive" if found["in_archive"] else ""),
        tuple(remarks(found)),
    )


def own_errors(classifier: Classifier) -> Errors:
    """How it errs on held-out training texts. Raises ``ConfigError`` if the classifier does not know."""
    import numpy as np

    if classifier.held_out is None:
        raise ConfigError("the model brings no held-out confusion", hint="--gold FILE with coded sentences")
    counts, labels = np.array(classifier.held_out, float), list(classifier.labels)
    meta = None
    if "meta-talk" in labels and "self-promotion" in labels:
        row = counts[labels.index("meta-talk")]
        meta = float(row[labels.index("self-promotion")] / row.sum()) if row.sum() else None
    source = "the model's cross-validation on its training corpus (real text is harder: --gold FILE is better)"
    return Errors(counts, 1.0 - float(counts.trace() / counts.sum()), meta, source)


@dataclass(frozen=True, slots=True)
class _Calls:
    """How often each label was called: of each group, in each of its threads. ``few`` authors have too few sentences,
    ``unsigned`` sentences have no author; the model ``abstained`` on some that are counted."""

    groups: dict[Group, list[NDArray[np.int64]]]
    abstained: int
    few: int = 0
    unsigned: int = 0

    def remarks(self) -> list[str]:
        """What the rows leave out."""
        said = []
        if self.few:
            said.append(f"{self.few} authors with fewer than {MIN_AUTHOR_SENTENCES} sentences are left out")
        if self.unsigned:
            said.append(f"{self.unsigned} sentences without an author's name are left out")
        return said


def _calls(tables: Tables, classifier: Classifier, by: str) -> _Calls:
    """Of each thread only what its latest visit saw counts."""
    import numpy as np

    place = {label: n for n, label in enumerate(classifier.labels)}
    groups, abstained = _groups(tables, by), 0
    found: dict[Group, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in labels_of(tables, classifier):
        group = groups.get(row["revision_id"])
        if group is not None and row["label"] in place:
            found[group][row["thread_id"]].append(place[row["label"]])
            abstained += row["abstain"]
    counts = {
        group: [np.bincount(calls, minlength=len(place)) for calls in threads.values()]
        for group, threads in sorted(found.items(), key=lambda pair: [(part is None, part or "") for part in pair[0]])
    }
    if by != "author":
        return _Calls(counts, abstained)
    sizes = {group: int(sum(one.sum() for one in clusters)) for group, clusters in counts.items()}
    signed = {group: size for group, size in sizes.items() if group[0] is not None}
    kept = {group: counts[group] for group, size in signed.items() if size >= MIN_AUTHOR_SENTENCES}
    return _Calls(kept, abstained, len(signed) - len(kept), sum(sizes.values()) - sum(signed.values()))


def labels_of(tables: Tables, classifier: Classifier) -> Iterator[dict[str, Any]]:
    """The classifier's labels of sentences, as rows of the table, in any order."""
    from store.filters import quote

    where = f"unit = 'sentence' AND model = {quote(classifier.name)} AND codebook = {quote(classifier.codebook)}"
    return tables.rows("labels", where, ["revision_id", "thread_id", "label", "abstain", "start", "end", "text"])


def _groups(tables: Tables, by: str) -> dict[str, Group]:
    """Group of each current revision."""
    return {
        entry.revision_id: _group(by, document.thread, entry)
        for document in tables.documents()
        for entry in document.entries
        if entry.state == "visible"
    }


def _group(by: str, thread: Thread, entry: Entry) -> Group:
    """Threads of one title are several, and so are authors of one name on different sites."""
    published = entry.published or ""
    values: dict[str, Group] = {
        "archive": ("all",),
        "site": (thread.site,),
        "thread": (thread.thread_id, thread.title or thread.url),
        "author": (entry.author or None, thread.site),
        "kind": (entry.kind,),
        "year": (published[:4] or None,),
        "month": (published[:7] or None,),
    }
    return values[by]
