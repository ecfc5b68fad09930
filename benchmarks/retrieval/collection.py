"""The collection: the training corpus' threads and the sample blog, as entries of an archive, and the questions to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.jobs.index import PASSAGE_WORDS
from cli.sample_blog.content import load
from nlp.passages import split_passages
from store.records import EntryKind, Passage, make_id, passage_id
from store.search import SearchIndex

CORPUS = Path(__file__).parents[2] / "nlp" / "corpus"
QUERIES = Path(__file__).with_name("queries.txt")

#: The files that the judgements were made on; others that the corpus may gain are left out.
FILES = "[ac]*.txt"


@dataclass(frozen=True, slots=True)
class Contribution:
    """A post or comment: what is judged. ``ref`` names it in ``queries.txt``."""

    ref: str
    thread: str
    title: str
    kind: EntryKind
    text: str
    author: str | None = None
    published: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A query of one kind, and the grade (2 answers it, 1 touches on it) of each contribution that bears on it."""

    kind: str
    text: str
    grades: dict[str, int]


def contributions() -> Iterator[Contribution]:
    for path in sorted(CORPUS.glob(FILES)):
        yield from _corpus(path)
    yield from _blog()


def _corpus(path: Path) -> Iterator[Contribution]:
    thread, number, lines = "", -1, list[str]()
    kind: EntryKind = "post"

    def finished() -> Iterator[Contribution]:
        if lines:
            title = thread.split("/")[1].replace("-", " ")
            yield Contribution(f"{thread}#{number}", thread, title, kind, " ".join(lines))

    for line in [*map(str.strip, path.read_text(encoding="utf-8").splitlines()), "##"]:
        if line.startswith("#"):
            yield from finished()
            lines = []
        if line.startswith("##"):
            number, kind = number + 1, "post" if "post" in line else "comment"
        elif line.startswith("# "):
            thread, number = f"{path.stem}/{line[2:].split('|')[0].removeprefix('thread:').strip()}", -1
        elif line:
            lines.append(line.split("|", 1)[1].strip())


def _blog() -> Iterator[Contribution]:
    for post in load().posts:
        thread = f"blog/{post.slug}"
        yield Contribution(
            f"{thread}#0", thread, post.title, "post", post.text.strip(), post.author, post.published.isoformat()
        )
        for comment in post.comments:
            if comment.kind == "comment" and comment.state == "visible":
                yield Contribution(
                    f"{thread}#{comment.id}", thread, post.title, "comment", comment.text, comment.author,
                    comment.date.isoformat(),
                )  # fmt: skip


def passages(encoder: str) -> list[Passage]:
    """The collection as the indexing of an archive cuts it; ``entry_id`` is made from ``ref``."""
    return [
        Passage(
            passage_id=passage_id(make_id(item.ref), span.start, span.end), revision_id=make_id("r", item.ref),
            entry_id=make_id(item.ref), thread_id=make_id(item.thread), start=span.start, end=span.end, text=span.text,
            title=item.title, site=item.ref.split("/")[0] + ".example", author=item.author, kind=item.kind,
            published=item.published, url=None, parent_author=None, encoder=encoder,
        )
        for item in contributions()
        for span in split_passages(item.text, PASSAGE_WORDS)
    ]  # fmt: skip


def questions() -> list[Question]:
    rows = [line.split("|") for line in QUERIES.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return [Question(kind.strip(), text.strip(), _grades(found)) for kind, text, found in rows]


def _grades(found: str) -> dict[str, int]:
    pairs = [item.partition(":") for item in found.split()]
    return {ref: int(grade or 2) for ref, _, grade in pairs}


def digest() -> str:
    """SHA-256 over the texts and the questions: figures are comparable only between equal digests."""
    sums = hashlib.sha256(QUERIES.read_bytes())
    for item in contributions():
        sums.update(f"{item.ref}\x1f{item.title}\x1f{item.author}\x1f{item.published}\x1f{item.text}\x1e".encode())
    return sums.hexdigest()


def refs_of(index: SearchIndex, ids: list[str]) -> list[str]:
    """Entry ids of passages, each once, in order."""
    return list(dict.fromkeys(row["entry_id"] for row in index.rows(ids)))
