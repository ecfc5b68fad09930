"""Packing the archive as WACZ, with the thread table and the run manifests inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import Progress
from store.records import ArchiveError, UsageError

if TYPE_CHECKING:
    from harvest.wacz import Packed
    from store.archive import Archive


def pack_archive(path: Path, out: str | None, *, title: str | None = None, quiet: bool = False) -> Packed:
    """Write the whole archive as one WACZ; without ``out`` beside the archive, under its name."""
    from harvest.wacz import free_bytes, write_wacz
    from store.archive import Archive, chorus_version
    from store.lock import write_lock
    from store.redactions import LOG_FILE

    archive = Archive.open(path)
    target = _target(archive, out)
    needed = sum(warc.stat().st_size for warc in archive.warcs())
    if needed > free_bytes(target.parent):
        raise ArchiveError(f"{target}: not enough room for {needed} bytes", hint="--out on another disk")
    name = title or archive.root.resolve().name
    with write_lock(archive, "wacz"), Progress("files packed", len(archive.warcs()), quiet=quiet) as progress:
        extra = {"chorus/threads.jsonl": _threads(archive), "chorus/runs.jsonl": _runs(archive)}
        log = archive.root / LOG_FILE
        if log.is_file():  # who gets the package sees that something is missing, and where
            extra[f"chorus/{LOG_FILE}"] = iter([log.read_bytes()])
        return write_wacz(
            target,
            archive.warcs(),
            title=name,
            software=f"chorus {chorus_version()}",
            extra=extra,
            progress=lambda file: progress.step(detail=file),
        )


def _target(archive: Archive, out: str | None) -> Path:
    if out is not None:
        target = Path(out)
        if target.is_dir() or target.suffix != ".wacz":
            raise UsageError(f"--out {out}: must be a file that ends in .wacz")
        return target
    root = archive.root.resolve()
    safe = re.sub(r"[^\w.-]+", "-", root.name).strip("-.") or "archive"
    return root.parent / f"{safe}.wacz"


def _threads(archive: Archive) -> Iterator[bytes]:
    from store.tables import Tables

    for document in Tables.open(archive).documents():
        yield json.dumps(document.to_json(evidence=True), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _runs(archive: Archive) -> Iterator[bytes]:
    for manifest in sorted(archive.runs_dir.glob("*.json")):
        yield json.dumps(json.loads(manifest.read_text(encoding="utf-8"))).encode() + b"\n"
