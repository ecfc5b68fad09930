"""From captures to records: the step between the WARC files and the tables, the same for harvest, healing and rebuild."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.records import ExtractError, ThreadDocument, Visit, visit_id

if TYPE_CHECKING:
    from harvest.visit import PageCapture

#: What a thread can be read from: HTML, and threads imported from exports; everything else is archived but not read.
HTML_TYPES = ("text/html", "application/xhtml+xml", "application/vnd.chorus.thread+json")


@dataclass(frozen=True, slots=True)
class Ingested:
    """One visit and what was read from it."""

    visit: Visit
    document: ThreadDocument | None


def read_capture(capture: PageCapture) -> Ingested:
    """Extract the thread of one capture. Deterministic: the same WARC records give the same rows, at any time."""
    record_id = capture.dom.record_id if capture.dom else ""
    vid = visit_id(capture.url, capture.captured_at, record_id)
    document, problem = _document(capture, vid)
    outcome = "captured" if document else "failed" if capture.error or (capture.status or 0) >= 400 else "no-thread"
    visit = Visit(
        visit_id=vid,
        url=capture.url,
        final_url=capture.final_url,
        captured_at=capture.captured_at,
        outcome=outcome,  # type: ignore[arg-type]  # one of the three by construction
        status=capture.status,
        error=problem,
        media_type=capture.media_type,
        thread_id=document.thread.thread_id if document else None,
        revision_ids=tuple(entry.revision_id for entry in document.entries) if document else (),
        responses=capture.responses,
        robots=capture.robots,
        software=capture.software,
        response=capture.response,
        dom=capture.dom,
        screenshot=capture.screenshot,
        text=capture.text,
        announced_count=document.thread.announced_count if document else None,
        completeness=document.thread.completeness if document else None,
    )
    return Ingested(visit, document)


def _document(capture: PageCapture, vid: str) -> tuple[ThreadDocument | None, str | None]:
    """The thread, or why there is none."""
    if capture.error:
        return None, capture.error
    if capture.status is not None and capture.status >= 400:
        return None, f"the site answered HTTP {capture.status}"
    if capture.media_type not in HTML_TYPES or not capture.html:
        return None, f"{capture.media_type or 'no content'}: kept, but no page to read a thread from"
    from harvest.thread import thread_of

    try:
        document = thread_of(capture, vid)
    except ExtractError as error:
        return None, str(error)
    return document, None
