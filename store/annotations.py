"""Human codings: one JSON line each, appended and synced at once, never rewritten.

A coding is what one coder said of one unit, reading one codebook. A later line of the same unit, coder and codebook stands in
place of the earlier one (``supersedes``), or takes it back (``withdrawn``), so the last line tells what holds. A line that
takes back a recoding repeats what was said before it (``restored``). In an archive the lines of a coder are in
``annotations/CODER.jsonl``; they are ground truth, as the WARC files are.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store.archive import Archive, write_atomically
from store.errors import ArchiveError, ArchiveLocked, UsageError

#: One line as it was read: JSON values by their names.
Coding = dict[str, Any]

#: A coder's name is a file's name too: letters and digits of any script, and few signs; no leading dot or dash.
CODER = re.compile(r"\w[\w.@+-]{0,63}")

#: What the end of a line that was cut off is kept under, beside the file.
TORN = ".torn"

#: Line ends to Unicode but not to JSON. Escaped, so that readers that split at any of them read our lines too.
_LINE_ENDS = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}


def coder_name(name: str) -> str:
    """``name`` in normal form C. Raises ``UsageError`` if no file should be called so."""
    normal = unicodedata.normalize("NFC", name)
    if not CODER.fullmatch(normal):
        raise UsageError(f"coder {name!r}: cannot be a file's name", hint="--coder with letters, digits, . _ - @ +")
    return normal


def coder_file(archive: Archive, coder: str) -> Path:
    """Where a coder's codings are kept in an archive."""
    return archive.annotations_dir / f"{coder}.jsonl"


def current_codings(source: Archive | Path) -> list[Coding]:
    """The newest coding of each unit by each coder with each codebook, those taken back left out.

    ``source`` is an archive (all its coders), a directory of codings, or one file. A line without ``coder`` bears the file's
    name. A last line that is cut off counts for nothing: it is being written, or its writer died. Raises ``ArchiveError``
    for any other line that is no coding.
    """
    place = source.annotations_dir if isinstance(source, Archive) else source
    files = sorted(place.glob("*.jsonl")) if place.is_dir() or isinstance(source, Archive) else [place]
    rows: list[Coding] = []
    for file in files:
        whole, _ = _split(_read(file))
        rows += [{"coder": file.stem, **row} for row in _parsed(whole, file)]
    return newest(rows)


def newest(rows: Iterable[Coding]) -> list[Coding]:
    """Of lines in the order in which they were written, those that still hold, in that order."""
    standing: dict[tuple[str, Any, Any], Coding] = {}
    for row in rows:
        key = (str(row["id"]), row.get("coder"), row.get("codebook"))
        standing.pop(key, None)
        if not row.get("withdrawn"):
            standing[key] = row
    return list(standing.values())


def histories(rows: Iterable[Coding], coder: str, codebook: str) -> dict[str, list[Coding]]:
    """For each unit that a coder has coded with a codebook, what was said of it and not undone, the newest last.

    Units come in the order in which they were last coded; one whose coding was taken back is not among them.
    """
    found: dict[str, list[Coding]] = {}
    for row in rows:
        if row.get("coder") != coder or row.get("codebook") != codebook:
            continue
        said = found.pop(str(row["id"]), [])
        if row.get("withdrawn"):
            continue
        kept = said[:-1] if row.get("restored") else said
        found[str(row["id"])] = kept if kept and row.get("restored") else [*kept, row]
    return found


