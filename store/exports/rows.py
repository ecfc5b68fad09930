"""Threads as JSON lines, entries as CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, Any

from store.exports.material import Material, json_line
from store.records import Entry, ThreadDocument
from store.schema import arrow_schema, csv_columns, csv_row, safe_cell, to_row

#: Columns of the thread that every exported entry repeats.
THREAD_COLUMNS = ("thread_url", "thread_title", "site", "platform")


def jsonl(material: Material, out: IO[bytes]) -> int:
    """A thread a line; returns how many."""
    count = 0
    for count, document in enumerate(material.documents(), 1):  # noqa: B007
        out.write(json_line(document.to_json(evidence=True)))
    return count


def _rows(documents: Iterator[ThreadDocument]) -> Iterator[tuple[dict[str, Any], Entry]]:
    for document in documents:
        thread = document.thread
        columns = dict(zip(THREAD_COLUMNS, (thread.url, thread.title, thread.site, thread.platform), strict=True))
        for entry in document.entries:
            yield columns, entry


def csv_table(material: Material, out: IO[bytes]) -> int:
    """An entry a row, after a header; returns how many."""
    columns = [*THREAD_COLUMNS, *csv_columns(Entry)]
    text = io.TextIOWrapper(out, encoding="utf-8", errors="replace", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow(columns)
    count = 0
    for count, (thread, entry) in enumerate(_rows(material.documents()), 1):  # noqa: B007
        row = {**thread, **csv_row(entry)}
        values = (row.get(name) for name in columns)
        writer.writerow([safe_cell(value) if isinstance(value, str) else value for value in values])
    text.detach()
    return count


def parquet(material: Material, out: IO[bytes]) -> int:
    """An entry a row; returns how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([*(pa.field(name, pa.string()) for name in THREAD_COLUMNS), *arrow_schema(Entry)])
    count = 0
    with pq.ParquetWriter(out, schema) as writer:
        for document in material.documents():
            rows = [{**thread, **to_row(entry)} for thread, entry in _rows(iter([document]))]
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                count += len(rows)
    return count
