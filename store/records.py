"""The records that everything else speaks in: what was visited, what was read from it, what was said of it.

All are frozen dataclasses with plain values. Times are ISO 8601 strings: moments that chorus observed itself are UTC
(``…Z``); moments that a page printed keep the page's own wall clock and offset, since the offset is often unknown.
A value that the source does not give is ``None``.

Ids are deterministic (SHA-256 over the parts named in each ``*_id`` function), so reading the same page twice gives the
same rows and adds nothing, on any machine. An entry whose content changed keeps its ``entry_id`` and gets a new
``revision_id``.

``store.schema`` derives the Arrow, JSON and CSV forms from these classes; there is no second list of columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from store.errors import (
    AddressBlocked,
    ArchiveError,
    ArchiveLocked,
    BrowserUnavailable,
    ChorusError,
    ConfigError,
    ExtractError,
    FetchError,
    ModelUnavailable,
    NothingFound,
    UsageError,
)

__all__ = [
    "LABELS",
    "AddressBlocked",
    "ArchiveError",
    "ArchiveLocked",
    "BrowserUnavailable",
    "ChorusError",
    "Completeness",
    "ConfigError",
    "Cue",
    "Entry",
    "EntryKind",
    "EntryState",
    "Evidence",
    "ExtractError",
    "FetchError",
    "Label",
    "LabelProbability",
    "ModelUnavailable",
    "NothingFound",
    "ParentSource",
    "Passage",
    "Precision",
    "Run",
    "Thread",
    "ThreadDocument",
    "UsageError",
    "Visit",
    "entry_id",
    "label_id",
    "make_id",
    "passage_id",
    "revision_id",
    "text_digest",
    "thread_id",
    "visit_id",
]

EntryKind = Literal["post", "comment", "pingback", "trackback"]
EntryState = Literal["visible", "deleted", "hidden", "pending"]
ParentSource = Literal["api", "feed", "dom", "indent", "quote"]
Precision = Literal["second", "minute", "hour", "day", "month", "year"]
Completeness = Literal["complete", "partial", "unknown"]

#: The four labels of the default codebook, in its decision order.
LABELS = ("self-promotion", "community-sharing", "meta-talk", "neither")

#: 16 bytes: a collision among 10^12 rows has a chance below 10^-14.
ID_HEX_DIGITS = 32


def make_id(*parts: str | int | None) -> str:
    """Hash ``parts`` to 32 hex digits. Parts are length-prefixed, so no two different lists run together."""
    digest = hashlib.sha256()
    for part in parts:
        data = b"\x00" if part is None else str(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:ID_HEX_DIGITS]


def text_digest(text: str) -> str:
    """SHA-256 of the text, as ``sha256:…`` in hex."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def thread_id(canonical_url: str) -> str:
    """A thread is what hangs under one canonical URL."""
    return make_id("thread", canonical_url)


def visit_id(url: str, captured_at: str, record_id: str) -> str:
    """A visit is one capture, named by the WARC record of its rendered page."""
    return make_id("visit", url, captured_at, record_id)


def entry_id(thread: str, kind: str, native_id: str | None, *fallback: str | int | None) -> str:
    """An entry's identity in its thread: the platform's own id, else ``fallback``.

    ``fallback`` is what tells it from its neighbours: author, date as printed, text, how many alike stand before it.
    """
    if native_id is not None:
        return make_id("entry", thread, "native", native_id)
    return make_id("entry", thread, kind, *fallback)


def revision_id(entry: str, *, author: str | None, parent_id: str | None, state: str, text: str) -> str:
    """One version of an entry: changes when author, place in the thread, state or text change.

    Dates are left out: sites that print "2 hours ago" would otherwise make a new revision at each visit.
    """
    return make_id("revision", entry, author, parent_id, state, text)


def passage_id(revision: str, start: int, end: int) -> str:
    """A span of characters in one revision of an entry."""
    return make_id("passage", revision, start, end)