class Journal:
    """A file of codings, opened to append to. ``rows`` are its lines; ``moved`` is where a torn last line went, if any."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor
        whole, tail = _split(_read(path))
        self.rows: list[Coding] = list(_parsed(whole, path))
        self.moved = self._heal(tail)

    def append(self, row: Coding) -> None:
        """Add one line for good: it is on the disk when this returns, or not in the file at all."""
        self._write(_line(row))
        self.rows.append(row)

    def _write(self, data: bytes) -> None:
        before = os.fstat(self._descriptor).st_size
        try:
            _write_all(self._descriptor, data)
        except OSError:  # a full disk: half a line would be in the way of the next one
            os.ftruncate(self._descriptor, before)
            raise

    def _heal(self, tail: bytes) -> Path | None:
        """Make the end of the file a line's end again; nothing is dropped."""
        if not tail:
            return None
        row = _object(tail)
        if row is not None and _is_coding(row):  # only its line end is missing
            self._write(b"\n")
            self.rows.append(row)
            return None
        if tail.strip(b"\0") and not tail.startswith(b"{"):
            raise _foreign(self.path, "the last line")
        aside = self.path.with_name(self.path.name + TORN)
        target = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _write_all(target, tail + b"\n")
        finally:
            os.close(target)
        os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - len(tail))
        os.fsync(self._descriptor)
        return aside


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """Open a file of codings for the one who writes to it, or make it.

    Raises ``ArchiveLocked`` while another process does so, ``ArchiveError`` if the file holds anything but codings,
    ``UsageError`` if it cannot be a file.
    """
    descriptor = _opened(path)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path}: is no file that codings can be kept in")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveLocked(
                f"{path}: another process is writing to it",
                hint="close the other `chorus label`, or take another --coder",
            ) from None
        _sync_directory(path.parent)
        yield Journal(path, descriptor)
    finally:
        os.close(descriptor)


def erase_texts(archive: Archive, entries: frozenset[str], texts: Sequence[str]) -> int:
    """Take entries' words out of every coding that repeats them, as unit or as context; returns how many lines changed.

    The one case in which lines are written anew: what was decided about a unit stays, what it said does not. Raises
    ``ArchiveLocked`` while someone is coding.
    """
    changed = 0
    for path in sorted(archive.annotations_dir.glob("*.jsonl")):
        with open_journal(path) as journal:
            rows = [_without(row, entries, texts) for row in journal.rows]
            here = sum(new != old for new, old in zip(rows, journal.rows, strict=True))
            if here:
                write_atomically(path, b"".join(map(_line, rows)))
        path.with_name(path.name + TORN).unlink(missing_ok=True)
        changed += here
    return changed


def _without(row: Coding, entries: frozenset[str], texts: Sequence[str]) -> Coding:
    if row.get("entry_id") in entries:
        return {**row, **{name: None for name in ("text", "context", "note", "url") if name in row}}
    context = row.get("context")
    if isinstance(context, str) and context.strip() and any(context.strip() in text for text in texts):
        return {**row, "context": None}
    return row


def _opened(path: Path) -> int:
    try:
        # not to wait for the other end of a named pipe
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o644)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no directory {path.parent}") from None
    except (IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(f"{path}: is no file that codings can be kept in") from error


def _sync_directory(path: Path) -> None:
    """Let a new file's name outlive a power cut too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)


def _line(row: Coding) -> bytes:
    text = json.dumps(row, ensure_ascii=False).translate(_LINE_ENDS)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # lone surrogates
        return json.dumps(row).encode() + b"\n"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"{path}: no such file of codings") from error


def _split(data: bytes) -> tuple[Sequence[bytes], bytes]:
    """Whole lines, and what follows the last line end."""
    whole, _, tail = data.rpartition(b"\n")
    return whole.split(b"\n"), tail


def _parsed(lines: Sequence[bytes], path: Path) -> Iterator[Coding]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row = _object(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
        if row is None or not _is_coding(row):
            raise _foreign(path, f"line {number}")
        yield row


def _foreign(path: Path, where: str) -> ArchiveError:
    return ArchiveError(
        f"{path}: {where} is no coding (JSON with id and label)", hint="mend that line or move the file away"
    )


def _object(line: bytes) -> Coding | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _is_coding(row: Coding) -> bool:
    return row.get("id") is not None and isinstance(row.get("label"), str)
