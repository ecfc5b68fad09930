"""A page or a plain-text thread in, one thread as records out. Pure: no network, no archive."""

from __future__ import annotations

from store.records import Evidence, ThreadDocument

__all__ = ["extract"]


def extract(
    source: str | bytes,
    *,
    url: str,
    captured_at: str,
    visit_id: str | None = None,
    evidence: Evidence | None = None,
) -> ThreadDocument:
    """Read the post and its comments from ``source``: HTML or a plain-text thread, told apart by content.

    ``url`` is the page's absolute address; ``captured_at`` (ISO 8601, UTC) the moment it was had. Relative dates
    ("3 hours ago") count from it only where ``visit_id`` says that a capture is on record: a file that lay about for
    years is no anchor. ``evidence`` goes into every entry.

    A page without comments gives a document with ``comments == ()``. Raises ``ExtractError`` for input that is empty,
    binary or larger than 64 MB.
    """
    from harvest.extract import source as reader
    from harvest.extract.build import Capture, Page, document
    from harvest.extract.page import read_page
    from harvest.extract.plaintext import read_text_thread
    from harvest.extract.post import Post

    text = reader.decode(source)
    capture = Capture(url, captured_at, visit_id, evidence)
    if reader.is_html(text):
        return document(read_page(text, url, captured_at if visit_id else None), capture)
    thread = read_text_thread(text)
    post = Post(thread.title, None, None, None, thread.post, None, ()) if thread.post or thread.title else None
    return document(Page(post, thread.readings, None, None, thread.announced, None), capture)
