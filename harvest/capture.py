"""What a visit found, and how it is kept: as resource records from which it can be read back.

What chorus makes itself is kept in resource records named ``urn:chorus:KIND:URL`` with KIND one of ``dom`` (the rendered
page, shadow roots included), ``frame`` (a child frame's), ``part`` (a state of the page that later content replaced),
``view`` and ``screenshot`` (what the window shows; the whole page), ``text``, ``pageinfo`` (every URL of the page with its
status or error, and what chorus clicked) and ``visit`` (the capture as JSON; all that a rebuild needs).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from harvest.warc import WarcWriter, read_record, read_records
from store.records import Evidence

PREFIX = "urn:chorus:"

_EVIDENCE = ("response", "dom", "screenshot", "view", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A further document of a page, as bytes.

    ``role`` is ``frame`` (a child frame as rendered), ``part`` (rows that a virtualised list took away again) or
    ``answer`` (fetched for the thread's sake: a comment API, a feed, a further page; ``asked`` is the address before any
    redirect, ``media_type`` what the site calls it).
    """

    role: str
    url: str
    evidence: Evidence
    body: bytes
    asked: str | None = None
    status: int = 200
    media_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCapture:
    """What one visit found. ``error`` says in words why there is nothing to read; ``html`` is the rendered page.

    ``fault`` says where it lies when nothing came at all: ``blocked`` (a private address), ``robots``, ``robots-later``,
    ``unreachable``, ``hang``.

    ``obstacle`` names what stood in the content's place (``challenge``, ``login``, ``soft-404``). ``actions`` counts the
    clicks that chorus made; each is in the pageinfo record. ``imported`` names the file, and the place in it, that the page
    was imported from; ``dated`` is false where that did not say when it was had, so that ``captured_at`` is only the moment
    of the import and no anchor for "3 hours ago". A page that could not be had at all has ``error`` and no
    records but its own visit record.
    """

    url: str
    captured_at: str
    final_url: str | None = None
    status: int | None = None
    media_type: str | None = None
    error: str | None = None
    fault: str | None = None
    obstacle: str | None = None
    retry_after: float | None = None
    html: str | None = None
    responses: int = 0
    blocked: int = 0
    actions: int = 0
    robots: str | None = None
    software: str | None = None
    response: Evidence | None = None
    dom: Evidence | None = None
    screenshot: Evidence | None = None
    view: Evidence | None = None
    text: Evidence | None = None
    parts: tuple[Part, ...] = ()
    imported: str | None = None
    dated: bool = True


def write_visit(writer: WarcWriter, capture: PageCapture) -> None:
    """Write the capture itself; the last record of a page. A capture without it never counted."""
    writer.begin_page()
    row = {name: value for name, value in asdict(capture).items() if name != "html"}
    row["parts"] = [{name: value for name, value in part.items() if name != "body"} for part in row["parts"]]
    data = json.dumps(row, indent=1, ensure_ascii=False).encode("utf-8", "replace")
    writer.resource(f"{PREFIX}visit:{capture.url}", "application/json", data, date=capture.captured_at)


def captures_from_warc(path: Path, *, start: int = 0) -> Iterator[PageCapture]:
    """The captures of a WARC file that chorus wrote (from a byte offset on), equal to what ``visit`` returned for them.

    One whose records can no longer be read is a failed visit.
    """
    for record in read_records(path, frozenset({"resource"}), start=start):
        if (record.uri or "").startswith(f"{PREFIX}visit:"):
            yield _capture(path.parent, json.loads(record.payload))


def _capture(directory: Path, row: dict[str, Any]) -> PageCapture:
    known = {item.name for item in fields(PageCapture)}  # a later version may have written more
    values = {name: value for name, value in row.items() if name in known}
    for name in _EVIDENCE:
        values[name] = Evidence(**values[name]) if values.get(name) else None
    rows = values.pop("parts", ())
    capture = PageCapture(**values)
    try:
        parts = tuple(_part(directory, part) for part in rows)
        html = None if capture.dom is None else _read(directory, capture.dom).decode("utf-8", "replace")
    except ValueError as error:
        return replace(capture, error=f"damaged since: {error}")
    return replace(capture, parts=parts, html=html)


def recorded_text(directory: Path, capture: PageCapture) -> str | None:
    """The visible text that was kept with the capture, empty if none was; ``None`` if its record can no longer be read."""
    if capture.text is None:
        return ""
    try:
        return _read(directory, capture.text).decode("utf-8", "replace")
    except ValueError:
        return None


def _part(directory: Path, row: dict[str, Any]) -> Part:
    known = {item.name for item in fields(Part)}
    evidence = Evidence(**row["evidence"])
    values = {name: value for name, value in row.items() if name in known}
    return Part(**{**values, "evidence": evidence, "body": _read(directory, evidence)})


def _read(directory: Path, evidence: Evidence) -> bytes:
    record = read_record(directory / evidence.warc, evidence.offset)
    if record.record_id != evidence.record_id:
        raise ValueError(f"{evidence.warc}: another record at offset {evidence.offset}")
    return record.payload
