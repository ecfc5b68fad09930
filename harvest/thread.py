"""One thread out of one capture: the rendered page, its frames, rows that came and went, and what its site says besides.

The same function reads a capture at harvest and at rebuild; only where the answers come from differs.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from harvest.capture import PageCapture, Part
from harvest.extract.build import Capture, Page, document
from harvest.extract.page import read_page
from harvest.extract.source import decode
from harvest.imports.item import THREAD_TYPE, Unreadable
from harvest.imports.threadjson import page_of
from harvest.sources.driver import Completed, Fetched, complete_thread, complete_thread_async
from harvest.sources.items import from_page
from harvest.sources.merge import merge
from store.records import Evidence, ExtractError, FetchError, ThreadDocument


def thread_of(capture: PageCapture, visit_id: str) -> ThreadDocument:
    """Read the thread of a capture, each entry with the record that it was first read from. Raises ``ExtractError``."""
    if capture.media_type == THREAD_TYPE:
        return _imported(capture, visit_id)
    page, origins = rendered(capture)
    answers = {part.asked or part.url: part for part in capture.parts if part.role == "answer"}

    def fetch(url: str) -> Fetched:
        part = answers.get(url)
        if part is None:
            raise FetchError(f"{url}: not captured", url=url)
        return part.status, {"content-type": part.media_type or ""}, part.body

    url = _address(capture)
    completed = complete_thread(page, capture.html or "", url, fetch, anchor=_anchor(capture))
    return _document(capture, completed, origins, visit_id)


async def complete(capture: PageCapture, fetch: Callable[[str], Awaitable[Fetched]]) -> Completed | None:
    """Ask, through ``fetch``, for what the page does not show of its thread; ``None`` where there is no page to read."""
    try:
        page, _ = rendered(capture)
    except ExtractError:
        return None
    return await complete_thread_async(page, capture.html or "", _address(capture), fetch, anchor=capture.captured_at)


def rendered(capture: PageCapture) -> tuple[Page, Mapping[str, Evidence]]:
    """What the browser showed: the page, or the frame that holds its comments, with removed rows put back.

    The mapping names the record of each address that readings come from. Raises ``ExtractError``.
    """
    url = _address(capture)
    page = read_page(decode(capture.html or ""), url, _anchor(capture))
    origins = {url: capture.dom} if capture.dom else {}
    for part in capture.parts:
        if part.role == "frame":
            page = _with_frame(page, part, _anchor(capture))
        elif part.role == "part":
            page = _with_removed(page, part, url, _anchor(capture))
    for part in capture.parts:
        origins.setdefault(part.url, part.evidence)
    return page, origins


def _imported(capture: PageCapture, visit_id: str) -> ThreadDocument:
    """The thread of an export, kept as JSON."""
    try:
        page = page_of(json.loads(capture.html or ""))
    except (ValueError, Unreadable) as error:
        raise ExtractError(f"{capture.url}: {error}") from error
    return document(page, Capture(_address(capture), capture.captured_at, visit_id, capture.dom))


def _anchor(capture: PageCapture) -> str | None:
    return capture.captured_at if capture.dated else None


def _address(capture: PageCapture) -> str:
    return capture.final_url or capture.url


def _with_frame(page: Page, part: Part, anchor: str | None) -> Page:
    """A page whose comments a frame draws has the frame's; a frame with fewer comments than the page has none."""
    try:
        inner = read_page(decode(part.body), part.url, anchor)
    except ExtractError:
        return page
    if len(inner.readings) <= len(page.readings):
        return page
    count = inner.announced if inner.announced is not None else page.announced
    return replace(page, readings=inner.readings, announced=count, platform=inner.platform or page.platform)


def _with_removed(page: Page, part: Part, url: str, anchor: str | None) -> Page:
    try:
        rows = read_page(decode(part.body), url, anchor)
    except ExtractError:
        return page
    if not rows.readings:
        return page
    merged = merge([from_page(rows, url), from_page(page, url)], whole=False)
    return replace(page, readings=merged.readings)


def _document(
    capture: PageCapture, completed: Completed, origins: Mapping[str, Evidence], visit_id: str
) -> ThreadDocument:
    found = document(
        completed.page,
        Capture(_address(capture), capture.captured_at, visit_id, capture.dom),
        missing=completed.unseen,
        shortfalls=completed.shortfalls,
    )
    comments = tuple(
        replace(entry, evidence=origins.get(origin, entry.evidence))
        for entry, origin in zip(found.comments, completed.origins, strict=True)
    )
    return replace(found, comments=comments)
