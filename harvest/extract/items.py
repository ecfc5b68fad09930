"""What lies between the tree and the records: items (elements) and what was read from each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lxml import etree

from harvest.dates import Order, ReadDate
from harvest.platforms.rules import Rules
from store.records import EntryKind, EntryState, ParentSource

Element = etree._Element


@dataclass(frozen=True, slots=True)
class PageContext:
    """What reading a field needs to know of its page. ``anchor``: the moment that relative dates count from, if known."""

    url: str
    language: str | None
    order: Order
    anchor: str | None


@dataclass(frozen=True, slots=True)
class Items:
    """The comments of a page as elements in document order, with the rules that found them (``None``: generic)."""

    elements: tuple[Element, ...]
    rules: Rules | None = None
    forum: bool = False
    marks: tuple[str, ...] = ()
    parents: tuple[int | None, ...] = ()
    parent_sources: tuple[ParentSource | None, ...] = ()

    def with_parents(self, parents: list[int | None], sources: list[ParentSource | None]) -> Items:
        """The same items, placed in the tree."""
        return replace(self, parents=tuple(parents), parent_sources=tuple(sources))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One comment as read, before ids are made. ``parent`` indexes the list that the reading stands in."""

    text: str
    native_id: str | None = None
    author: str | None = None
    author_url: str | None = None
    date: ReadDate | None = None
    permalink: str | None = None
    kind: EntryKind = "comment"
    state: EntryState = "visible"
    edited: str | None = None
    is_post_author: bool = False
    links: tuple[str, ...] = field(default=())
    parent: int | None = None
    parent_source: ParentSource | None = None
