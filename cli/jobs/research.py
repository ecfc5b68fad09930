"""The researcher's loop over an archive or coded files: samples, agreement, held-out error, prevalence."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.records import ConfigError, NothingFound, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from store.tables import Tables

#: What prevalence can be told by, and how a sentence's group is found.
GROUPS = ("archive", "site", "thread", "author", "kind", "year", "month")

#: Keys of a coded file that name the cluster, the first that is there.
CLUSTER_KEYS = ("cluster", "host", "thread_id", "thread", "page", "url")

#: Nothing is said of an author with fewer sentences (CODEBOOK, unit of analysis).
MIN_AUTHOR_SENTENCES = 5


def read_coded(path: str) -> list[dict[str, Any]]:
    """Lines of a coded file: ``id``, ``text`` and ``label`` at least; of each unit and coder the newest that was not withdrawn.

    Raises ``UsageError`` naming the line.
    """
    import sys

    from store.annotations import newest

    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text") from error
    rows = []
    for number, line in enumerate(text.split("\n"), 1):  # other line ends may stand within a JSON string
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}: line {number} is not JSON") from error
        if not isinstance(row, dict) or not isinstance(row.get("label"), str) or "id" not in row:
            raise UsageError(f"{path}: line {number} has no id and label")
        rows.append(row)
    if not rows:
        raise NothingFound(f"{path}: no coded lines in it")
    return newest(rows)


def cluster_of(row: dict[str, Any]) -> str:
    """What a coded line's sentence is not independent within: its page or thread, else it stands alone."""
    return next((str(row[key]) for key in CLUSTER_KEYS if row.get(key)), str(row["id"]))


def evaluate_file(path: str, model: Path | None = None) -> dict[str, Any]:
    """Classify the texts of a coded file with the classifier in ``model`` and compare with its labels."""
    from cli.jobs.model import load_classifier
    from nlp.classify import Item
    from nlp.page import on_pages
    from nlp.research.evaluate import Judged, evaluate

    rows = read_coded(path)
    classifier = load_classifier(model)
    unknown = {row["label"] for row in rows} - set(classifier.labels)
    if unknown:
        raise ConfigError(
            f"{path}: label {sorted(unknown)[0]!r} is not one that the model gives",
            hint="labels: " + ", ".join(classifier.labels),
        )
    if any(not isinstance(row.get("text"), str) for row in rows):
        raise UsageError(f"{path}: each line needs its text to be classified")
    items = [
        Item(str(r["id"]), r["text"], r.get("context") or None, r.get("role") or "comment", cluster_of(r)) for r in rows
    ]
    judged = [
        Judged(row["label"], one.label, max(p.probability for p in one.probabilities), cluster_of(row))
        for row, one in zip(rows, classifier.classify(on_pages(items, path)), strict=True)
    ]
    found = evaluate(judged, classifier.labels)
    return {**found, "model": classifier.name, "codebook": classifier.codebook}


def agreement_of(
    paths: Iterable[str], archive: Path | None = None, codebook: Path | None = None
) -> list[dict[str, Any]]:
    """Agreement over coded files, without any over the archive's annotations: overall, one label against the rest, pairs.

    Of each unit the newest coding of each coder counts (``coder`` of the line, else the file's name). Raises ``UsageError``
    if they were made with several codebooks and ``codebook`` does not choose one.
    """
    from nlp.research.agreement import agreement, cohen

    units: dict[str, dict[str, str]] = defaultdict(dict)
    for row in _one_codebook(_codings(paths, archive), codebook):
        units[str(row["id"])][str(row["coder"])] = row["label"]
    codes = list(units.values())
    if not any(len(unit) > 1 for unit in codes):
        raise NothingFound("no unit was coded twice", hint="give two files that code the same ids, or lines with coder")
    labels = sorted({label for unit in codes for label in unit.values()})
    rows = [_agreement_row("all labels", agreement(codes))]
    for label in labels:
        rest = [{coder: code == label for coder, code in unit.items()} for unit in codes]
        rows.append(_agreement_row(f"{label} against the rest", agreement(rest)))
    coders = sorted({coder for unit in codes for coder in unit})
    for n, one in enumerate(coders):
        for other in coders[n + 1 :]:
            pairs = [(unit[one], unit[other]) for unit in codes if one in unit and other in unit]
            same = sum(a == b for a, b in pairs) / len(pairs) if pairs else None
            rows.append({"what": f"{one} and {other}", "units": len(pairs), "kappa": cohen(pairs), "agreement": same})
    return rows


