"""Entries of an archive that say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.mining import Corpus
from cli.jobs.narrowed import Narrowed
from store.records import NothingFound, UsageError

if TYPE_CHECKING:
    from nlp.mining.duplicates import DuplicateGroup, Finder

COLUMNS = ("entry_id", "author", "kind", "published", "url", "text", "position")

#: Below this, texts share little more than turns of phrase, and nearly all become suspects.
LOWEST = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesRequest:
    """How alike texts must be (Jaccard similarity of word triples), how long, how many authors a group must have."""

    threshold: float = 0.8
    min_words: int = 5
    min_authors: int = 1
    exact: bool = False
    narrowed: Narrowed = field(default_factory=Narrowed)


@dataclass(frozen=True, slots=True)
class DuplicatesReport:
    """``about``: what was compared; ``groups``, largest first, each with its ``entries``, earliest first."""

    about: dict[str, Any]
    groups: list[dict[str, Any]]

    def rows(self) -> list[dict[str, Any]]:
        """One row an entry, with its group's values."""
        shared = ("group", "match", "similarity", "size")
        return [
            {**{name: group[name] for name in shared}, "first": n == 0, **entry}
            for group in self.groups
            for n, entry in enumerate(group["entries"])
        ]


def duplicates_report(path: Path, request: DuplicatesRequest) -> DuplicatesReport:
    """Compare all entries. Raises ``NothingFound`` where no two are alike."""
    from nlp.mining.duplicates import Finder

    if not LOWEST <= request.threshold <= 1:
        raise UsageError(f"--threshold {request.threshold}: not usable", hint=f"{LOWEST} to 1, the same words")
    corpus = Corpus(path, request.narrowed)
    finder = Finder(request.threshold, min_words=request.min_words)
    for row in corpus.entries(["text"]):
        finder.add(row["text"])
    found = [_group(members, rows, corpus) for members, rows in _alike(corpus, finder, request.exact)]
    found = [group for group in found if len(group["authors"]) >= request.min_authors]
    if not found:
        raise corpus.nothing() if not finder.texts else NothingFound("no two entries are alike", hint=_hint(request))
    about = {
        "threshold": 1.0 if request.exact else request.threshold,
        "measure": "same text" if request.exact else f"Jaccard similarity of runs of {finder.size} words",
        "min_words": request.min_words,
        "min_authors": request.min_authors,
        "filters": request.narrowed.given(),
        "entries": finder.texts,
        "entries_compared": finder.compared,
        "groups_exact": sum(group["match"] == "exact" for group in found),
        "groups_near": sum(group["match"] == "near" for group in found),
        "entries_that_repeat": sum(group["size"] - 1 for group in found),
    }
    return DuplicatesReport(about, [{"group": n, **group} for n, group in enumerate(found, 1)])


def _alike(corpus: Corpus, finder: Finder, exact: bool) -> Iterator[tuple[DuplicateGroup, dict[int, dict[str, Any]]]]:
    """The groups, and the rows of all entries that are in one. The entries are read again: only suspects are kept."""
    copies = finder.copies() if exact else []
    wanted = {n for group in copies for n in group.members} if exact else finder.suspects()
    rows = {n: row for n, row in enumerate(corpus.entries(COLUMNS)) if n in wanted}
    for group in copies if exact else finder.groups({n: row["text"] for n, row in rows.items()}):
        yield group, rows


def _hint(request: DuplicatesRequest) -> str:
    return f"lower --threshold (now {request.threshold}) or --min-words (now {request.min_words})"


def _group(group: DuplicateGroup, rows: dict[int, dict[str, Any]], corpus: Corpus) -> dict[str, Any]:
    entries = sorted((rows[n] for n in group.members), key=_when)
    return {
        "match": "exact" if group.exact else "near",
        "similarity": round(group.similarity, 4),
        "size": len(entries),
        "authors": sorted({entry["author"] or "" for entry in entries}),
        "threads": len({entry["thread_id"] for entry in entries}),
        "first_appearance": entries[0]["published"],
        "entries": [{**_entry(entry, corpus), "same_as_first": _same(entry, entries[0])} for entry in entries],
    }


def _when(entry: dict[str, Any]) -> tuple[Any, ...]:
    """By date; those without one last; on the same date by their place on the page."""
    return entry["published"] is None, entry["published"] or "", entry["position"], entry["entry_id"]


def _same(entry: dict[str, Any], first: dict[str, Any]) -> bool:
    return bool(entry["text"].split() == first["text"].split())


def _entry(entry: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
    thread = corpus.threads[entry["thread_id"]]
    return {
        "entry_id": entry["entry_id"],
        "thread_id": entry["thread_id"],
        "author": entry["author"],
        "date": entry["published"],
        "kind": entry["kind"],
        "site": thread.site,
        "permalink": entry["url"] or thread.url,
        "text": entry["text"],
    }
