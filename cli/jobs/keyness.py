"""Keyness over an archive: what sets labels, sites, authors or years apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.jobs.mining import Corpus, Ids, SentenceLabels
from cli.jobs.narrowed import Narrowed
from store.records import NothingFound, UsageError

if TYPE_CHECKING:
    from nlp.mining.keyness import Counts, KeyWord, Table

BY = ("label", "site", "author", "year")
SORTS = ("g2", "log-ratio")

#: Authors that must use a word before it is called a group's: one person's habit is no community's.
MIN_AUTHORS = 3

#: Names offered when a group is not there.
SUGGESTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class KeynessRequest:
    """What to compare: each group of ``by``, or ``target``, with all the others, or with ``reference``.

    ``k`` words a target at most, with a false-discovery rate of ``max_q`` (0 to 1). ``min_authors`` ``None`` is 3, and not
    asked for where authors themselves are compared.
    """

    by: str
    target: str | None = None
    reference: str | None = None
    min_count: int = 5
    min_authors: int | None = None
    max_q: float = 0.05
    k: int = 20
    sort: str = "g2"
    narrowed: Narrowed = field(default_factory=Narrowed)


@dataclass(frozen=True, slots=True)
class KeynessReport:
    """``about``: how it was counted, the groups and their sizes, whose labels; ``rows``: the words, group by group."""

    about: dict[str, Any]
    rows: list[dict[str, Any]]


def keyness_report(path: Path, request: KeynessRequest) -> KeynessReport:
    """Count and compare. Raises ``NothingFound`` where no word stands out, or a group is not there."""
    from nlp.mining.keyness import Counts

    least = _least_parts(request)
    corpus = Corpus(path, request.narrowed)
    counts = Counts()
    about = _count_sentences(corpus, counts) if request.by == "label" else _count_entries(corpus, counts, request.by)
    table = counts.table()
    targets, reference = _groups(corpus, table, request)
    rows = [row for target in targets for row in _rows(table, target, reference, least, request, about)]
    if not rows:
        raise NothingFound(
            f"no word sets the {request.by}s apart", hint="lower --min-count or --min-authors, raise --max-q"
        )
    settings = {"min_count": request.min_count, f"min_{_parts(request.by)}": least, "max_q": request.max_q}
    groups = [{"name": g.name, "words": g.words, _parts(request.by): g.parts} for g in table.groups]
    head = {"by": request.by, "target": request.target, "reference": reference or "all other groups"}
    return KeynessReport({**head, **settings, **about, "filters": request.narrowed.given(), "groups": groups}, rows)


def _parts(by: str) -> str:
    """What dispersion is over: authors, or the threads of one author."""
    return "threads" if by == "author" else "authors"


def _least_parts(request: KeynessRequest) -> int:
    if request.by != "author":
        return MIN_AUTHORS if request.min_authors is None else request.min_authors
    if request.min_authors is not None:
        raise UsageError("--min-authors: each group is one author here", hint="leave it out with --by author")
    return 1


# -- counting --------------------------------------------------------------------------------------------------


def _count_entries(corpus: Corpus, counts: Counts, by: str) -> dict[str, Any]:
    from nlp.mining.words import words

    people = _Names()
    group_of: dict[str, Callable[[dict[str, Any]], str | None]] = {
        "site": lambda row: corpus.threads[row["thread_id"]].site,
        "author": lambda row: people.of(row["author"]) or None,
        "year": lambda row: (row["published"] or "")[:4] or None,
    }
    used = left_out = 0
    for row in corpus.entries(["author", "published", "text"]):
        group = group_of[by](row)
        if group is None:
            left_out += 1
            continue
        used += 1
        counts.add(group, row["thread_id"] if by == "author" else people.of(row["author"]), words(row["text"]))
    return {"counted": "words of entries", "entries": used, f"entries_without_{by}": left_out}


def _count_sentences(corpus: Corpus, counts: Counts) -> dict[str, Any]:
    """Count the words of labelled sentences by label and author."""
    from array import array

    from nlp.mining.words import words

    revisions = Ids(row["revision_id"] for row in corpus.entries([]))
    people = _Names()
    names: list[str] = []
    numbers: dict[str, int] = {}
    author_of = array("l", [0]) * len(revisions)
    rows = corpus.entries(["author"])
    while batch := list(islice(rows, 4096)):
        for row, place in zip(batch, revisions.places([row["revision_id"] for row in batch]).tolist(), strict=True):
            name = people.of(row["author"])
            if name not in numbers:
                numbers[name] = len(names)
                names.append(name)
            author_of[place] = numbers[name]
    labels = SentenceLabels(corpus, revisions)
    used = 0
    for place, row in labels:
        used += 1
        counts.add(row["label"], names[author_of[place]], words(row["text"]))
    return {
        "counted": "words of sentences",
        "sentences": used,
        "sentences_abstained": labels.abstained,
        "labels_by": "machine",
        "models": dict(sorted(labels.models.items())),
    }


class _Names:
    """One name for an author however its letter case varies; all without a name are taken as one, so as not to overstate."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    def of(self, author: str | None) -> str:
        name = " ".join((author or "").split())
        return self._first.setdefault(name.lower(), name)


# -- comparing -------------------------------------------------------------------------------------------------


def _groups(corpus: Corpus, table: Table, request: KeynessRequest) -> tuple[list[str], str | None]:
    names = [group.name for group in table.groups]
    if not names:
        if request.by == "label" and not corpus.tables.count("labels", "unit = 'sentence'"):
            raise NothingFound("no sentence is classified yet", hint="chorus classify")
        raise corpus.nothing()
    reference = None if request.reference is None else _named(request.reference, names, request.by)
    targets = names if request.target is None else [_named(request.target, names, request.by)]
    if reference in targets and len(targets) == 1:
        raise UsageError(f"--reference {reference}: is the target itself", hint="leave it out to take all the rest")
    if len(names) == 1:
        raise NothingFound(f"there is only one {request.by}, {names[0]}", hint="nothing to compare it with")
    return [name for name in targets if name != reference], reference


def _named(wanted: str, names: list[str], by: str) -> str:
    plain = wanted.strip().lower().removeprefix("www.")
    for name in names:
        if name.lower() == plain or name == wanted:
            return name
    some = ", ".join(names[:SUGGESTIONS]) + (", …" if len(names) > SUGGESTIONS else "")
    raise NothingFound(f"no {by} {wanted}", hint=f"{by}s here: {some}")


def _rows(
    table: Table, target: str, reference: str | None, least: int, request: KeynessRequest, about: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    from nlp.mining.keyness import keyness

    found = keyness(table, target, reference, min_count=request.min_count, min_parts=least)
    found = [word for word in found if word.q <= request.max_q]
    if request.sort == "log-ratio":
        found.sort(key=lambda word: (-word.log_ratio, -word.g2, word.word))
    source = {"labels_by": "machine: " + ", ".join(about["models"])} if "models" in about else {}
    return ({**_row(word, request.by), **source} for word in found[: request.k])


def _row(word: KeyWord, by: str) -> dict[str, Any]:
    row = asdict(word)
    row[_parts(by)] = row.pop("parts")
    row["reference"] = word.reference or "all other groups"
    return row
