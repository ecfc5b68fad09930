"""Handing data on: JSON lines (a thread a line), CSV and Parquet (an entry a row)."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from store.errors import UsageError
from store.records import Entry, ThreadDocument
from store.schema import arrow_schema, csv_columns, csv_row, safe_cell, to_row
from store.tables import Tables

#: Columns of the thread that every exported entry repeats.
THREAD_COLUMNS = ("thread_url", "thread_title", "site", "platform")


def export(tables: Tables, kind: str, out: str) -> int:
    """Write all threads (``jsonl``) or entries (``csv``, ``parquet``) to a file, whole or not at all, or to stdout (``-``).

    Returns how many threads or entries were written.
    """
    writers = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
    if kind not in writers:
        raise UsageError(f"--as {kind}: not known", hint="one of " + ", ".join(writers))
    if out == "-":
        if kind == "parquet" and sys.stdout.isatty():
            raise UsageError("Parquet is binary: not onto a terminal", hint="--out FILE")
        count = writers[kind](tables.documents(), sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return count
    return _to_file(Path(out), lambda handle: writers[kind](tables.documents(), handle))


def _to_file(path: Path, write: Any) -> int:
    if path.exists() and not path.is_file():  # a device or pipe: nothing to rename over
        with path.open("wb") as handle:
            return int(write(handle))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            count = int(write(handle))
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        return count
    finally:
        temporary.unlink(missing_ok=True)


def _jsonl(documents: Iterator[ThreadDocument], out: IO[bytes]) -> int:
    count = 0
    for count, document in enumerate(documents, 1):  # noqa: B007
        out.write(json.dumps(document.to_json(evidence=True), ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    return count


def _rows(documents: Iterator[ThreadDocument]) -> Iterator[tuple[dict[str, Any], Entry]]:
    for document in documents:
        thread = document.thread
        columns = dict(zip(THREAD_COLUMNS, (thread.url, thread.title, thread.site, thread.platform), strict=True))
        for entry in document.entries:
            yield columns, entry


def _csv(documents: Iterator[ThreadDocument], out: IO[bytes]) -> int:
    columns = [*THREAD_COLUMNS, *csv_columns(Entry)]
    text = io.TextIOWrapper(out, encoding="utf-8", errors="replace", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow(columns)
    count = 0
    for count, (thread, entry) in enumerate(_rows(documents), 1):  # noqa: B007
        row = {**thread, **csv_row(entry)}
        values = (row.get(name) for name in columns)
        writer.writerow([safe_cell(value) if isinstance(value, str) else value for value in values])
    text.detach()
    return count


def _parquet(documents: Iterator[ThreadDocument], out: IO[bytes]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([*(pa.field(name, pa.string()) for name in THREAD_COLUMNS), *arrow_schema(Entry)])
    count = 0
    with pq.ParquetWriter(out, schema) as writer:
        for document in documents:
            rows = [{**thread, **to_row(entry)} for thread, entry in _rows(iter([document]))]
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                count += len(rows)
    return count
