"""Sitemaps (sitemaps.org): lists of addresses, indexes of such lists, gzip or not, or plain text."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass

from harvest.discovery.feeds import moment_of

#: The protocol's own bound is 50 MB unpacked; a file that grows beyond is cut there.
MAX_BYTES = 64 * 1024 * 1024

#: The protocol's own bound on one file.
MAX_ADDRESSES = 50_000


@dataclass(frozen=True, slots=True)
class SitemapLine:
    """One address, and when the page (or, in an index, the list) was last changed, in seconds since the epoch."""

    url: str
    changed: float | None


@dataclass(frozen=True, slots=True)
class Sitemap:
    """``index``: the lines are further sitemaps."""

    lines: tuple[SitemapLine, ...]
    index: bool


def read_sitemap(body: bytes) -> Sitemap | None:
    """The sitemap in ``body``; ``None`` if it is none."""
    data = _unpacked(body)
    start = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if re.search(rb"<(?:\w+:)?(?:urlset|sitemapindex)[\s>]", start):
        return _xml(data)
    if re.match(rb"https?://\S+\s", start + b"\n"):
        lines = (line.strip() for line in data.decode("utf-8", "replace").splitlines())
        return Sitemap(tuple(SitemapLine(x, None) for x in lines if x.startswith("http"))[:MAX_ADDRESSES], index=False)
    return None


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, MAX_BYTES)
    except zlib.error:
        return b""


def _xml(data: bytes) -> Sitemap:
    from lxml import etree

    lines: list[SitemapLine] = []
    index = False
    url, changed = None, None
    try:
        events = etree.iterparse(
            io.BytesIO(data), recover=True, resolve_entities=False, no_network=True, huge_tree=False
        )
        for _, element in events:
            name = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
            if name == "loc" and url is None:  # pictures have locations, too, after the page's own
                url = (element.text or "").strip()
            elif name == "lastmod":
                changed = moment_of((element.text or "").strip())
            elif name in ("url", "sitemap"):
                index = index or name == "sitemap"
                if url and len(lines) < MAX_ADDRESSES:
                    lines.append(SitemapLine(url, changed))
                url = changed = None
                element.clear()
    except etree.XMLSyntaxError:
        pass  # what was read until here stands
    return Sitemap(tuple(lines), index)
