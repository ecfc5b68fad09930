"""What one source says: comments under keys that all sources of a thread share, and who answers whom by key."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lxml import etree, html

from harvest.extract.build import Page
from harvest.extract.items import Reading
from harvest.extract.text import absolute, lines
from store.records import ParentSource, make_id

SourceName = Literal["api", "feed", "page"]

#: The digits (TypePad: hex digits) that end an id, whatever a theme puts before them.
_KEY = re.compile(r"(?<![0-9a-z])6a[0-9a-f]{12,}$|\d+$", re.I)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for an address. ``headers`` has names in lower case; ``status`` is 0 where nothing came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def good(self) -> bool:
        """Whether there is something to read."""
        return self.status == 200 and bool(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One comment as one source tells it.

    ``parent`` is the key of what it answers. ``placed`` says that the source knows its place: without a parent it then
    answers the post. ``writer`` is the site's own id of a registered author. ``parent`` of ``reading`` is not used.
    """

    key: str
    reading: Reading
    parent: str | None = None
    placed: bool = True
    writer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What was read at one address (of several pages of an API: the first). ``whole``: it lists all that it counts.

    ``total`` is how many comments the source says there are, of the kinds that it lists.
    """

    name: SourceName
    url: str
    items: tuple[Said, ...] = ()
    total: int | None = None
    whole: bool = False
    post_writer: str | None = field(default=None)


#: A reader: yields addresses, is sent their answers, returns what it found.
Reader = Generator[str, Answer, Source | None]


def key_of(native_id: str) -> str:
    """The part of an id that is the same in page, API and feed: ``comment-12``, ``li-comment-12`` and 12 are one."""
    match = _KEY.search(native_id)
    return match.group().lower() if match else native_id


def from_page(page: Page, url: str) -> Source:
    """A page's comments. Those without an id are known by author, date and text; ids that collide are kept whole."""
    keys: list[str] = []
    seen: Counter[str] = Counter()
    for one in page.readings:
        key = key_of(one.native_id) if one.native_id else _content_key(one)
        if seen[key] and one.native_id and one.native_id not in seen:
            key = one.native_id
        seen[key] += 1
        keys.append(key if seen[key] == 1 else f"{key}~{seen[key]}")
    items = tuple(
        Said(key=key, reading=one, parent=None if one.parent is None else keys[one.parent])
        for key, one in zip(keys, page.readings, strict=True)
    )
    return Source(name="page", url=url, items=items, total=page.announced)


def _content_key(one: Reading) -> str:
    return "~" + make_id(one.author, one.date.raw if one.date else None, " ".join(one.text.split()))


def parent_source(source: SourceName, said: Said) -> ParentSource | None:
    """How the place of ``said`` is known: the source's own name, for a page the way the page showed it."""
    return source if source in ("api", "feed") else said.reading.parent_source


def read_json(answer: Answer) -> Any:
    """The answer's JSON, or ``None`` for what is none."""
    if not answer.good:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):  # nested beyond any thread's depth: no comment list
        return None


def read_markup(markup: str, url: str) -> tuple[str, tuple[str, ...]]:
    """A comment's HTML as the text and links that the same comment would give on its page."""
    root = fragment(markup)
    if root is None:
        return "", ()
    found = (absolute(link.get("href"), url) for link in root.iterdescendants("a"))
    links = dict.fromkeys(address for address in found if address and address.partition("#")[0] != url)
    return "\n".join(lines(root)), tuple(links)


def fragment(markup: str) -> etree._Element | None:
    """A piece of HTML as one element; ``None`` where there is nothing in it."""
    if not markup.strip():
        return None
    try:
        parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
        found: etree._Element = html.fragment_fromstring(
            f"<div>{markup}</div>".encode("utf-8", "replace"), create_parent="div", parser=parser
        )
    except (etree.ParserError, etree.XMLSyntaxError, AssertionError):
        return None
    return found


def text_value(value: object) -> str | None:
    """A non-empty string of an untrusted answer."""
    return value.strip() or None if isinstance(value, str) else None


def with_text(one: Reading, other: Reading) -> Reading:
    """``one`` with the text and links of ``other``."""
    return replace(one, text=other.text, links=other.links)
