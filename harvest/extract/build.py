"""Readings become records: ids, depths, revisions, completeness."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from harvest.extract.items import Reading
from harvest.extract.post import Post
from harvest.redact import MARK
from store.records import (
    Completeness,
    Entry,
    EntryState,
    Evidence,
    Thread,
    ThreadDocument,
    entry_id,
    revision_id,
    text_digest,
    thread_id,
)

_DROP_QUERY = re.compile(r"^(?:utm_\w+|replytocom|cpage|fbclid|gclid|showcomment)$", re.I)
_COMMENT_PAGE = re.compile(r"/comment-page-\d+/?$")


@dataclass(frozen=True, slots=True)
class Capture:
    """Where and when the page was had, and the record it lies in."""

    url: str
    captured_at: str
    visit_id: str | None
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Page:
    """All that was read of one page. ``index_of`` is how many posts it lists, where it is an index and no thread."""

    post: Post | None
    readings: tuple[Reading, ...]
    platform: str | None
    language: str | None
    announced: int | None
    canonical: str | None
    index_of: int = 0


def host(url: str) -> str:
    """The host without ``www.`` and port, lower case."""
    return re.sub(r"^www\.", "", (urlsplit(url).hostname or "").lower())


def normalise(url: str) -> str:
    """The URL without fragment, tracking parameters and the number of the comment page."""
    from w3lib.url import canonicalize_url

    parts = urlsplit(canonicalize_url(url))
    query = "&".join(one for one in parts.query.split("&") if one and not _DROP_QUERY.match(one.partition("=")[0]))
    return urlunsplit((parts.scheme, parts.netloc, _COMMENT_PAGE.sub("/", parts.path), query, ""))


def canonical_url(url: str, named: str | None) -> str:
    """The address that the page names, if it lies on the same host; else the page's own, normalised."""
    if named and host(named) == host(url) and (urlsplit(named).path.strip("/") or not urlsplit(url).path.strip("/")):
        return normalise(named)
    return normalise(url)


def document(page: Page, capture: Capture, *, missing: int = 0, shortfalls: tuple[str, ...] = ()) -> ThreadDocument:
    """The thread as records.

    ``missing`` counts comments that stand in the tree only because others answer them; ``shortfalls`` says in words what
    could not be had.
    """
    canonical = canonical_url(capture.url, page.canonical)
    thread = thread_id(canonical)
    post = _post_entry(page.post, thread, canonical, capture) if page.post else None
    comments = _comment_entries(page.readings, thread, capture)
    verdict, reason = completeness(page.announced, len(comments) - missing, shortfalls)
    if page.index_of:
        verdict, reason = "unknown", f"an index of {page.index_of} posts, no thread"
    return ThreadDocument(
        Thread(
            thread_id=thread,
            url=capture.url,
            canonical_url=canonical,
            site=host(canonical),
            platform=page.platform,
            title=page.post.title if page.post else None,
            language=page.language,
            announced_count=page.announced,
            captured_count=len(comments),
            completeness=verdict,
            completeness_reason=reason,
            captured_at=capture.captured_at,
            visit_id=capture.visit_id,
            categories=page.post.categories if page.post else (),
        ),
        post,
        tuple(comments),
    )


def completeness(
    announced: int | None, captured: int, shortfalls: tuple[str, ...] = ()
) -> tuple[Completeness, str | None]:
    """Captured against announced. More than announced is complete: many themes leave pingbacks out of the count."""
    more = f" ({'; '.join(shortfalls)})" if shortfalls else ""
    if announced is None:
        if shortfalls:
            return "partial", "; ".join(shortfalls)
        return "unknown", "the page does not say how many comments it has"
    if captured >= announced:
        return "complete", None
    return "partial", f"the page announces {announced} comments, {captured} were captured{more}"


def _post_entry(post: Post, thread: str, canonical: str, capture: Capture) -> Entry:
    # one post to a thread: its identity must outlive edits of its text, so nothing printed goes into it
    own = entry_id(thread, "post", post.native_id)
    # of a post that was erased nothing is left, and what the page shows beside it must not be taken for it
    erased = post.text.partition("\n")[0].strip() == MARK
    state: EntryState = "deleted" if erased else "visible"
    text = MARK if erased else post.text
    return Entry(
        revision_id=revision_id(own, author=post.author, parent_id=None, state=state, text=text),
        entry_id=own,
        thread_id=thread,
        position=0,
        native_id=post.native_id,
        kind="post",
        parent_id=None,
        parent_source=None,
        depth=0,
        author=post.author,
        author_url=post.author_url,
        is_post_author=True,
        published=post.date.iso if post.date else None,
        published_text=post.date.raw if post.date else None,
        published_precision=post.date.precision if post.date else None,
        url=canonical,
        state=state,
        edited=None,
        text=text,
        text_digest=text_digest(text),
        links=() if erased else post.links,
        captured_at=capture.captured_at,
        visit_id=capture.visit_id,
        evidence=capture.evidence,
    )


def _ids(readings: tuple[Reading, ...], thread: str) -> list[str]:
    """Entry ids; a native id that a broken page prints twice, and texts that recur, are told apart by their order."""
    seen: Counter[tuple[str | None, ...]] = Counter()
    found = []
    for one in readings:
        raw = one.date.raw if one.date else None
        key = (one.native_id,) if one.native_id else (one.kind, one.author, raw, one.text)
        native = one.native_id if not (one.native_id and seen[key]) else None
        found.append(entry_id(thread, one.kind, native, one.author, raw, one.text, seen[key]))
        seen[key] += 1
    return found


def _depths(readings: tuple[Reading, ...]) -> list[int]:
    depths: list[int] = []
    for one in readings:
        depths.append(1 if one.parent is None else depths[one.parent] + 1)
    return depths


def _comment_entries(readings: tuple[Reading, ...], thread: str, capture: Capture) -> list[Entry]:
    ids, depths = _ids(readings, thread), _depths(readings)
    return [
        _comment_entry(
            one,
            position,
            ids[position - 1],
            None if one.parent is None else ids[one.parent],
            depths[position - 1],
            thread,
            capture,
        )
        for position, one in enumerate(readings, 1)
    ]


def _comment_entry(
    one: Reading, position: int, own: str, parent: str | None, depth: int, thread: str, capture: Capture
) -> Entry:
    return Entry(
        revision_id=revision_id(own, author=one.author, parent_id=parent, state=one.state, text=one.text),
        entry_id=own,
        thread_id=thread,
        position=position,
        native_id=one.native_id,
        kind=one.kind,
        parent_id=parent,
        parent_source=one.parent_source if parent else None,
        depth=depth,
        author=one.author,
        author_url=one.author_url,
        is_post_author=one.is_post_author,
        published=one.date.iso if one.date else None,
        published_text=one.date.raw if one.date else None,
        published_precision=one.date.precision if one.date else None,
        url=one.permalink,
        state=one.state,
        edited=one.edited,
        text=one.text,
        text_digest=text_digest(one.text),
        links=one.links,
        captured_at=capture.captured_at,
        visit_id=capture.visit_id,
        evidence=capture.evidence,
    )
