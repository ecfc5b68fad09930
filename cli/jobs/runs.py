"""Runs: what was done to an archive or a file, and where two classifications differ."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cli.jobs.batch_input import Source, input_digest, read_rows
from cli.jobs.batch_output import INPUT_PATH, manifest_path, read_manifest
from store.archive import Archive
from store.manifest import list_runs
from store.records import LABELS, NothingFound, Run, UsageError
from store.schema import FORMULA_STARTS

#: Digits of an id that name a run in a list, and the fewest that name it in a command.
SHORT, FEWEST = 8, 4

NOT_CLASSIFIED = "not classified"

#: Rows of a Parquet file, or inserted into the table of comparison, at a time.
BATCH = 1_024


@dataclass(frozen=True, slots=True)
class Side:
    """One of two classifications: ``name`` as it was given, and which model read which codebook."""

    name: str
    model: str | None
    codebook: str | None


@dataclass(frozen=True, slots=True)
class Example:
    """A unit that changed its label: ``id`` and ``text`` (``None`` if the file does not hold it), labels, probabilities."""

    id: str
    text: str | None
    a: str
    b: str
    a_probability: float | None
    b_probability: float | None


@dataclass(frozen=True, slots=True)
class RunsDiff:
    """How two classifications differ. ``confusion[x][y]`` counts the units that ``a`` calls x and ``b`` calls y.

    ``kappa`` is Cohen's, ``None`` where both give one and the same label throughout. ``examples`` are the changes of which
    both were surest, first.
    """

    a: Side
    b: Side
    compared: int
    changed: int
    only_a: int
    only_b: int
    kappa: float | None
    confusion: dict[str, dict[str, int]]
    examples: tuple[Example, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values; ``share_changed`` lies between 0 and 1."""
        share = self.changed / self.compared if self.compared else None
        return {**asdict(self), "examples": [asdict(example) for example in self.examples], "share_changed": share}


def run_rows(path: Path) -> list[dict[str, Any]]:
    """The archive's runs, oldest first: id, command, started, status, counts. One that died says so."""
    archive = Archive.open(path)
    found = list_runs(archive)
    running = found[-1].run_id if found and _writer(archive) else None  # one writes at a time, so only the last can
    return [
        {
            "id": run.run_id[:SHORT],
            "command": run.command,
            "started": run.started_at,
            "finished": run.finished_at,
            "status": "died" if run.status == "running" and run.run_id != running else run.status,
            "counts": run.counts,
            "run_id": run.run_id,
        }
        for run in found
    ]


