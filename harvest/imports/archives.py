"""Pages out of web archives of any tool: WARC, and WACZ, whose page list says what was meant as a page."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harvest.capture import PREFIX
from harvest.extract.source import decode
from harvest.imports.item import Item, Unreadable
from harvest.warc import DAMAGE, Records
from store.records import ExtractError

#: Bytes of one page; a record that unpacks to more is no page.
MAX_PAGE_BYTES = 32 * 1024 * 1024

#: A member of a WACZ may be so large, and so many times its packed size (WARC files in it are stored, not packed).
MAX_MEMBER_BYTES = 50 * 1024**3
MAX_MEMBER_RATIO = 200

#: Resource records that hold a rendered page: ours, and what other tools call theirs.
_DOM_MARKS = (f"{PREFIX}dom:", "urn:dom:", "urn:rendered:")


def read_warc(path: Path, name: str | None = None, pages: frozenset[str] | None = None) -> Iterator[Item]:
    """Pages of a WARC file. ``pages`` are the addresses that were meant as pages, where a list says so.

    Of an address with a rendered page only that is read; else the HTML answers to requests for documents.
    """
    name = name or path.name
    rendered = _rendered(path)
    with path.open("rb") as stream:
        records = Records(stream, digests=False)
        try:
            for record in records:
                yield from _items(record, name, pages, rendered)
        except DAMAGE as error:
            yield Item(where=name, problem=f"cannot be read any further: {' '.join(str(error).split())[:120]}")


def _rendered(path: Path) -> frozenset[str]:
    """Addresses of which the file holds a rendered page."""
    found = set()
    with path.open("rb") as stream:
        try:
            for record in Records(stream, digests=False):
                if record.rec_type == "resource" and (url := _dom_url(record.rec_headers)):
                    found.add(url)
        except DAMAGE:
            return frozenset(found)  # the second reading says so
    return frozenset(found)


def _dom_url(headers: Any) -> str | None:
    uri = headers.get_header("WARC-Target-URI") or ""
    return next((uri[len(mark) :] for mark in _DOM_MARKS if uri.startswith(mark)), None)


def _items(record: Any, name: str, pages: frozenset[str] | None, rendered: frozenset[str]) -> Iterator[Item]:
    headers = record.rec_headers
    where = f"{name}, {headers.get_header('WARC-Record-ID')}"
    url = _dom_url(headers) if record.rec_type == "resource" else headers.get_header("WARC-Target-URI")
    if record.rec_type == "resource" and url:
        yield _item(record, where, url, 200)
        return
    wanted = url and url not in rendered and (pages is None or _plain(url) in pages)
    if record.rec_type == "response" and wanted and _is_page(record):
        yield _item(record, where, url, int(record.http_headers.get_statuscode()))


def _plain(url: str) -> str:
    return url.partition("#")[0].rstrip("/")


def _is_page(record: Any) -> bool:
    http = record.http_headers
    if http is None or http.get_statuscode() != "200":
        return False
    return (http.get_header("Content-Type") or "").lower().startswith(("text/html", "application/xhtml"))


def _item(record: Any, where: str, url: str | None, status: int) -> Item:
    try:
        body = record.content_stream().read(MAX_PAGE_BYTES + 1)
    except (zlib.error, EOFError, ValueError) as error:
        return Item(where=where, problem=f"its body cannot be read: {error}")
    if len(body) > MAX_PAGE_BYTES:
        return Item(where=where, problem="larger than a page can be")
    if getattr(record.raw_stream, "limit", 0) > 0:  # the reader stops without a word where the file ends early
        return Item(where=where, problem="is cut off")
    if not body.strip():
        return Item(where=where, problem="is empty")
    try:
        html = decode(body)
    except ExtractError as error:
        return Item(where=where, problem=str(error))
    date = record.rec_headers.get_header("WARC-Date")
    return Item(where=where, url=url, html=html, captured_at=(date or "")[:19] + "Z" if date else None, status=status)


def read_wacz(path: Path) -> Iterator[Item]:
    """Pages of every WARC in a WACZ. Members are unpacked under names of our own, within bounds. Raises ``Unreadable``."""
    try:
        with zipfile.ZipFile(path) as package:
            pages = _page_list(package)
            for member in package.infolist():
                if member.filename.startswith("archive/") and ".warc" in member.filename:
                    yield from _member(package, member, path.name, pages)
    except zipfile.BadZipFile as error:
        raise Unreadable(f"not a whole ZIP file: {error}") from error


def _member(
    package: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, pages: frozenset[str] | None
) -> Iterator[Item]:
    where = f"{name}/{member.filename}"
    if member.file_size > MAX_MEMBER_BYTES or member.file_size > MAX_MEMBER_RATIO * max(member.compress_size, 4096):
        yield Item(where=where, problem="unpacks to more than is believed")
        return
    with tempfile.NamedTemporaryFile(suffix=".warc.gz") as scratch:
        try:
            with package.open(member) as packed:
                shutil.copyfileobj(packed, scratch, 1 << 20)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            yield Item(where=where, problem=f"cannot be unpacked: {error}")
            return
        scratch.flush()
        yield from read_warc(Path(scratch.name), where, pages)


def _page_list(package: zipfile.ZipFile) -> frozenset[str] | None:
    """Addresses in the page lists; ``None`` without a list."""
    found = set()
    for name in ("pages/pages.jsonl", "pages/extraPages.jsonl"):
        try:
            with package.open(name) as stream:
                for line in stream:
                    row = _json(line)
                    if isinstance(row.get("url"), str):
                        found.add(_plain(row["url"]))
        except KeyError:
            continue
    return frozenset(found) or None


def _json(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
