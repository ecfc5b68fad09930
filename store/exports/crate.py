"""An RO-Crate 1.1: the archive's WARC files, threads, codings and run manifests with a description in JSON-LD.

Files bear their SHA-256 and size, runs are actions with chorus as their instrument. No licence is stated: what the pages' authors
allow, chorus does not know.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from store.exports.material import MARK, Material
from store.exports.rows import csv_table, jsonl
from store.manifest import list_runs
from store.records import Run

METADATA = "ro-crate-metadata.json"

SPECIFICATION, CONTEXT = "https://w3id.org/ro/crate/1.1", "https://w3id.org/ro/crate/1.1/context"

MEDIA_TYPES = {
    ".gz": "application/warc",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".json": "application/json",
}

STATUS = {
    "done": "CompletedActionStatus",
    "partial": "CompletedActionStatus",
    "failed": "FailedActionStatus",
    "interrupted": "FailedActionStatus",
    "running": "ActiveActionStatus",
}

#: What of a run is told: neither who ran it nor the command line, which may name people.
TOLD_OF_RUNS = ("command", "version", "parameters", "versions", "counts", "digests")

#: The earliest date that a ZIP file can hold; a fixed one makes the same files the same bytes.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def ro_crate(material: Material, folder: Path) -> int:
    """Write the crate; returns how many threads are in it.

    Under pseudonyms only the threads go into it: WARC files, codings and manifests would name people.
    """
    parts: list[dict[str, Any]] = []

    def add(name: str, description: str, write: Callable[[IO[bytes]], int]) -> int:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as handle:
            count = write(handle)
        parts.append(_file(folder, path, description))
        return count

    shown = "The threads, one a line, as chorus show --json prints them"
    count = add("threads.jsonl", shown, partial(jsonl, material))
    add("entries.csv", "The posts and comments, one a row", partial(csv_table, material))
    runs: list[Run] = []
    if material.names is None:
        root = material.archive.root
        for kind, pattern, description in (
            ("warc", "*.warc.gz", "Captured network traffic and rendered pages"),
            ("annotations", "*.jsonl", "What people said of sentences, append-only"),
        ):
            for path in sorted((root / kind).glob(pattern)):
                add(f"{kind}/{path.name}", description, partial(_copy, path))
        runs = list_runs(material.archive)
        for run in runs:
            add(f"runs/{run.run_id}.json", f"Manifest of a run of chorus {run.command}", partial(_manifest, run))
    graph = _graph(material, parts, runs, count)
    (folder / METADATA).write_text(
        json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1) + "\n", encoding="utf-8"
    )
    return count


def _copy(path: Path, out: IO[bytes]) -> int:
    with path.open("rb") as source:
        shutil.copyfileobj(source, out, 1 << 20)
    return 1


def _manifest(run: Run, out: IO[bytes]) -> int:
    told = {name: value for name, value in asdict(run).items() if name in TOLD_OF_RUNS}
    return out.write(json.dumps(told, indent=1, sort_keys=True).encode() + b"\n")


def _file(folder: Path, path: Path, description: str) -> dict[str, Any]:
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {
        "@id": path.relative_to(folder).as_posix(),
        "@type": "File",
        "name": path.name,
        "description": description,
        "encodingFormat": MEDIA_TYPES[path.suffix],
        "contentSize": str(path.stat().st_size),
        "sha256": digest,
    }


def _graph(material: Material, parts: list[dict[str, Any]], runs: list[Run], threads: int) -> list[dict[str, Any]]:
    tool = {"@id": "#chorus", "@type": "SoftwareApplication", "name": "chorus", "softwareVersion": material.version}
    sites = sorted({thread.site for thread in material.tables.threads()})
    where = f" from {', '.join(sites)}" if 0 < len(sites) <= 5 else f" from {len(sites)} sites"
    names = " People bear pseudonyms; WARC files, codings and manifests are left out." if material.names else ""
    actions = [_action(run) for run in runs]
    root: dict[str, Any] = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{threads} discussion threads{where}",
        "description": f"Posts with their comment threads, archived with chorus {material.version}.{names} "
        "The rights in the texts remain with their authors.",
        "datePublished": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hasPart": [{"@id": part["@id"]} for part in parts],
    }
    if actions:
        root["mentions"] = [{"@id": action["@id"]} for action in actions]
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": SPECIFICATION},
        "about": {"@id": "./"},
    }
    return [descriptor, root, *parts, *actions, tool]


def _action(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@id": f"#run-{run.run_id}",
        "@type": "CreateAction",
        "name": f"chorus {run.command}",
        "startTime": run.started_at,
        "actionStatus": {"@id": f"http://schema.org/{STATUS[run.status]}"},
        "instrument": {"@id": "#chorus"},
        "result": {"@id": f"runs/{run.run_id}.json"},
    }
    return found if run.finished_at is None else {**found, "endTime": run.finished_at}


def zipped(folder: Path, out: IO[bytes]) -> None:
    """A crate's directory as a ZIP file."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MARK):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), ZIP_DATE)
            info.compress_type = zipfile.ZIP_STORED if path.suffix == ".gz" else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 1 << 20)
