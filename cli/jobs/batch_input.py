"""Reading what shall be classified: JSON lines, CSV, TSV or Parquet, row by row with flat memory.

A row that cannot be classified comes out marked with its error; a file that cannot be used at all raises ``UsageError``.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cli.jobs.delimited import Record, records
from store.records import ChorusError, NothingFound, UsageError

if TYPE_CHECKING:
    from nlp.classify import Item

#: If none of so many rows at the start has an id and a text, the file is something else.
PROBE = 20

#: Rows whose ids are looked up together, fewer where their texts are long.
LOOKUP, LOOKUP_CHARACTERS = 256, 1_000_000

#: Rows read from a Parquet file at a time.
PARQUET_BATCH = 1_024

#: What stands in a ``role`` column. Pingbacks and trackbacks are other people's words, as comments are.
ROLES = {"post": "post", "comment": "comment", "pingback": "comment", "trackback": "comment", "": "comment"}

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}

#: What ``--input-as`` may say.
READ_AS = tuple(dict.fromkeys(FORMATS.values()))

#: How a compressed file begins, what it is, and what unpacks it to stdout.
COMPRESSED = {
    b"\x1f\x8b": ("gzip", "zcat"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstdcat"),
    b"\xfd7zXZ": ("xz", "xzcat"),
    b"BZh91AY&SY": ("bzip2", "bzcat"),
}

#: How UTF-16 begins.
UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_EXAMPLE = 'one object a line: {"id": "1", "text": "…", "context": null, "role": "comment"}'


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read, or ``-``; the columns (in JSON: keys) that hold the text and its id; what it is read as, if that does
    not go by its name."""

    path: str
    text_column: str = "text"
    id_column: str = "id"
    read_as: str | None = None

    @property
    def name(self) -> str:
        """What errors call it."""
        return "stdin" if self.path == "-" else self.path

    @property
    def format(self) -> str:
        """``jsonl``, ``csv``, ``tsv`` or ``parquet``; what has no name of its own is JSON lines."""
        return self.read_as or FORMATS.get(Path(self.path).suffix.lower(), "jsonl")

    @property
    def unit(self) -> str:
        """What a row's number counts."""
        return "row" if self.format == "parquet" else "line"


#: Columns that may say which page a row stands on, the first that is there (see ``nlp.page``).
PAGE_COLUMNS = ("thread_id", "thread", "page")


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row: what to classify, or the ``error`` for which it cannot be. ``number`` is its line, or in Parquet its row.

    ``broken`` says that it does not even have the shape of a row.
    """

    number: int
    id: str | None
    item: Item | None = None
    error: str | None = None
    broken: bool = False


def read_rows(source: Source, *, longest: int | None = None) -> Iterator[InputRow]:
    """Every row, in order. Texts of more than ``longest`` characters are marked, and ids that were there before.

    Raises ``UsageError`` with the place when the file is missing, lacks a column or holds nothing like rows,
    ``NothingFound`` when it holds nothing at all.
    """
    readers: dict[str, Callable[[Source], Iterator[InputRow]]] = {
        "jsonl": _json_rows, "csv": _delimited_rows, "tsv": _delimited_rows, "parquet": _parquet_rows,
    }  # fmt: skip
    rows = _usable(readers[source.format](source), source)
    return _without_repeats((_measured(row, source, longest) for row in rows), source)


def count_rows(source: Source) -> int | None:
    """How many rows there are, for progress; ``None`` where that cannot be told beforehand."""
    if source.path == "-" or not Path(source.path).is_file():
        return None
    if source.format == "parquet":
        with _parquet(source) as file:
            return int(file.metadata.num_rows)
    with _open(source) as handle:
        if source.format == "jsonl":
            return sum(1 for line in handle if line.strip())
        return max(sum(1 for _ in _records(handle, source)) - 1, 0)


def input_digest(source: Source) -> str | None:
    """``sha256:…`` over the file's bytes; ``None`` for stdin, which cannot be read twice."""
    if source.path == "-" or (Path(source.path).exists() and not Path(source.path).is_file()):
        return None
    with _open(source) as handle:
        return "sha256:" + hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]  # a binary file


# -- the formats ---------------------------------------------------------------------------------------------------


@contextmanager
def _open(source: Source) -> Iterator[IO[bytes]]:
    if source.path == "-":
        yield sys.stdin.buffer
        return
    try:
        handle = open(source.path, "rb")  # noqa: SIM115, PTH123  # closed below; an error of the caller's is no error of opening
    except FileNotFoundError as error:
        raise UsageError(f"{source.name}: no such file") from error
    except IsADirectoryError as error:
        raise UsageError(f"{source.name}: a directory, not a file") from error
    except OSError as error:
        raise UsageError(f"{source.name}: cannot be read ({error.strerror})") from error
    with handle:
        yield handle


