"""Packing WARC files as WACZ: a ZIP that replays anywhere, with an index, a page list and digests of every file in it.

Layout and names follow the WACZ specification 1.1.1 (what current readers expect); the further files that 1.2 allows
("other files", listed in the datapackage) carry the thread table and the run manifests.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from harvest.capture import PageCapture, captures_from_warc, recorded_text
from harvest.warc import DAMAGE, Records, each_record, see_end
from store.records import ArchiveError

#: The version that ReplayWeb.page, pywb and ``wacz validate`` know.
WACZ_VERSION = "1.1.1"

#: Characters of a page's text in the page list; readers search it in memory.
MAX_PAGE_TEXT = 200_000

#: Lines of one compressed block of the index, the field's default.
INDEX_LINES = 300

BLOCK = 1 << 20

#: A ZIP of these files would gain nothing from compression, and readers fetch ranges of them.
STORED = (".gz",)

Signer = Callable[[str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Packed:
    """What was packed: WARC files, pages in the list, bytes of the package."""

    path: Path
    warcs: int
    pages: int
    bytes: int


def write_wacz(
    out: Path,
    warcs: Iterable[Path],
    *,
    title: str,
    software: str,
    extra: Mapping[str, Iterable[bytes]],
    sign: Signer | None = None,
    progress: Callable[[str], None] = lambda _name: None,
) -> Packed:
    """Pack ``warcs`` into ``out``, whole or not at all. ``extra`` maps names (``chorus/threads.jsonl``) to content.

    ``sign`` is a hook for those who sign their packages: it gets the digest of ``datapackage.json`` and returns what goes
    into ``datapackage-digest.json`` as ``signedData`` (WACZ signing specification). Raises ``ArchiveError`` without WARCs.
    """
    files = sorted(warcs)
    if not files:
        raise ArchiveError("no WARC files to pack", hint="chorus harvest URL")
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    os.close(handle)
    partial = Path(name)
    try:
        pages = _write(partial, files, title, software, extra, sign, progress)
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        partial.chmod(0o644)
        partial.replace(out)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    return Packed(out, len(files), pages, out.stat().st_size)


def _write(
    path: Path,
    files: list[Path],
    title: str,
    software: str,
    extra: Mapping[str, Iterable[bytes]],
    sign: Signer | None,
    progress: Callable[[str], None],
) -> int:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with zipfile.ZipFile(path, "w", allowZip64=True) as package, tempfile.TemporaryDirectory() as scratch:
        resources: list[dict[str, Any]] = []
        for file in files:
            progress(file.name)
            resources.append(_add(package, f"archive/{file.name}", _blocks(file)))
        data, idx = _index(files, Path(scratch))
        resources.append(_add(package, "indexes/index.cdx.gz", _blocks(data)))
        resources.append(_add(package, "indexes/index.idx", [idx]))
        pages, main = 0, None
        listed = Path(scratch) / "pages.jsonl"
        with listed.open("wb") as stream:
            for line, url, date in _page_lines(files, title):
                stream.write(line)
                pages += url is not None
                main = main or (url, date)
        resources.append(_add(package, "pages/pages.jsonl", _blocks(listed)))
        for name, content in extra.items():
            resources.append(_add(package, name, content))
        described = {
            "profile": "data-package",
            "wacz_version": WACZ_VERSION,
            "title": title,
            "software": software,
            "created": now,
            "mainPageUrl": main[0] if main else None,
            "mainPageDate": main[1] if main else None,
            "resources": resources,
        }
        text = json.dumps({k: v for k, v in described.items() if v is not None}, indent=2).encode()
        _add(package, "datapackage.json", [text])
        digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
        row: dict[str, Any] = {"path": "datapackage.json", "hash": digest}
        if sign is not None:
            row["signedData"] = sign(digest)
        _add(package, "datapackage-digest.json", [json.dumps(row, indent=2).encode()])
    return pages


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            yield block


def _add(package: zipfile.ZipFile, name: str, content: Iterable[bytes]) -> dict[str, Any]:
    """Add one file; its entry for the datapackage."""
    info = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
    info.compress_type = zipfile.ZIP_STORED if name.endswith(STORED) else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    digest, size = hashlib.sha256(), 0
    with package.open(info, "w", force_zip64=True) as stream:
        for block in content:
            stream.write(block)
            digest.update(block)
            size += len(block)
    title = name.rpartition("/")[2]
    return {"name": title.lower(), "path": name, "hash": f"sha256:{digest.hexdigest()}", "bytes": size}


def _index(files: list[Path], scratch: Path) -> tuple[Path, bytes]:
    """The compressed index and the index of its blocks; POST bodies are part of the keys, so that paged comments replay."""
    data, lines = scratch / "index.cdx.gz", io.StringIO()
    with data.open("wb") as stream:
        _indexer()(
            lines,
            [str(file) for file in files],
            post_append=True,
            sort=True,
            compress=stream,
            lines=INDEX_LINES,
            data_out_name=data.name,
            fields="referrer",
            digest_records=True,
        ).process_all()
    return data, lines.getvalue().encode()


def write_cdxj(files: Iterable[Path], out: IO[str]) -> None:
    """A plain sorted index of the same kind, as pywb reads it."""
    inputs = [str(file) for file in sorted(files)]
    _indexer()(out, inputs, post_append=True, sort=True, fields="referrer").process_all()


def _indexer() -> type[Any]:
    """cdxj-indexer's class, which leaves records out that are damaged: its own is stopped, or misled, by the first of them."""
    from cdxj_indexer.main import CDXJIndexer

    class Indexer(CDXJIndexer):  # type: ignore[misc]  # not typed
        around_damage = False

        def process_one(self, input_: IO[bytes], output: Any, filename: str) -> None:
            for self.around_damage in (False, True):
                input_.seek(0)
                lines = io.StringIO()
                try:
                    super().process_one(input_, lines, filename)
                    break
                except DAMAGE:  # then anew, at the cost of a copy of each record's content
                    continue
            lines.seek(0)
            for line in lines:
                output.write(line)

        def _create_record_iter(self, input_: IO[bytes]) -> Any:
            return _WholeRecords(input_) if self.around_damage else Records(input_, digests=False)

    return Indexer


