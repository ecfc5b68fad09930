"""Isso's own API: the whole thread in one answer, answers that the page keeps folded included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from harvest.dates import ReadDate
from harvest.extract.items import Element, Reading
from harvest.extract.select import first
from harvest.extract.text import absolute, squeeze
from harvest.sources.items import Reader, Said, Source, read_json, read_markup, text_value

_SCRIPT = re.compile(r"<script\b[^>]*\bdata-isso\s*=\s*[\"']([^\"']*)[\"']", re.I)
_EMBED = re.compile(r"<script\b[^>]*\bsrc\s*=\s*[\"']([^\"']*?)js/embed(?:\.min|\.dev)?\.js[\"']", re.I)
#: ``mode`` of a comment: 1 published, 2 pending, 4 deleted but answered.
_STATES = {1: "visible", 2: "pending", 4: "deleted"}


def discover(root: Element, html: str, url: str) -> str | None:
    """The address at which the page's thread can be had; ``None`` for pages without Isso."""
    section = first(root, ("#isso-thread",))
    match = _SCRIPT.search(html) or _EMBED.search(html)
    if section is None or match is None:
        return None
    name = section.get("data-isso-id") or urlsplit(url).path
    base = urljoin(url, match[1] or "/")
    return f"{base.rstrip('/')}/?uri={quote(name, safe='')}"


def read(root: Element, html: str, url: str) -> Reader:
    """Ask for the thread."""
    address = discover(root, html, url)
    if address is None:
        return None
    rows = read_json((yield address))
    if not isinstance(rows, dict) or not isinstance(rows.get("replies"), list):
        return None
    items = tuple(_read(row, parent, url) for row, parent in _walk(rows))
    total = rows.get("total_replies")
    total = total if isinstance(total, int) else len(items)
    return Source(name="api", url=address, items=items, total=total, whole=len(items) >= total)


def _walk(answer: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Every comment with the id of its parent, parents first."""
    waiting: list[tuple[dict[str, Any], str | None]] = [(row, None) for row in reversed(_replies(answer))]
    while waiting:
        row, parent = waiting.pop()
        yield row, parent
        waiting += [(inner, str(row["id"])) for inner in reversed(_replies(row))]


def _replies(row: dict[str, Any]) -> list[dict[str, Any]]:
    rows = row.get("replies")
    return (
        [one for one in rows if isinstance(one, dict) and isinstance(one.get("id"), int)]
        if isinstance(rows, list)
        else []
    )


def _read(row: dict[str, Any], parent: str | None, url: str) -> Said:
    named = row.get("parent")
    text, links = read_markup(text_value(row.get("text")) or "", url)
    state = _STATES.get(row.get("mode", 1), "hidden")
    return Said(
        key=str(row["id"]),
        parent=str(named) if isinstance(named, int) else parent,
        reading=Reading(
            text=text,
            native_id=f"isso-{row['id']}",
            author=squeeze(unescape(text_value(row.get("author")) or "")) or None,
            author_url=absolute(unescape(text_value(row.get("website")) or ""), url),
            date=_date(row.get("created")),
            permalink=f"{url.partition('#')[0]}#isso-{row['id']}",
            state=state,  # type: ignore[arg-type]  # a value of _STATES
            links=links,
        ),
    )


def _date(value: object) -> ReadDate | None:
    """Seconds since 1970, with fractions."""
    if not isinstance(value, int | float) or not 0 < value < 4e9:
        return None
    moment = datetime.fromtimestamp(int(value), tz=UTC)
    return ReadDate(moment.isoformat().replace("+00:00", "Z"), "second", str(value))