def _check_start(line: bytes, source: Source) -> None:
    """Raise ``UsageError`` if a file that begins so is no plain UTF-8."""
    if line.startswith(UTF_16):
        raise UsageError(f"{source.name}: is UTF-16", hint="save it as UTF-8")
    found = next((kind for start, kind in COMPRESSED.items() if line.startswith(start)), None)
    if found is not None:
        name = "FILE" if source.path == "-" else shlex.quote(source.path)
        inside = FORMATS.get(Path(source.path).with_suffix("").suffix.lower(), source.format)
        piped = {"jsonl": "--input -", "parquet": None}.get(inside, f"--input - --input-as {inside}")
        unpack = f"{found[1]} {name} | chorus classify {piped}" if piped else "unpack it first"
        raise UsageError(f"{source.name}: is compressed ({found[0]})", hint=unpack)


def _json_rows(source: Source) -> Iterator[InputRow]:
    with _open(source) as lines:
        for number, line in enumerate(lines, 1):
            if number == 1:
                _check_start(line, source)
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
                yield _json_row(line, number, source)


def _json_row(line: bytes, number: int, source: Source) -> InputRow:
    try:
        row = _loaded(line, source.id_column)
    except UnicodeDecodeError:
        return _broken(number, source, "not UTF-8")
    except (ValueError, RecursionError):
        return _broken(number, source, "not JSON")
    return _row(row, number, source) if isinstance(row, dict) else _broken(number, source, "not a JSON object")


def _loaded(line: bytes, id_column: str) -> Any:
    import orjson

    try:
        row = orjson.loads(line)
        if isinstance(row, dict) and not isinstance(row.get(id_column), float):
            return row
    except ValueError:
        pass
    # Slower, but it takes lone surrogates, and a whole number of more than 64 bits stays one.
    return json.loads(line.decode("utf-8", "surrogatepass"))


def _records(handle: IO[bytes], source: Source) -> Iterator[Record]:
    return records(handle, tabs=source.format == "tsv", check=lambda start: _check_start(start, source))


def _delimited_rows(source: Source) -> Iterator[InputRow]:
    with _open(source) as handle:
        header: list[str] | None = None
        for record in _records(handle, source):
            if record.problem is not None and header is not None:
                yield _broken(record.number, source, record.problem)
            elif header is not None:
                yield _delimited_row(record.fields, header, record.number, source)
            elif record.problem is not None:
                raise UsageError(f"{source.name}, line {record.number}: {record.problem}")
            else:
                header = _checked_header([name.strip() for name in record.fields], source)


def _checked_header(names: list[str], source: Source) -> list[str]:
    for option, name in (("--id-column", source.id_column), ("--text-column", source.text_column)):
        if names.count(name) != 1:
            problem = "no column" if name not in names else "more than one column"
            shown = ", ".join(names[:20])
            raise UsageError(f"{source.name}, line 1: {problem} {name!r} (there are: {shown})", hint=f"{option} NAME")
    return names


def _delimited_row(row: list[str], header: list[str], number: int, source: Source) -> InputRow:
    if len(row) != len(header):
        return _broken(number, source, f"{len(row)} fields where the header has {len(header)}")
    try:
        "".join(row).encode()
    except UnicodeEncodeError:  # bytes that were no UTF-8 came in as lone surrogates
        return _broken(number, source, "not UTF-8")
    return _row(dict(zip(header, row, strict=True)), number, source)


