"""CSV and TSV as people and spreadsheet programs write them, row by row, whatever is wrong with their quotation marks."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO

#: Characters that a row may have: a longer one has a quotation mark that was never closed.
MAX_FIELD = 8 * 1024**2


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a CSV or TSV file: the line where it begins, and its fields or the ``problem`` for which it has none."""

    number: int
    fields: list[str]
    problem: str | None = None


class _Lines:
    """The lines of a file, one after the other; some may be put back. ``number`` is the last one's, from 1."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._text = io.TextIOWrapper(handle, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._back: deque[str] = deque()
        self.number = 0

    def take(self) -> str:
        """The next line with its end, at most ``MAX_FIELD`` characters of it; empty at the end of the file."""
        line = self._back.popleft() if self._back else self._text.readline(MAX_FIELD)
        self.number += bool(line)
        return line

    def put_back(self, lines: Sequence[str]) -> None:
        """Have the last lines that were taken come again."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)

    def skip(self) -> None:
        """Pass over what is left of a line of which ``take`` gave the first part."""
        while (part := self._text.readline(MAX_FIELD)) and not part.endswith(("\n", "\r")):
            pass


@dataclass(frozen=True, slots=True)
class _Marks:
    """How fields are told apart: ``opening`` finds a quotation mark that opens one, ``ending`` what follows the closing one.

    Where quotation marks are ``literal``, one whose closing one is followed by anything else opens nothing.
    """

    delimiter: str
    opening: re.Pattern[str]
    ending: re.Pattern[str]
    literal: bool


_CSV = _Marks(",", re.compile('(?:^|,)"'), re.compile(r" *(?:[,\r\n]|\Z)"), literal=False)
_TSV = _Marks("\t", re.compile('(?:^|\t)"'), re.compile(r"[\t\r\n]|\Z"), literal=True)

#: From behind an opening quotation mark up to the one that closes; two of them stand for one.
_INSIDE = re.compile('[^"]*+(?:""[^"]*+)*+"')

#: A field of TSV: in quotation marks that hold all of it, or as it stands.
_TSV_FIELD = re.compile(r'"([^"]*+(?:""[^"]*+)*+)"(?=[\t\r\n]|\Z)|[^\t\r\n]*')


def records(handle: IO[bytes], *, tabs: bool, check: Callable[[bytes], None]) -> Iterator[Record]:
    """The rows of a CSV file (of a TSV file with ``tabs``), header and all, blank lines left out, with memory for ``MAX_FIELD``
    characters. ``check`` is given how the file begins.

    A quoted field that goes on in further lines must be closed by a quotation mark that ends a field (RFC 4180). If the file
    ends before, or ``MAX_FIELD`` characters are over, or the next quotation mark stands within words, it was never closed:
    a row of CSV is a problem then, since nobody can tell where its fields end, and reading goes on in the line after that
    quotation mark. What follows the closing mark in one line belongs to the field, as for Python's ``csv``.

    In TSV, where few programs quote at all, a quotation mark that is not closed so stands for itself. And where each
    line of a quoted field, read by itself, has as many fields as the header, they are rows: that one sentence of a quotation
    begins with a mark and a later one ends with it is more frequent than cells with line ends and just so many tabs. In one
    line, quotation marks hold no tab where the line has as many fields as the header without them only.
    """
    lines, marks, width = _Lines(handle), _TSV if tabs else _CSV, None
    csv.field_size_limit(MAX_FIELD)
    while line := lines.take():
        if lines.number == 1:
            check(line.encode("utf-8", "surrogateescape"))
        if not line.strip("\r\n"):
            continue
        record = _record(line, lines, marks, width)
        width = width or len(record.fields)
        yield record


def _record(line: str, lines: _Lines, marks: _Marks, width: int | None) -> Record:
    """The record that begins with ``line``; ``width`` is how many fields the header has."""
    number = lines.number
    if len(line) >= MAX_FIELD and not line.endswith(("\n", "\r")):
        lines.skip()
        return Record(number, [], f"more than {MAX_FIELD} characters without a line end")
    if '"' not in line:  # much faster
        return Record(number, line.rstrip("\r\n").split(marks.delimiter))
    taken, closed = _gather(line, lines, marks)
    if not marks.literal:
        problem = None if closed else "a quotation mark is never closed"
        return Record(number, [] if problem else next(csv.reader(taken)), problem)
    if len(taken) > 1 and all(len(_tsv_fields(one)) == width for one in taken):
        lines.put_back(taken[1:])
        taken = taken[:1]
    fields = _tsv_fields("".join(taken))
    if len(taken) == 1 and len(fields) != width == line.count(marks.delimiter) + 1:
        fields = line.rstrip("\r\n").split(marks.delimiter)
    return Record(number, fields)


def _gather(line: str, lines: _Lines, marks: _Marks) -> tuple[list[str], bool]:
    """The lines of the record that begins with ``line``, and whether all its quotation marks are closed.

    If one is not, the record ends with the line that has it.
    """
    taken, room = [line], MAX_FIELD - len(line)
    whole = len(taken)  # lines up to the one with the mark that is open
    is_open = _leaves_open(line, 0, marks)
    while is_open:
        line = lines.take()
        room -= len(line)
        taken += [line] if line else []
        closing = _INSIDE.match(line)
        if not line or room < 0 or (closing and not marks.ending.match(line, closing.end())):
            lines.put_back(taken[whole:])
            return taken[:whole], False
        if closing:
            whole, is_open = len(taken), _leaves_open(line, closing.end(), marks)
    return taken, True


def _leaves_open(line: str, start: int, marks: _Marks) -> bool:
    """Whether a quotation mark that opens a field behind ``start`` is not closed in the line."""
    while found := marks.opening.search(line, start):
        closing = _INSIDE.match(line, found.end())
        if closing is None:
            return True
        is_closed = not marks.literal or marks.ending.match(line, closing.end())
        start = closing.end() if is_closed else found.end()
    return False


def _tsv_fields(text: str) -> list[str]:
    fields, place = [], -1
    while place < 0 or text[place : place + 1] == "\t":
        found = _TSV_FIELD.match(text, place + 1)
        assert found is not None  # noqa: S101  # it matches nothing, too
        fields.append(found[0] if found[1] is None else found[1].replace('""', '"'))
        place = found.end()
    return fields
