"""What an export is made of: the threads, what was said of their units by the machine and by people, and how it is written."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from store.annotations import Coding, current_codings
from store.archive import Archive
from store.errors import UsageError
from store.exports.pseudonyms import Pseudonyms
from store.filters import quote
from store.manifest import list_runs
from store.records import Entry, ThreadDocument
from store.tables import Tables

#: Left in every directory that an export makes, so that a later one knows whose it is and may replace it.
MARK = ".chorus-export"

#: What an export needs of a label.
LABEL_COLUMNS = ("revision_id", "start", "label", "probabilities", "model", "codebook")

#: Where a text is cut into units: start and end of each, in characters.
Splitter = Callable[[str], Iterable[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence or an entry to hand on. ``called`` is the machine's row (a label with its probabilities and model), ``coded``
    what people said, each of them; ``context`` is the sentence before, or for a whole entry the text that it answers."""

    id: str
    text: str
    context: str | None
    entry: Entry
    document: ThreadDocument
    called: Mapping[str, Any] | None
    coded: tuple[Coding, ...]

    @property
    def about(self) -> dict[str, Any]:
        """Where it stands: what every annotation tool gets to keep with it."""
        return {
            "id": self.id,
            "entry_id": self.entry.entry_id,
            "thread_id": self.entry.thread_id,
            "role": "post" if self.entry.kind == "post" else "comment",
            "author": self.entry.author,
            "published": self.entry.published,
            "url": self.entry.url or self.document.thread.url,
        }


@dataclass(frozen=True, kw_only=True)
class Material:
    """An archive to export. ``labels`` are the codebook's, in order; ``split`` cuts texts into sentences (``None``: the units
    are whole entries); ``names`` stand in for people, where they shall."""

    archive: Archive
    labels: tuple[str, ...]
    version: str
    codebook: Mapping[str, Any] = field(default_factory=dict)
    split: Splitter | None = None
    names: Pseudonyms | None = None

    @cached_property
    def tables(self) -> Tables:
        """The archive's tables."""
        return Tables.open(self.archive)

    def documents(self) -> Iterator[ThreadDocument]:
        """All threads, by URL, under the names that they shall bear."""
        for document in self.tables.documents():
            yield self.names.document(document) if self.names else document

    @cached_property
    def labellings(self) -> Mapping[str, tuple[str, str]]:
        """Model and codebook of the newest classification by unit, ``sentence`` or ``entry``, where there was one."""
        return {
            run.parameters.get("unit", "sentence"): (run.digests["model"], run.digests["codebook"])
            for run in list_runs(self.archive)
            if run.command == "classify" and {"model", "codebook"} <= set(run.digests)
        }

    def units(self) -> Iterator[Unit]:
        """The units of all visible entries with words in them, in the order of the pages."""
        codings = self._codings
        for original in self.tables.documents():
            document = self.names.document(original) if self.names else original
            shown = {entry.revision_id: entry for entry in document.entries}
            called = self.called(original, "sentence" if self.split else "entry")
            texts = {entry.entry_id: entry.text for entry in original.entries}
            before_all = original.post.text if original.post else None
            for entry in original.entries:
                if entry.state != "visible" or not entry.text.strip():
                    continue
                answers = None if entry.kind == "post" else texts.get(entry.parent_id or "", before_all)
                for start, end, context in self._spans(entry.text, answers):
                    key = f"{entry.revision_id}:{start}" if self.split else entry.revision_id
                    yield Unit(
                        id=key,
                        text=self._masked(entry.text[start:end], original) or "",
                        context=self._masked(context, original),
                        entry=shown[entry.revision_id],
                        document=document,
                        called=called.get((entry.revision_id, start)),
                        coded=tuple(codings.get(key, ())),
                    )

    def _spans(self, text: str, answers: str | None) -> Iterator[tuple[int, int, str | None]]:
        if self.split is None:
            yield 0, len(text), answers
            return
        before = None
        for start, end in self.split(text):
            yield start, end, before
            before = text[start:end]

    def _masked(self, text: str | None, document: ThreadDocument) -> str | None:
        return self.names.text(text, document) if text is not None and self.names else text

    def called(self, document: ThreadDocument, unit: str) -> dict[tuple[str, int], dict[str, Any]]:
        """The machine's labels of a thread's sentences or entries, by revision and start."""
        if unit not in self.labellings:
            return {}
        model, codebook = map(quote, self.labellings[unit])
        where = f"unit = {quote(unit)} AND model = {model} AND codebook = {codebook}"
        where += f" AND thread_id = {quote(document.thread.thread_id)}"
        return {(row["revision_id"], row["start"]): row for row in self.tables.rows("labels", where, LABEL_COLUMNS)}

    def sentence_counts(self, document: ThreadDocument) -> Mapping[str, Counter[str]]:
        """By revision, how many of its sentences bear each label."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for (revision, _), row in self.called(document, "sentence").items():
            found[revision][row["label"]] += 1
        return found

    @cached_property
    def _codings(self) -> dict[str, list[Coding]]:
        found: dict[str, list[Coding]] = {}
        for row in current_codings(self.archive):
            if row.get("label") is not None:
                found.setdefault(str(row["id"]), []).append(row)
        return found

    def coder(self, coding: Coding) -> str | None:
        """Who coded, under the name that he shall bear."""
        name = coding.get("coder")
        return self.names.of(str(name)) if name and self.names else name


def probabilities(row: Mapping[str, Any]) -> dict[str, float]:
    """A machine's probabilities by label."""
    return {p["label"]: round(p["probability"], 6) for p in row["probabilities"]}


def json_line(value: Any) -> bytes:
    """One line of JSON, readable characters kept; what no UTF-8 can hold becomes a question mark."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def write_file(path: Path, write: Callable[[IO[bytes]], int]) -> int:
    """Have ``write`` fill a file, whole or not at all; into a device or pipe directly."""
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise UsageError(f"--out {path}: a directory, not a file")
        with told_of(path):
            handle = path.open("wb")
        with handle:
            return write(handle)
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: there is no directory {path.parent}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with told_of(path):
        handle = temporary.open("wb")
    try:
        with handle:
            count = write(handle)
            handle.flush()
            os.fsync(handle.fileno())
        with told_of(path):
            temporary.replace(path)
        return count
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """An error of the system about the place given, not about a temporary file in it."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"--out {path}: cannot be written ({error.strerror})") from error


def write_directory(path: Path, write: Callable[[Path], int]) -> int:
    """Have ``write`` fill a directory, whole or not at all. It takes the place of an earlier export's, of nothing else."""
    if path.exists() and not (path.is_dir() and ((path / MARK).exists() or not any(path.iterdir()))):
        raise UsageError(f"--out {path}: is there already, and no export made it", hint="name a new directory")
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: there is no directory {path.parent}")
    with told_of(path):
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        temporary.chmod(0o755)
        count = write(temporary)
        (temporary / MARK).touch()
        old = temporary.with_name(temporary.name + ".old")
        if path.exists():
            path.replace(old)  # only beside it, so that a crash here loses neither
        temporary.replace(path)
        shutil.rmtree(old, ignore_errors=True)
        return count
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