class _WholeRecords:
    """Records whose content was read to its end before they are given away, and the place of the last."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._place = stream, (0, 0)

    def __iter__(self) -> Iterator[Any]:
        for record, place in each_record(self._stream, self._kept):
            self._place = place
            yield record

    @staticmethod
    def _kept(record: Any, records: Records) -> tuple[Any, tuple[int, int]]:
        content = tempfile.SpooledTemporaryFile(BLOCK)  # noqa: SIM115  # goes with the record
        shutil.copyfileobj(record.raw_stream, content)
        see_end(record)
        place = records.get_record_offset(), records.get_record_length()
        content.seek(0)
        record.raw_stream = content
        return record, place

    def get_record_offset(self) -> int:
        """Of the last record, in bytes."""
        return self._place[0]

    def get_record_length(self) -> int:
        """Of the last record, in bytes."""
        return self._place[1]


def _page_lines(files: list[Path], title: str) -> Iterator[tuple[bytes, str | None, str | None]]:
    """The page list, its head line first: line, URL and date."""
    head = {"format": "json-pages-1.0", "id": "pages", "title": title, "hasText": True}
    yield json.dumps(head).encode() + b"\n", None, None
    for file in files:
        for capture in captures_from_warc(file):
            if capture.response is None or capture.html is None:
                continue
            row = {
                "id": capture.dom.record_id.strip("<>").removeprefix("urn:uuid:") if capture.dom else capture.url,
                "url": capture.final_url or capture.url,
                "ts": capture.captured_at,
                "title": _title(capture),
                "text": (recorded_text(file.parent, capture) or "")[:MAX_PAGE_TEXT],
            }
            yield json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n", row["url"], row["ts"]


def _title(capture: PageCapture) -> str:
    from harvest.obstacles import document_title

    return document_title(capture.html or "") or capture.url


def free_bytes(path: Path) -> int:
    """Room on the disk below ``path``, or below the nearest folder above it that is there."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
