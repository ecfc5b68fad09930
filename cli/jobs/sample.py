"""Samples of an archive's sentences for people to code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cli.jobs.estimate import labels_of
from store.records import NothingFound


def sample_archive(
    path: Path, size: int, *, stratify: bool, dev_share: float, seed: int, model: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Sentences for coding: text, sentence before, role, where from, split, and the chance with which each was drawn.

    With ``stratify`` the labels that the classifier in ``model`` left in the archive are drawn from alike; they are not shown,
    the classifier is (``strata_by``). Fewer come where there are no more.
    """
    from cli.jobs.model import load_classifier
    from nlp.research.sampling import draw
    from nlp.segment import split_sentences
    from store.archive import Archive
    from store.tables import Tables

    tables = Tables.open(Archive.open(path))
    called: dict[tuple[str, int], str] = {}
    drawn_by: dict[str, Any] = {"seed": seed}
    if stratify:
        classifier = load_classifier(model)
        drawn_by["strata_by"] = classifier.name
        called = {(row["revision_id"], row["start"]): row["label"] for row in labels_of(tables, classifier)}
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
    return ({**units[one.index], **{k: v for k, v in asdict(one).items() if k != "index"}, **drawn_by} for one in drawn)