@contextmanager
def _parquet(source: Source) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _open(source):  # for its errors
        pass
    try:
        file = pq.ParquetFile(source.path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{source.name}: not readable as Parquet ({reason})") from error
    with closing(file):
        yield file


def _parquet_rows(source: Source) -> Iterator[InputRow]:
    import pyarrow as pa

    with _open(source) as handle:
        if not handle.read(1):  # as an empty file of any other kind
            return
    with _parquet(source) as file:
        names = _checked_header(list(file.schema_arrow.names), source)
        wanted = [n for n in (source.id_column, source.text_column, "context", "role") if n in names]
        done = 0
        try:
            for batch in file.iter_batches(PARQUET_BATCH, columns=list(dict.fromkeys(wanted))):
                for number, row in enumerate(batch.to_pylist(), done + 1):
                    yield _row(row, number, source)
                done += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(f"{source.name}, after row {done}: damaged Parquet ({reason})") from error


# -- rows ----------------------------------------------------------------------------------------------------------


def _broken(number: int, source: Source, problem: str) -> InputRow:
    return InputRow(number, None, error=f"{source.unit} {number}: {problem}", broken=True)


def _row(row: Mapping[str, Any], number: int, source: Source) -> InputRow:
    name = _name(row.get(source.id_column))
    problem = _problem(row, name, source)
    if problem is not None:
        kept, what = name, f"{source.unit} {number}: {problem}"
        broken = source.id_column not in row or not isinstance(row.get(source.text_column), str)
        return InputRow(number, kept, error=what, broken=broken)
    role = ROLES[(row.get("role") or "").strip().lower()]
    page = next((str(row[key]) for key in PAGE_COLUMNS if row.get(key)), None)
    return InputRow(
        number, name, _item_type()(str(name), row[source.text_column], row.get("context") or None, role, page)
    )


@cache
def _item_type() -> type[Item]:
    from nlp.classify import Item

    return Item


def _name(value: object) -> str | None:
    """An id as text: text or a whole number, nothing else."""
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _problem(row: Mapping[str, Any], name: str | None, source: Source) -> str | None:
    """Why a row cannot be classified, or ``None``."""
    text, context, role = row.get(source.text_column), row.get("context"), row.get("role")
    if name is None:
        return f"no {source.id_column}" if row.get(source.id_column) in (None, "") else f"{source.id_column} is no text"
    if text is None:
        return f"no {source.text_column}"
    if not isinstance(text, str):
        return f"{source.text_column} is no text"
    if not text.strip("\x00 \t\r\n\f\v\u00a0\u200b\ufeff"):
        return "empty text"
    if context is not None and not isinstance(context, str):
        return "context must be text or null"
    if role is not None and not (isinstance(role, str) and role.strip().lower() in ROLES):
        return "role must be post or comment"
    return None


def _measured(row: InputRow, source: Source, longest: int | None) -> InputRow:
    if row.item is None or longest is None or len(row.item.text) <= longest:
        return row
    problem = f"{len(row.item.text)} characters are no sentence; --unit entry reads longer texts"
    return replace(row, item=None, error=f"{source.unit} {row.number}: {problem}")


def _usable(rows: Iterable[InputRow], source: Source) -> Iterator[InputRow]:
    """The rows, unless there are none or the first ``PROBE`` of them are all broken: the first one's error is the file's then."""
    doubtful: list[InputRow] | None = []
    for row in rows:
        if doubtful is None or not row.broken:
            yield from doubtful or ()
            doubtful = None
            yield row
            continue
        doubtful.append(row)
        if len(doubtful) == PROBE:
            break
    if doubtful:
        raise UsageError(f"{source.name}, {doubtful[0].error}", hint=_EXAMPLE if source.format == "jsonl" else None)
    if doubtful is not None:
        raise NothingFound(f"{source.name}: holds no rows")


def _without_repeats(rows: Iterable[InputRow], source: Source) -> Iterator[InputRow]:
    """Rows, those marked whose id was there before. What was seen is kept on disk, 64 bits of each id's hash."""
    with closing(sqlite3.connect("")) as seen:
        seen.execute("PRAGMA journal_mode = OFF")
        seen.execute("PRAGMA cache_size = -8192")
        seen.execute("CREATE TABLE seen (hash INTEGER PRIMARY KEY, number INTEGER)")
        for chunk in in_chunks(rows, LOOKUP, LOOKUP_CHARACTERS):
            for row, first in zip(chunk, _first_places(seen, chunk), strict=True):
                if first is None or row.error is not None:
                    yield row
                else:
                    problem = f"{source.id_column} {row.id} was there before, in {source.unit} {first}"
                    yield replace(row, item=None, error=f"{source.unit} {row.number}: {problem}")


def _first_places(seen: sqlite3.Connection, chunk: Sequence[InputRow]) -> list[int | None]:
    """Where each row's id stood first, or ``None`` if this is the first time."""
    keys = [None if row.id is None else _id_key(row.id) for row in chunk]
    marks = ",".join("?" * len(keys))
    query = f"SELECT hash, number FROM seen WHERE hash IN ({marks})"  # noqa: S608  # question marks only
    places: dict[int, int] = dict(seen.execute(query, keys))
    out: list[int | None] = []
    fresh: list[tuple[int, int]] = []
    for row, key in zip(chunk, keys, strict=True):
        out.append(None if key is None else places.get(key))
        if key is not None and key not in places:
            places[key] = row.number
            fresh.append((key, row.number))
    seen.executemany("INSERT INTO seen VALUES (?, ?)", fresh)
    return out


def _id_key(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def in_chunks(rows: Iterable[InputRow], size: int, characters: int) -> Iterator[list[InputRow]]:
    """Rows in lists of ``size``, fewer where their texts are long. An error comes up after the rows that stood before it."""
    chunk: list[InputRow] = []
    length = 0
    try:
        for row in rows:
            chunk.append(row)
            length += len(row.item.text) if row.item else 0
            if len(chunk) == size or length > characters:
                yield chunk
                chunk, length = [], 0
    except ChorusError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk
