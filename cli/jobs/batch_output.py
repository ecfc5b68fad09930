"""Writing what was classified to a file that survives any end of the process: no row lost, none doubled.

Rows are appended, and twice a second made sure of: the data are synced first, then the manifest beside the file
(``FILE.run.json``) says how many rows and bytes count. What lies behind these bytes is dropped by the next
run, which goes on after the last row that counts. Parquet cannot be appended to; its rows wait in ``FILE.part`` until all are
there.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from cli.output import dumps
from store.archive import Archive
from store.manifest import RunRecorder
from store.records import ArchiveLocked, ChorusError, UsageError
from store.schema import safe_cell

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}

#: Rows turned to Parquet at a time.
PARQUET_BATCH = 1_024

#: Results are synced to the disk every so often: a run that is killed does the work of so long again, most of it from the cache.
COMMIT_SECONDS = 0.5

#: Statuses of a manifest whose file is whole.
FINISHED = ("done", "partial")

#: The one parameter that may change between two attempts: a file may be moved.
INPUT_PATH = "input_path"

_ANEW = "remove it to begin anew, or give another --out"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a result row looks like: its columns, and a row without error as an example of their types."""

    columns: tuple[str, ...]
    example: Mapping[str, Any]


def result_format(path: Path) -> str:
    """``jsonl``, ``csv``, ``tsv`` or ``parquet``, by the file's extension. Raises ``UsageError``."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise UsageError(f"--out {path}: unknown kind of file", hint="one of " + ", ".join(FORMATS)) from None


def manifest_path(out: Path) -> Path:
    """The manifest beside a result file."""
    return out.with_name(out.name + ".run.json")


def read_manifest(path: Path) -> dict[str, Any] | None:
    """A manifest as it was written, or ``None`` if there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("counts"), dict) else None


class FileRun(RunRecorder):
    """The manifest of a run whose result is one file. ``counts`` holds ``rows`` and ``bytes`` that are safely in it."""

    def __init__(self, out: Path, parameters: dict[str, Any], digests: dict[str, str]) -> None:
        super().__init__(Archive(out.parent), "classify", parameters)
        self._path = manifest_path(out)
        self.out, self.digests = out, digests
        self.counts = {"rows": 0, "bytes": 0}

    def save(self) -> None:
        """Write the counts as they are now."""
        self._write(None)

    def resume(self, old: dict[str, Any]) -> None:
        """Go on with the run that the manifest tells of. Raises ``UsageError`` if that was another."""
        for kind, before, now in (
            *(
                (name, old.get("digests", {}).get(name), self.digests.get(name))
                for name in ("input", "model", "codebook")
            ),
            *((name, old.get("parameters", {}).get(name), value) for name, value in self.parameters.items()),
        ):
            if before != now and kind != INPUT_PATH:
                raise UsageError(f"{self.out}: was begun with another {kind} ({before}, now {now})", hint=_ANEW)
        has_begun = old["counts"].get("rows") or old["status"] in FINISHED
        if "input" not in self.digests and has_begun:
            raise UsageError(f"{self.out}: was begun from stdin, which cannot be read again", hint=_ANEW)
        self.run_id, self._started = str(old["run_id"]), str(old["started_at"])
        self.counts.update(old["counts"])
        if old["status"] in FINISHED:
            self.status = old["status"]

    @property
    def is_finished(self) -> bool:
        """Whether the file is whole already."""
        return self.status in FINISHED


class ResultFile:
    """A result file being written: ``append`` rows, then ``finish``."""

    def __init__(self, run: FileRun, shape: Shape, handle: IO[bytes]) -> None:
        self._run, self._shape, self._handle = run, shape, handle
        self._format = result_format(run.out)
        self._waiting: Counter[str] = Counter()
        self._committed = time.monotonic()

    def append(self, rows: Sequence[Mapping[str, Any]], counts: Mapping[str, int]) -> None:
        """Add rows; ``counts`` (name to how many more) go into the manifest with them. They are there for good after the next
        ``commit``, which comes by itself every ``COMMIT_SECONDS``."""
        data = self._encoded(rows)
        self._handle.write(data)
        self._waiting.update({**counts, "rows": len(rows), "bytes": len(data)})
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """See that rows and manifest are on the disk: the rows first, and what is not there does not count."""
        self._handle.flush()
        os.fsync(self._handle.fileno())
        for name, more in self._waiting.items():
            self._run.counts[name] = self._run.counts.get(name, 0) + more
        self._waiting.clear()
        self._run.save()
        self._committed = time.monotonic()

    def finish(self) -> None:
        """Make the file whole."""
        self.commit()
        if self._format == "parquet":
            _to_parquet(Path(self._handle.name), self._run.out, self._shape)

    def _encoded(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        if self._format in ("jsonl", "parquet"):
            return "".join(dumps(row) + "\n" for row in rows).encode()
        header = self._run.counts["bytes"] + self._waiting["bytes"] == 0
        return delimited(rows, self._shape, self._format, header=header, line_end="\r\n").encode()  # RFC 4180


def delimited(
    rows: Iterable[Mapping[str, Any]], shape: Shape, fmt: str, *, header: bool = False, line_end: str = "\n"
) -> str:
    """Rows as ``csv`` or ``tsv``, under a line of the columns' names if they need a ``header``."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t" if fmt == "tsv" else ",", lineterminator=line_end)
    if header:
        writer.writerow(shape.columns)
    writer.writerows([_cell(row.get(name)) for name in shape.columns] for row in rows)
    return text.getvalue().encode("utf-8", "replace").decode()


@contextmanager
def result_file(run: FileRun, shape: Shape) -> Iterator[ResultFile | None]:
    """Open the run's file to go on where it stopped; ``None`` if it is whole already.

    Raises ``ArchiveLocked`` while another process writes to it, ``UsageError`` if it is not this run's.
    """
    journal = run.out if result_format(run.out) != "parquet" else run.out.with_name(run.out.name + ".part")
    with _locked(journal) as handle:
        _prepare(run, handle)
        if run.is_finished:
            yield None
        else:
            with run:
                result = ResultFile(run, shape, handle)
                try:
                    yield result
                finally:
                    result.commit()
        if journal != run.out and run.is_finished:
            journal.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes]]:
    fresh = not path.exists()
    try:
        handle = path.open("ab")
    except OSError as error:
        raise UsageError(f"--out {path}: cannot be written ({error.strerror})") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveLocked(f"{path}: another process is writing to it", hint="wait until it is done") from None
        try:
            yield handle
        except ChorusError:
            if fresh and not path.stat().st_size:
                path.unlink()
            raise


def _prepare(run: FileRun, handle: IO[bytes]) -> None:
    """Find out how far an earlier run came, and cut off what does not count."""
    old, size = read_manifest(run._path), os.fstat(handle.fileno()).st_size
    whole = handle.name != str(run.out) and run.out.exists()  # a Parquet file, whose rows waited elsewhere
    if old is None:
        if size or whole:
            raise UsageError(f"{run.out}: is there already, without a manifest to go on from", hint=_ANEW)
        return
    if size == 0 and not whole:  # the file was removed, its manifest was not: begun anew
        return
    run.resume(old)
    if run.is_finished and (whole or size >= run.counts["bytes"]):
        return
    run.status = "running"
    if size < run.counts["bytes"]:
        raise UsageError(f"{run.out}: is shorter than its manifest says ({size} bytes)", hint=_ANEW)
    os.ftruncate(handle.fileno(), run.counts["bytes"])


def _cell(value: Any) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    return safe_cell(value) if isinstance(value, str) else dumps(value)


# -- Parquet -------------------------------------------------------------------------------------------------------


def _to_parquet(lines: Path, out: Path, shape: Shape) -> None:
    """Turn the collected lines into one Parquet file, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, _arrow_type(name, shape.example.get(name))) for name in shape.columns])
    as_text = [field.name for field in schema if pa.types.is_string(field.type)]
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle, lines.open(encoding="utf-8") as source:
            with pq.ParquetWriter(handle, schema) as writer:
                while batch := [_arrow_row(line, as_text) for line in islice(source, PARQUET_BATCH)]:
                    writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def _arrow_type(name: str, value: Any) -> Any:
    """The type of a column by an example; lists whose example is empty, and what has no fixed form, become JSON text."""
    import pyarrow as pa

    if name == "cues":
        text, number = pa.string(), pa.int64()
        return pa.list_(pa.struct([("type", text), ("text", text), ("start", number), ("end", number)]))
    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int | float):
        return pa.float64()
    if isinstance(value, Mapping) and value and all(isinstance(v, float) for v in value.values()):
        return pa.struct([(key, pa.float64()) for key in value])
    return pa.string()


def _arrow_row(line: str, as_text: Iterable[str]) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(line.encode("utf-8", "replace"))
    for name in as_text:
        if row.get(name) is not None and not isinstance(row[name], str):
            row[name] = dumps(row[name])
    cleaned: dict[str, Any] = _clean(row) if "\\ud" in line else row
    return cleaned


def _clean(value: Any) -> Any:
    """``value`` without lone surrogates, which Arrow cannot take."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return value
