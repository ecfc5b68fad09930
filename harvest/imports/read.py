"""Telling files apart by what is in them, and reading each by its own reader."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from harvest.extract.plaintext import read_text_thread
from harvest.extract.source import decode, is_html
from harvest.imports.archives import read_wacz, read_warc
from harvest.imports.exports import read_blogger, read_disqus, read_wxr
from harvest.imports.item import Item, Unreadable
from harvest.imports.threadjson import page_of
from store.records import ExtractError

#: Bytes that are looked at to tell what a file is.
HEAD = 64 * 1024

#: Bytes of a saved page or text.
MAX_TEXT = 64 * 1024 * 1024

_URLS = (
    re.compile(r"<link[^>]+rel=[\"']?canonical[\"']?[^>]*?href=[\"']?(https?://[^\s\"'>]+)", re.I),
    re.compile(r"<link[^>]+href=[\"']?(https?://[^\s\"'>]+)[^>]*?rel=[\"']?canonical", re.I),
    re.compile(r"<meta[^>]+property=[\"']?og:url[\"']?[^>]*?content=[\"']?(https?://[^\s\"'>]+)", re.I),
    re.compile(r"saved from url=\(\d+\)(https?://\S+)", re.I),
    re.compile(r"Page saved with SingleFile\s+url:\s*(https?://\S+)", re.I),
    re.compile(r"<base[^>]+href=[\"']?(https?://[^\s\"'>]+)", re.I),
)

KINDS = ("html", "warc", "wacz", "wxr", "blogger", "disqus", "jsonl", "text")


def kind_of(path: Path) -> str:
    """What a file is, by its beginning. Raises ``Unreadable`` for nothing known."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    if not head.strip():
        raise Unreadable("is empty")
    if head.startswith(b"PK"):
        return "wacz"
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 4096)
        except zlib.error as error:
            raise Unreadable(f"not a whole gzip file: {error}") from error
        if head.startswith(b"WARC/"):
            return "warc"
        raise Unreadable("compressed, but no WARC file")
    if head.lstrip().startswith(b"WARC/"):
        return "warc"
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> str:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"wordpress.org/export/" in head:
        return "wxr"
    if b"<disqus" in start[:2000]:
        return "disqus"
    if start.startswith((b"<?xml", b"<feed", b"<ns0:feed")) and b"blogger" in head.lower():
        return "blogger"
    if start.startswith(b"{"):
        return "jsonl"
    if b"\0" in head[:1024] and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable(
            "is none of: HTML, WARC, WACZ, WordPress, Blogger or Disqus export, thread JSON lines, text thread"
        )
    try:
        return "html" if is_html(decode(head)) else "text"
    except ExtractError as error:
        raise Unreadable(str(error)) from error


def read_path(path: Path, *, url: str | None = None, kind: str | None = None) -> Iterator[Item]:
    """All that a file holds. A file that cannot be read is one item with a problem; nothing is raised for content."""
    readers: dict[str, Callable[[Path], Iterator[Item]]] = {
        "html": lambda p: _read_html(p, url),
        "text": lambda p: _read_text(p, url),
        "jsonl": read_jsonl,
        "warc": read_warc,
        "wacz": read_wacz,
        "wxr": read_wxr,
        "blogger": read_blogger,
        "disqus": read_disqus,
    }
    try:
        yield from readers[kind or kind_of(path)](path)
    except (Unreadable, ExtractError) as error:
        yield Item(where=path.name, problem=str(error))
    except OSError as error:
        yield Item(where=path.name, problem=error.strerror or str(error))


def _content(path: Path) -> str:
    if path.stat().st_size > MAX_TEXT:
        raise Unreadable("larger than a page can be")
    return decode(path.read_bytes())


def _read_html(path: Path, url: str | None) -> Iterator[Item]:
    text = _content(path)
    address = url or next((match[1] for pattern in _URLS if (match := pattern.search(text))), None)
    if address is None:
        yield Item(where=path.name, problem="does not say where it is from: give --url")
        return
    yield Item(where=path.name, url=address, html=text)


def _read_text(path: Path, url: str | None) -> Iterator[Item]:
    text = _content(path)
    if url is None:
        yield Item(where=path.name, problem="a text does not say where it is from: give --url")
        return
    read = read_text_thread(text)
    comments = [
        {
            "native_id": one.native_id, "kind": one.kind, "parent": one.parent, "parent_source": one.parent_source,
            "author": one.author, "published": one.date.iso if one.date else None,
            "published_text": one.date.raw if one.date else None,
            "published_precision": one.date.precision if one.date else None,
            "text": one.text, "links": list(one.links), "state": one.state,
        }
        for one in read.readings
    ]  # fmt: skip
    post = {"text": read.post} if read.post else None
    thread = {
        "url": url, "title": read.title, "announced_count": read.announced, "post": post, "comments": comments,
    }  # fmt: skip
    yield Item(where=path.name, url=url, thread=thread)


def read_jsonl(path: Path) -> Iterator[Item]:
    """Threads as JSON lines in the contract's shape; a line that is none is a problem with its number."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path.name}:{number}"
            try:
                row = json.loads(line)
                page_of(row)
            except (ValueError, Unreadable) as error:
                yield Item(where=where, problem=str(error))
                continue
            address = row.get("url") or row.get("canonical_url")
            if not isinstance(address, str) or not address.startswith(("http://", "https://")):
                yield Item(where=where, problem="url: must be an http or https address")
                continue
            yield Item(where=where, url=address, thread=row, captured_at=None)
