"""Writing rows to stdout: a table on a terminal, JSON lines in a pipe, or what ``--format`` says.

stdout carries data only; ``note`` and ``Progress`` write to stderr.
"""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TextIO

from store.records import UsageError
from store.schema import safe_cell

FORMATS = ("table", "json", "jsonl", "csv", "tsv")

#: Rows a table looks at to choose its column widths; the rest streams through.
WIDTH_SAMPLE = 200


def choose_format(wanted: str | None, *, as_json: bool = False) -> str:
    """The output format: ``--json``, else ``--format``, else table on a terminal and jsonl in a pipe."""
    if as_json:
        return "json"
    if wanted is None:
        return "table" if sys.stdout.isatty() else "jsonl"
    if wanted not in FORMATS:
        raise UsageError(f"--format {wanted}: not known", hint="one of " + ", ".join(FORMATS))
    return wanted


def emit(rows: Iterable[dict[str, Any]], columns: Sequence[str], fmt: str, *, out: TextIO | None = None) -> int:
    """Write ``rows``; ``columns`` chooses what table, csv and tsv show (JSON shows everything). Returns the count."""
    out = out or sys.stdout
    writers = {"json": _json, "jsonl": _jsonl, "csv": _csv, "tsv": _tsv, "table": _table}
    return writers[fmt](iter(rows), columns, out)


def dumps(value: Any) -> str:
    """One line of JSON, readable characters kept, lone surrogates escaped so that the line is always valid UTF-8."""
    import orjson

    try:
        return orjson.dumps(value).decode()
    except TypeError:  # lone surrogates, integers of more than 64 bits
        return json.dumps(value)


def _jsonl(rows: Iterator[dict[str, Any]], _columns: Sequence[str], out: TextIO) -> int:
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007
        out.write(dumps(row) + "\n")
    return count


def _json(rows: Iterator[dict[str, Any]], _columns: Sequence[str], out: TextIO) -> int:
    values = list(rows)
    out.write(json.dumps(values, ensure_ascii=True, indent=2) + "\n")
    return len(values)


def _csv(rows: Iterator[dict[str, Any]], columns: Sequence[str], out: TextIO) -> int:
    return _delimited(rows, columns, out, ",")


def _tsv(rows: Iterator[dict[str, Any]], columns: Sequence[str], out: TextIO) -> int:
    return _delimited(rows, columns, out, "\t")


def _delimited(rows: Iterator[dict[str, Any]], columns: Sequence[str], out: TextIO, delimiter: str) -> int:
    import csv

    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007
        writer.writerow([_safe_cell(row.get(name)) for name in columns])
    return count


def _safe_cell(value: Any) -> str:
    text = _plain(value)
    return text if isinstance(value, int | float) else safe_cell(text)


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, dict):
        return dumps(value)
    return str(value).encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """``text`` without control characters, so that a hostile page cannot drive the terminal."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs") else " " for c in text)


def display_width(text: str) -> int:
    """Columns that ``text`` takes on a terminal: wide characters count two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in ("Mn", "Me", "Cf") for c in text)


def shorten(text: str, width: int) -> str:
    """``text`` on one line, cut to ``width`` terminal columns with an ellipsis."""
    line = " ".join(printable(text).split())
    if display_width(line) <= width:
        return line
    while line and display_width(line) > width - 1:
        line = line[:-1]
    return line + "…"


def _table(rows: Iterator[dict[str, Any]], columns: Sequence[str], out: TextIO) -> int:
    sample = list(islice(rows, WIDTH_SAMPLE))
    if not sample:
        return 0
    widths = _widths(sample, columns)
    out.write("  ".join(name.upper().ljust(width) for name, width in zip(columns, widths, strict=True)).rstrip() + "\n")
    count = 0
    for count, row in enumerate(chain(sample, rows), 1):  # noqa: B007
        cells = (shorten(_plain(row.get(name)), width) for name, width in zip(columns, widths, strict=True))
        line = "  ".join(cell + " " * (width - display_width(cell)) for cell, width in zip(cells, widths, strict=True))
        out.write(line.rstrip() + "\n")
    return count


def _widths(sample: list[dict[str, Any]], columns: Sequence[str]) -> list[int]:
    """Natural widths, the widest column cut until the line fits the terminal."""
    natural = [max(len(n), *(display_width(shorten(_plain(r.get(n)), 400)) for r in sample)) for n in columns]
    room = shutil.get_terminal_size((120, 24)).columns - 2 * (len(columns) - 1)
    widths = list(natural)
    while sum(widths) > room and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    return widths


def note(message: str, *, quiet: bool = False) -> None:
    """A line for the person, on stderr."""
    if not quiet:
        sys.stderr.write(printable(message) + "\n")
        sys.stderr.flush()


class Progress:
    """Counts on stderr: one line redrawn on a terminal; in a pipe a line now and then; nothing with ``quiet``."""

    def __init__(self, title: str, total: int | None = None, *, quiet: bool = False, every: float = 10.0) -> None:
        self.title, self.total, self.quiet, self.every = title, total, quiet, every
        self.count = 0
        self._start = self._last = 0.0
        self._live = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        import time

        self._start = self._last = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live and not self.quiet and self.count:
            self._write("\n")

    def step(self, n: int = 1, detail: str = "") -> None:
        """Count ``n`` more; ``detail`` is shown behind the count."""
        import time

        self.count += n
        now = time.monotonic()
        if self.quiet or now - self._last < (0.2 if self._live else self.every):
            return
        self._last = now
        line = self._line(now, detail)
        self._write("\r\x1b[K" + shorten(line, 110) if self._live else line + "\n")

    def _line(self, now: float, detail: str) -> str:
        rate = self.count / max(now - self._start, 1e-6)
        of = f"/{self.total}" if self.total else ""
        left = f", {(self.total - self.count) / rate:.0f} s left" if self.total and rate else ""
        return f"{self.title} {self.count}{of} ({rate:.1f}/s{left}) {detail}"

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