def label_id(revision: str, start: int, end: int, unit: str, model: str, codebook: str) -> str:
    """What one model, reading one codebook, says of one span."""
    return make_id("label", revision, start, end, unit, model, codebook)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where in the archive a value was read: one record of one WARC file.

    ``warc`` is a file name below ``warc/``; ``offset`` counts bytes of the (compressed) file; ``digest`` is the
    record's payload digest (``sha256:…``).
    """

    warc: str
    offset: int
    record_id: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One attempt to capture one URL, with its outcome and the WARC records it left.

    ``outcome`` is ``captured`` (a thread was read), ``no-thread`` (kept, but nothing to read in it) or ``failed``.
    ``revision_ids`` lists the post, then the comments, in page order: the thread exactly as this visit saw it, and how
    complete that was.
    """

    visit_id: str
    url: str
    final_url: str | None
    captured_at: str
    outcome: Literal["captured", "no-thread", "failed"]
    status: int | None
    error: str | None
    media_type: str | None
    thread_id: str | None
    revision_ids: tuple[str, ...] = ()
    responses: int = 0
    robots: str | None = None
    software: str | None = None
    response: Evidence | None = None
    dom: Evidence | None = None
    screenshot: Evidence | None = None
    text: Evidence | None = None
    announced_count: int | None = None
    completeness: Completeness | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A post and its comments, as last seen."""

    thread_id: str
    url: str
    canonical_url: str
    site: str
    platform: str | None
    title: str | None
    language: str | None
    announced_count: int | None
    captured_count: int
    completeness: Completeness
    completeness_reason: str | None
    captured_at: str
    visit_id: str | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One revision of a post, comment or pingback.

    ``parent_id`` is an ``entry_id``, or ``None`` for the post and for replies to it; ``depth`` is 0 for the post, 1 for
    a reply to it. ``text`` is plain, paragraphs separated by a newline. ``evidence`` is ``None`` only for entries read
    outside an archive.
    """

    revision_id: str
    entry_id: str
    thread_id: str
    position: int
    native_id: str | None
    kind: EntryKind
    parent_id: str | None
    parent_source: ParentSource | None
    depth: int
    author: str | None
    author_url: str | None
    is_post_author: bool
    published: str | None
    published_text: str | None
    published_precision: Precision | None
    url: str | None
    state: EntryState
    edited: str | None
    text: str
    text_digest: str
    links: tuple[str, ...] = ()
    captured_at: str
    visit_id: str | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A span of an entry that search answers with; ``start`` and ``end`` count characters of the entry's text.

    The columns after ``text`` repeat the entry's and thread's values so that filters need no join. ``labels`` holds the
    labels that the last classification found in the span, in the codebook's decision order; ``None`` before any.
    """

    passage_id: str
    revision_id: str
    entry_id: str
    thread_id: str
    start: int
    end: int
    text: str
    title: str | None
    site: str
    author: str | None
    kind: EntryKind
    published: str | None
    url: str | None
    parent_author: str | None
    encoder: str
    labels: tuple[str, ...] | None = None
    label_probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A span of text that speaks for an act; ``start`` and ``end`` count characters of the unit's text."""

    type: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelProbability:
    """The calibrated probability (0 to 1) of one label."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a model says of one sentence or entry, and which model reading which codebook said it."""

    label_id: str
    run_id: str
    revision_id: str
    entry_id: str
    thread_id: str
    unit: Literal["sentence", "entry"]
    start: int
    end: int
    text: str
    label: str
    promo: float | None
    share: float | None
    meta: float | None
    probabilities: tuple[LabelProbability, ...]
    abstain: bool
    cues: tuple[Cue, ...]
    model: str
    codebook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The manifest of one run of a command that writes: enough to say how each row came about."""

    run_id: str
    command: str
    argv: tuple[str, ...]
    started_at: str
    finished_at: str | None
    status: Literal["running", "done", "partial", "failed", "interrupted"]
    version: str
    user: str | None
    parameters: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadDocument:
    """A whole thread: what ``extract`` returns and what ``show`` prints.

    ``post`` is ``None`` when only comments are there.
    """

    thread: Thread
    post: Entry | None
    comments: tuple[Entry, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The post (if any), then the comments, in page order."""
        return ((self.post,) if self.post else ()) + self.comments

    def to_json(self, *, evidence: bool = False) -> dict[str, Any]:
        """The thread as plain JSON values, in the shape that the command line promises."""
        thread = self.thread
        index = {entry.entry_id: n for n, entry in enumerate(self.comments)}
        return {
            "id": thread.thread_id,
            "url": thread.url,
            "canonical_url": thread.canonical_url,
            "site": thread.site,
            "platform": thread.platform,
            "title": thread.title,
            "language": thread.language,
            "announced_count": thread.announced_count,
            "captured_count": thread.captured_count,
            "completeness": thread.completeness,
            "completeness_reason": thread.completeness_reason,
            "categories": list(thread.categories),
            "captured_at": thread.captured_at,
            "post": _post_json(self.post, evidence) if self.post else None,
            "comments": [_comment_json(entry, index, evidence) for entry in self.comments],
        }


def _post_json(entry: Entry, evidence: bool) -> dict[str, Any]:
    return _pick(entry, _POST_FIELDS, evidence)


def _comment_json(entry: Entry, index: dict[str, int], evidence: bool) -> dict[str, Any]:
    row = _pick(entry, _COMMENT_FIELDS, evidence)
    return {**row, "parent": index.get(entry.parent_id) if entry.parent_id else None}


_DATE_FIELDS = ("published", "published_text", "published_precision")
_POST_FIELDS = ("native_id", "kind", "author", "author_url", *_DATE_FIELDS, "url", "text", "links", "revision_id")
_COMMENT_FIELDS = (
    *("native_id", "kind", "parent_id", "parent_source", "depth", "author", "author_url", "is_post_author"),
    *_DATE_FIELDS,
    *("url", "state", "edited", "text", "links", "revision_id"),
)


def _pick(entry: Entry, names: Iterable[str], evidence: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"id": entry.entry_id}
    for name in names:
        value = getattr(entry, name)
        row[name] = list(value) if isinstance(value, tuple) else value
    if evidence:
        row["evidence"] = _evidence_json(entry.evidence)
    return row


def _evidence_json(evidence: Evidence | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    return {name: getattr(evidence, name) for name in ("warc", "offset", "record_id", "digest")}
