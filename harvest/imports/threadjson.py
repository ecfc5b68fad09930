"""Threads as the contract's JSON: read back into what the extractor reads from a page."""

from __future__ import annotations

from typing import Any

from harvest.dates import ReadDate
from harvest.extract.build import Page
from harvest.extract.items import Reading
from harvest.extract.post import Post
from harvest.imports.item import Unreadable

_KINDS = ("comment", "pingback", "trackback")
_STATES = ("visible", "deleted", "hidden", "pending")
_PLACES = ("api", "feed", "dom", "indent", "quote")


def page_of(row: Any) -> Page:
    """The page that a thread's JSON describes. Raises ``Unreadable`` naming the field that is wrong."""
    if not isinstance(row, dict) or not isinstance(row.get("comments"), list):
        raise Unreadable("not a thread: needs an object with url, post and comments")
    post = row.get("post")
    comments = [_reading(one, n, len(row["comments"])) for n, one in enumerate(row["comments"])]
    announced = row.get("announced_count")
    return Page(
        post=_post(post, _text(row, "title")) if isinstance(post, dict) or row.get("title") else None,
        readings=tuple(comments),
        platform=_text(row, "platform"),
        language=_text(row, "language"),
        announced=announced if isinstance(announced, int) and announced >= 0 else None,
        canonical=_text(row, "canonical_url"),
    )


def _text(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise Unreadable(f"{name}: must be text")


def _date(row: dict[str, Any]) -> ReadDate | None:
    iso, raw = _text(row, "published"), _text(row, "published_text")
    precision = _text(row, "published_precision")
    if iso is None and raw is None:
        return None
    return ReadDate(iso, precision or ("second" if iso and len(iso) > 16 else "day" if iso else None), raw or iso or "")  # type: ignore[arg-type]


def _links(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(link for link in row.get("links") or () if isinstance(link, str) and link.startswith("http"))


def _post(row: Any, title: str | None) -> Post:
    row = row if isinstance(row, dict) else {}
    return Post(
        title=title,
        author=_text(row, "author"),
        author_url=_text(row, "author_url"),
        date=_date(row),
        text=_text(row, "text") or "",
        native_id=_text(row, "native_id"),
        links=_links(row),
    )


def _reading(row: Any, own: int, count: int) -> Reading:
    if not isinstance(row, dict):
        raise Unreadable(f"comments[{own}]: must be an object")
    parent = row.get("parent")
    if parent is not None and not (isinstance(parent, int) and 0 <= parent < count and parent < own):
        raise Unreadable(f"comments[{own}].parent: must be the index of an earlier comment or null")
    kind, state, place = row.get("kind") or "comment", row.get("state") or "visible", row.get("parent_source")
    if kind not in _KINDS or state not in _STATES:
        raise Unreadable(f"comments[{own}]: kind {kind!r} or state {state!r} is not known")
    return Reading(
        text=_text(row, "text") or "",
        native_id=_text(row, "native_id"),
        author=_text(row, "author"),
        author_url=_text(row, "author_url"),
        date=_date(row),
        permalink=_text(row, "url"),
        kind=kind,  # type: ignore[arg-type]  # one of _KINDS
        state=state,  # type: ignore[arg-type]  # one of _STATES
        edited=_text(row, "edited"),
        is_post_author=bool(row.get("is_post_author")),
        links=_links(row),
        parent=parent,
        parent_source=place if place in _PLACES else None,
    )