def _codings(paths: Iterable[str], archive: Path | None) -> list[dict[str, Any]]:
    """The newest codings in the files, each with its coder; without files, in the archive."""
    from store.annotations import current_codings, newest
    from store.archive import Archive

    rows = [{**row, "coder": row.get("coder") or Path(path).stem} for path in paths for row in read_coded(path)]
    if rows or archive is None:
        return newest(rows)
    found = current_codings(Archive.open(archive))
    if not found:
        raise NothingFound(f"{archive}: nobody has coded in it", hint="chorus label, or name files of codings")
    return found


def _one_codebook(rows: list[dict[str, Any]], chosen: Path | None) -> list[dict[str, Any]]:
    """The codings made with one codebook, and those that do not say with which: labels of two mean different things."""
    from nlp.codebook import load_codebook

    names = {str(row["codebook"]): _codebook_name(row) for row in rows if row.get("codebook")}
    if chosen is None:
        if len(names) > 1:
            said = "; ".join(sorted(names.values()))
            raise UsageError(f"coded with {len(names)} codebooks: {said}", hint="--codebook FILE chooses one")
        return rows
    digest = load_codebook(chosen).digest
    return [row for row in rows if row.get("codebook") in (None, digest)]


def _codebook_name(row: dict[str, Any]) -> str:
    return (
        f"{row.get('codebook_name') or 'a codebook'} {row.get('codebook_version') or ''} ({str(row['codebook'])[:14]})"
    )


def _agreement_row(what: str, found: Any) -> dict[str, Any]:
    low, high = found.interval or (None, None)
    return {
        "what": what,
        "units": found.units,
        "alpha": found.alpha,
        "low": low,
        "high": high,
        "agreement": found.agreement,
    }


def estimate_archive(path: Path, by: str, gold: str | None, model: Path | None = None) -> dict[str, Any]:
    """Prevalence in the archive by group: rows, and what they rest on (``about``)."""
    import numpy as np

    from cli.jobs.model import load_classifier
    from store.archive import Archive
    from store.tables import Tables

    if by not in GROUPS:
        raise UsageError(f"--by {by}: not known", hint="one of " + ", ".join(GROUPS))
    classifier = load_classifier(model)
    held_out, source = _confusion(classifier, gold, model)
    tables = Tables.open(Archive.open(path))
    calls = _calls(tables, classifier, by)
    if not calls:
        raise NothingFound("no sentence is labelled by this model", hint="chorus classify")
    counts = {
        group: [np.bincount(found, minlength=len(classifier.labels)) for found in clusters.values()]
        for group, clusters in sorted(calls.items())
    }
    rows = estimate_rows(by, counts, classifier.labels, held_out)
    return {"rows": rows, "about": about_estimates(classifier, held_out, source)}


