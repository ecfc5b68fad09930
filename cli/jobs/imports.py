"""Importing what exists already into an archive: the same records, the same extractors, no network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.clock import now
from cli.jobs.desk import HarvestReport, result_row
from cli.jobs.extract import check_url
from cli.jobs.forget import tell_of_returned
from cli.jobs.healing import commit, heal, index_new
from cli.jobs.ingest import Ingested, read_capture
from cli.output import Progress, note
from store.records import UsageError

if TYPE_CHECKING:
    from harvest.capture import PageCapture
    from harvest.imports import Item
    from harvest.warc import WarcWriter
    from store.tables import Tables

#: Endings of files that a folder is searched for.
ENDINGS = (".html", ".htm", ".xhtml", ".warc", ".warc.gz", ".wacz", ".xml", ".txt", ".jsonl", ".jsonl.gz", ".atom")

#: Things imported before their rows go into the tables.
ITEMS_PER_COMMIT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import. ``kind`` forces how every file is read; ``url`` is the address of the one file given."""

    paths: tuple[str, ...]
    url: str | None = None
    kind: str | None = None


def files_of(paths: Iterable[str]) -> list[Path]:
    """The files named, and those below the folders named. Raises ``UsageError`` for what is not there."""
    found: list[Path] = []
    for name in paths:
        path = Path(name)
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(ENDINGS))
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{name}: no such file")
    if not found:
        raise UsageError("nothing to import there", hint="files that end in " + ", ".join(ENDINGS))
    return list(dict.fromkeys(found))


def import_files(path: Path, request: ImportRequest, *, quiet: bool = False) -> HarvestReport:
    """Import into the archive at ``path`` (made if it is not there). One file's fault does not stop the others."""
    from harvest.imports.read import KINDS
    from store.archive import Archive
    from store.lock import write_lock
    from store.manifest import RunRecorder
    from store.tables import Tables

    if request.kind is not None and request.kind not in KINDS:
        raise UsageError(f"--as {request.kind}: not known", hint="one of " + ", ".join(KINDS))
    files = files_of(request.paths)
    if request.url is not None:
        check_url(request.url)
        if len(files) != 1:
            raise UsageError("--url is for one file", hint="import the files one by one")
    archive = Archive.create_or_open(path)
    with write_lock(archive, "import"):
        tables = Tables.open(archive)
        heal(archive, tables, quiet=quiet)
        parameters = {"files": [str(f) for f in files], "url": request.url, "kind": request.kind}
        with RunRecorder(archive, "import", parameters=parameters) as run:
            run.digests = {file.name: _digest_of(file) for file in files}
            report = _import(archive, tables, files, request, quiet)
            index_new(tables, quiet)
            tell_of_returned(archive, tables, quiet)
            run.counts = {"imported": sum(row["outcome"] == "captured" for row in report.rows)}
            run.errors = tuple(f"{row['url']}: {row['error']}" for row in report.rows if row["outcome"] == "failed")
            run.status = "partial" if report.exit_code else "done"
    return report


def _digest_of(file: Path) -> str:
    with file.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def _import(archive: Any, tables: Tables, files: list[Path], request: ImportRequest, quiet: bool) -> HarvestReport:
    from harvest.capturer import chorus_version
    from harvest.warc import WarcWriter

    info = {"software": f"chorus {chorus_version()}", "description": "imported pages and threads"}
    writer = WarcWriter(archive.warc_dir, info)
    report, waiting = HarvestReport(), list[Ingested]()
    known = tables.captured_digests()
    try:
        with Progress("things imported", quiet=quiet) as progress:
            for item in _items(files, request):
                done = _take(item, writer, known, report, quiet)
                progress.step(detail=item.where)
                if done is not None:
                    waiting.append(done)
                if len(waiting) >= ITEMS_PER_COMMIT:
                    writer.sync()
                    commit(tables, waiting)
                    waiting.clear()
    finally:
        writer.close()
        commit(tables, waiting)
        archive.mark_ingested()
    return report


def _items(files: list[Path], request: ImportRequest) -> Iterator[Item]:
    from harvest.imports import read_path

    for file in files:
        yield from read_path(file, url=request.url, kind=request.kind)


def _take(
    item: Item, writer: WarcWriter, known: set[tuple[str, str]], report: HarvestReport, quiet: bool
) -> Ingested | None:
    """Keep one item in the WARC and read it; ``None`` for what is there already or cannot be read."""
    if item.problem or item.url is None:
        report.rows.append(_row("failed", item.where, item.problem))
        note(f"{item.where}: {item.problem}", quiet=quiet)
        return None
    media_type, data = _content(item)
    digest = "sha256:" + base64.b32encode(hashlib.sha256(data).digest()).decode()
    if (item.url, digest) in known:
        report.rows.append(_row("skipped", item.url, None))
        return None
    known.add((item.url, digest))
    ingested = read_capture(_keep(item, media_type, data, writer))
    row = result_row(ingested)
    report.rows.append(row)
    if row["outcome"] == "failed":
        note(f"{item.where}: {row['error']}", quiet=quiet)
    return ingested


def _content(item: Item) -> tuple[str, bytes]:
    from harvest.imports.item import THREAD_TYPE

    if item.thread is not None:
        text = json.dumps(item.thread, ensure_ascii=False, sort_keys=True, indent=1)
        return THREAD_TYPE, text.encode("utf-8", "replace")
    return "text/html", (item.html or "").encode("utf-8", "replace")


def _keep(item: Item, media_type: str, data: bytes, writer: WarcWriter) -> PageCapture:
    from harvest.capture import PREFIX, PageCapture, write_visit

    moment = item.captured_at or now()
    kind = "dom" if media_type == "text/html" else "import"
    writer.begin_page()
    evidence = writer.resource(f"{PREFIX}{kind}:{item.url}", f"{media_type}; charset=utf-8", data, date=moment)
    capture = PageCapture(
        url=item.url or "",
        captured_at=moment,
        final_url=item.final_url,
        status=item.status,
        media_type=media_type,
        html=data.decode("utf-8"),
        dom=evidence,
        imported=item.where,
        dated=item.captured_at is not None,
    )
    write_visit(writer, capture)
    return capture


def _row(outcome: str, where: str, error: str | None) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("thread_id", "title", "comments", "announced", "completeness", "completeness_reason", "status")
    )
    return {"outcome": outcome, "url": where, **empty, "error": error}