def _writer(archive: Archive) -> bool:
    """Whether a process of this machine that took the archive's lock is still there."""
    try:
        os.kill(int(json.loads((archive.root / ".lock").read_bytes())["pid"]), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return False
    return True


def run_manifest(path: Path, name: str) -> dict[str, Any]:
    """The manifest of one run: by its id, the start of one, or a result file of ``classify --out``."""
    found = _file_manifest(name)
    return found if found is not None else asdict(_find(Archive.open(path), name))


def _file_manifest(name: str) -> dict[str, Any] | None:
    file = Path(name)
    if not file.is_file():
        return None
    manifest = read_manifest(file if file.name.endswith(".run.json") else manifest_path(file))
    if manifest is None:
        raise UsageError(f"{name}: has no manifest beside it", hint="chorus classify --out FILE writes FILE.run.json")
    return manifest


def _find(archive: Archive, name: str) -> Run:
    if len(name) < FEWEST:
        raise UsageError(f"{name}: too short for a run's id", hint=f"give at least {FEWEST} characters")
    found = [run for run in list_runs(archive) if run.run_id.startswith(name.lower())]
    if not found:
        raise NothingFound(f"{name}: no such run, and no such file", hint="chorus runs lists them")
    if len(found) > 1:
        raise UsageError(f"{name}: stands for {len(found)} runs", hint="give more of the id")
    return found[0]


# -- comparing -----------------------------------------------------------------------------------------------------

#: A unit in comparison: its key, label, the label's probability, the text.
Unit = tuple[str, str, float | None, str | None]


def diff_runs(path: Path, a: str, b: str, *, examples: int = 10) -> RunsDiff:
    """Compare two classifications, each a run of the archive or a result file. ``examples`` is how many changes to show.

    A run of an archive stands for all that its model, reading its codebook, says of the archive now: a later run with the
    same model labels only what is new. Raises ``UsageError`` where there is nothing to compare.
    """
    with closing(sqlite3.connect("")) as table:
        table.execute("PRAGMA journal_mode = OFF")
        sides = []
        for which, name in (("a", a), ("b", b)):
            table.execute(f"CREATE TABLE {which} (key TEXT PRIMARY KEY, label TEXT, p REAL, text TEXT) WITHOUT ROWID")
            side, units = _side(path, name)
            rows = ((*_clean(key), label, p, *_clean(text)) for key, label, p, text in units)
            table.executemany(f"INSERT OR IGNORE INTO {which} VALUES (?, ?, ?, ?)", rows)  # noqa: S608  # "a" or "b"
            sides.append(side)
        found = _compare(table, sides[0], sides[1], examples)
    return replace(found, examples=tuple(_with_texts(found.examples, a, b)))


def _with_texts(examples: Iterable[Example], *names: str) -> Iterator[Example]:
    """Examples of result files with their texts, where the classified file is still there as it was."""
    examples = tuple(examples)
    wanted = {example.id for example in examples if example.text is None}
    texts: dict[str, str] = {}
    for name in names if wanted else ():
        manifest = read_manifest(manifest_path(Path(name.removesuffix(".run.json")))) or {}
        texts = texts or _texts(manifest, wanted)
    for example in examples:
        yield replace(example, text=example.text or texts.get(example.id))


def _texts(manifest: dict[str, Any], wanted: set[str]) -> dict[str, str]:
    try:
        parameters = manifest["parameters"]
        source = Source(parameters[INPUT_PATH], parameters["text_column"], parameters["id_column"])
        if input_digest(source) != manifest["digests"]["input"]:
            return {}
        return {row.item.id: row.item.text for row in read_rows(source) if row.item and row.item.id in wanted}
    except (KeyError, TypeError, UsageError):
        return {}


def _clean(text: str | None) -> tuple[str | None]:
    """SQLite takes no lone surrogates."""
    return (None if text is None else text.encode("utf-8", "replace").decode(),)


def _compare(table: sqlite3.Connection, a: Side, b: Side, examples: int) -> RunsDiff:
    pairs = table.execute("SELECT a.label, b.label, count(*) FROM a JOIN b USING (key) GROUP BY 1, 2").fetchall()
    compared = sum(n for _, _, n in pairs)
    if not compared:
        raise UsageError(
            f"{a.name} and {b.name}: have no unit in common", hint="compare runs over the same input and unit"
        )
    changes = table.execute(
        "SELECT key, coalesce(a.text, b.text), a.label, b.label, a.p, b.p FROM a JOIN b USING (key) "
        "WHERE a.label <> b.label ORDER BY min(coalesce(a.p, 0), coalesce(b.p, 0)) DESC, key LIMIT ?",
        (examples,),
    )
    only = [
        int(table.execute(f"SELECT count(*) FROM {x} LEFT JOIN {y} USING (key) WHERE {y}.key IS NULL").fetchone()[0])  # noqa: S608
        for x, y in ("ab", "ba")
    ]
    counts = {(x, y): n for x, y, n in pairs}
    names = _in_order({x for x, _ in counts} | {y for _, y in counts})
    return RunsDiff(
        a, b, compared, sum(n for (x, y), n in counts.items() if x != y), only[0], only[1], _kappa(counts, compared),
        {x: {y: counts.get((x, y), 0) for y in names} for x in names},
        tuple(Example(*row) for row in changes),
    )  # fmt: skip


def _in_order(names: set[str]) -> list[str]:
    """The codebook's labels in its order, others after them."""
    known = [*LABELS, *sorted(names - {*LABELS, NOT_CLASSIFIED}), NOT_CLASSIFIED]
    return [name for name in known if name in names]


def _kappa(counts: dict[tuple[str, str], int], total: int) -> float | None:
    names = {x for pair in counts for x in pair}
    rows = {x: sum(n for (a, _), n in counts.items() if a == x) for x in names}
    columns = {x: sum(n for (_, b), n in counts.items() if b == x) for x in names}
    chance = sum(rows[x] * columns[x] for x in names) / total**2
    agreed = sum(n for (a, b), n in counts.items() if a == b) / total
    return (agreed - chance) / (1 - chance) if chance < 1 else None


# -- where units come from -----------------------------------------------------------------------------------------


def _side(path: Path, name: str) -> tuple[Side, Iterator[Unit]]:
    file = Path(name.removesuffix(".run.json"))
    if file.is_file():
        manifest = read_manifest(manifest_path(file)) or {}
        digests = manifest.get("digests", {})
        return Side(name, digests.get("model"), digests.get("codebook")), _file_units(file)
    archive = Archive.open(path)
    run = _find(archive, name)
    if run.command != "classify" or "model" not in run.digests:
        raise UsageError(f"{name}: is a run of {run.command}, not of classify", hint="chorus runs lists them")
    side = Side(run.run_id[:SHORT], run.digests["model"], run.digests.get("codebook"))
    return side, _archive_units(archive, side, str(run.parameters.get("unit", "sentence")))


def _archive_units(archive: Archive, side: Side, unit: str) -> Iterator[Unit]:
    from store.filters import quote
    from store.tables import Tables

    where = f"unit = {quote(unit)} AND model = {quote(side.model or '')} AND codebook = {quote(side.codebook or '')}"
    columns = ("revision_id", "start", "end", "label", "probabilities", "text")
    for row in Tables.open(archive).rows("labels", where, columns):
        chance = next((p["probability"] for p in row["probabilities"] if p["label"] == row["label"]), None)
        yield f"{row['revision_id']}:{row['start']}:{row['end']}", row["label"], chance, row["text"]


def _file_units(file: Path) -> Iterator[Unit]:
    for number, row in enumerate(_file_rows(file), 1):
        if not isinstance(row, dict) or "label" not in row or "id" not in row:
            raise UsageError(f"{file}, row {number}: no result of chorus classify (no id, no label)")
        chances = row.get("probabilities") or {}
        if isinstance(chances, str):
            chances = json.loads(chances)
        key = str(row["id"]) if row["id"] not in (None, "") else f"(row {number})"
        label = row["label"] or NOT_CLASSIFIED
        yield key, label, chances.get(label), None


def _file_rows(file: Path) -> Iterator[Any]:
    readers = {".parquet": _parquet_rows, ".csv": _csv_rows, ".tsv": _csv_rows}
    try:
        yield from readers.get(file.suffix.lower(), _json_rows)(file)
    except (ValueError, csv.Error) as error:
        raise UsageError(f"{file}: cannot be read as a result file ({error})") from error


def _json_rows(file: Path) -> Iterator[Any]:
    with file.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


def _csv_rows(file: Path) -> Iterable[Any]:
    with file.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle, delimiter="\t" if file.suffix.lower() == ".tsv" else ","):
            name = row.get("id") or ""
            unsafe = name[:1] == "'" and name[1:].startswith(FORMULA_STARTS)  # what safe_cell put before it
            yield {**row, "id": name[1:] if unsafe else name}


def _parquet_rows(file: Path) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with closing(pq.ParquetFile(file)) as table:
        for batch in table.iter_batches(BATCH, columns=["id", "label", "probabilities", "error"]):
            yield from batch.to_pylist()