def estimate_rows(
    by: str, counts: Mapping[str, Sequence[NDArray[np.int64]]], labels: Sequence[str], held_out: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """A row for each group and label. ``counts`` has for each group how often each label was called, thread by thread.

    Authors with too few sentences are left out.
    """
    from nlp.research.estimate import estimate

    rows = []
    for group, clusters in counts.items():
        if by == "author" and sum(int(c.sum()) for c in clusters) < MIN_AUTHOR_SENTENCES:
            continue
        found = estimate(clusters, held_out)
        for n, label in enumerate(labels):
            low, high = found.intervals[n] if found.intervals else (None, None)
            rows.append(
                {
                    by: group,
                    "label": label,
                    "sentences": found.units,
                    "threads": found.clusters,
                    "called": _rounded(found.raw[n]),
                    "estimate": _rounded(found.corrected[n]),
                    "low": _rounded(low),
                    "high": _rounded(high),
                }
            )
    return rows


def _rounded(share: float | None) -> float | None:
    """A share to five places: what stands behind them is noise of the fit."""
    return None if share is None else round(share, 5)


def about_estimates(classifier: Any, held_out: NDArray[np.int64], source: str) -> dict[str, Any]:
    """What estimates rest on: whose labels, which model and codebook, the confusion's source, its error and meta-talk's."""
    labels = list(classifier.labels)
    right = float(held_out.trace() / held_out.sum())
    meta = None
    if "meta-talk" in labels and "self-promotion" in labels:
        row = held_out[labels.index("meta-talk")]
        meta = float(row[labels.index("self-promotion")] / row.sum()) if row.sum() else None
    return {
        "labels_by": "machine",
        "model": classifier.name,
        "codebook": classifier.codebook,
        "confusion_from": source,
        "held_out_error": 1.0 - right,
        "meta_as_promotion": meta,
    }


def _confusion(classifier: Any, gold: str | None, model: Path | None) -> tuple[NDArray[np.int64], str]:
    """The confusion matrix: of coded sentences of one's own, else of the model's own cross-validation."""
    import numpy as np

    if gold is not None:
        return np.array(evaluate_file(gold, model)["confusion"]), gold
    return own_confusion(classifier)


def own_confusion(classifier: Any) -> tuple[NDArray[np.int64], str]:
    """The confusion on held-out training texts, and the words for it. Raises ``ConfigError`` if the model brings none."""
    import numpy as np

    own = classifier.held_out
    if own is None:
        raise ConfigError("the model brings no held-out confusion", hint="--gold FILE with coded sentences")
    return np.array(
        own
    ), "the model's cross-validation on its training corpus (real text is harder: --gold FILE is better)"


def _calls(tables: Tables, classifier: Any, by: str) -> dict[str, dict[str, NDArray[np.int64]]]:
    """Called labels as numbers, by group and within it by thread; of each thread only what its latest visit saw."""
    import numpy as np

    place = {label: n for n, label in enumerate(classifier.labels)}
    groups = _groups(tables, by)
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in _labels(tables, classifier):
        group = groups.get(row["revision_id"])
        if group is not None and row["label"] in place:
            found[group][row["thread_id"]].append(place[row["label"]])
    return {group: {name: np.array(calls) for name, calls in threads.items()} for group, threads in found.items()}


def _labels(tables: Tables, classifier: Any) -> Iterator[dict[str, Any]]:
    from store.filters import quote

    where = f"unit = 'sentence' AND model = {quote(classifier.name)} AND codebook = {quote(classifier.codebook)}"
    return tables.rows("labels", where, ["revision_id", "thread_id", "label", "start", "end", "text"])


def _groups(tables: Tables, by: str) -> dict[str, str]:
    """Group of each current revision."""
    found: dict[str, str] = {}
    for document in tables.documents():
        for entry in document.entries:
            if entry.state != "visible":
                continue
            values = {
                "archive": "all",
                "site": document.thread.site,
                "thread": document.thread.title or document.thread.url,
                "author": entry.author,
                "kind": entry.kind,
                "year": (entry.published or "")[:4] or None,
                "month": (entry.published or "")[:7] or None,
            }
            group = values[by]
            if group is not None:
                found[entry.revision_id] = group
    return found


def sample_archive(
    path: Path, size: int, *, stratify: bool, dev_share: float, seed: int, model: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Sentences for coding: text, sentence before, role, where from, split, and the chance with which each was drawn.

    With ``stratify`` the labels of the newest classification are drawn from alike; they are not shown.
    """
    from cli.jobs.model import load_classifier
    from nlp.research.sampling import draw
    from nlp.segment import split_sentences
    from store.archive import Archive
    from store.tables import Tables

    tables = Tables.open(Archive.open(path))
    called: dict[tuple[str, int], str] = {}
    if stratify:
        called = {(row["revision_id"], row["start"]): row["label"] for row in _labels(tables, load_classifier(model))}
        if not called:
            raise NothingFound("no sentence is labelled by this model", hint="chorus classify, or leave --stratify out")
    units: list[dict[str, Any]] = []
    for document in tables.documents():
        for entry in document.entries:
            before: str | None = None
            for span in split_sentences(entry.text) if entry.state == "visible" else ():
                units.append(
                    {
                        "id": f"{entry.revision_id}:{span.start}",
                        "text": span.text,
                        "context": before,
                        "role": "post" if entry.kind == "post" else "comment",
                        "thread_id": entry.thread_id,
                        "entry_id": entry.entry_id,
                        "url": entry.url or document.thread.url,
                    }
                )
                before = span.text
    if not units:
        raise NothingFound("the archive has no sentences", hint="chorus harvest URL")
    strata = [called.get((u["id"].rpartition(":")[0], int(u["id"].rpartition(":")[2])), "none") for u in units]
    drawn = draw([u["thread_id"] for u in units], strata if stratify else None, size, dev_share=dev_share, seed=seed)
    return ({**units[one.index], **{k: v for k, v in asdict(one).items() if k != "index"}} for one in drawn)
