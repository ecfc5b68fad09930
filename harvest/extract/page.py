"""Reading one HTML page: find the comments, place them, read each, then the post from what is left."""

from __future__ import annotations

import re
from dataclasses import replace

from harvest.dates import Order, numeric_order, page_clock
from harvest.extract.build import Page
from harvest.extract.counts import announced
from harvest.extract.fields import read_item
from harvest.extract.find import find_items
from harvest.extract.items import Element, Items, PageContext, Reading
from harvest.extract.jsonld import read_jsonld
from harvest.extract.post import ARTICLE_CHARACTERS, Post, drop_region, index_size, read_post
from harvest.extract.select import detach, first, select, tokens
from harvest.extract.source import parse
from harvest.extract.text import absolute, lines
from harvest.extract.tree import place

_GENERATORS = (
    "wordpress",
    "blogger",
    "typepad",
    "movable type",
    "drupal",
    "joomla",
    "discourse",
    "ghost",
    "xenforo",
    "vbulletin",
    "mediawiki",
)


def read_page(text: str, url: str, anchor: str | None) -> Page:
    """Read a page of HTML. ``anchor`` is the moment that relative dates count from, if known.

    Without one, a page that prints its own time is its own anchor.
    """
    root, scripts = parse(text)
    anchor = anchor or page_clock(lines(root))
    language = _language(root)
    items = find_items(root)
    items = replace(items, marks=_marks(items)) if items else None
    elements = items.elements if items else ()
    context = PageContext(url, language, _order(root, elements, language), anchor)
    count = announced(root, elements)
    stated, stated_count = read_jsonld(scripts.json_ld, url)
    readings = _read_items(items, context) if items else stated
    if count is None:
        count = stated_count
    posts = index_size(root) if not readings else 0
    drop_region(root)
    post = read_post(root, context)
    if items and readings and (items.forum or _opens_with_post(root, items, post)):
        post, readings = _first_is_post(post, readings, url)
    named = first(root, ("link[rel=canonical]",))
    return Page(
        post=post,
        readings=tuple(readings),
        platform=(items.rules.name if items and items.rules else None) or _generator(root),
        language=language,
        announced=count,
        canonical=absolute(named.get("href"), url) if named is not None else None,
        index_of=posts,
    )


#: Addresses and regions of discussions whose opening post is the first of the list.
_DISCUSSION = re.compile(
    r"(?:^|[/_\s.-])(?:forums?|foren|threads?|topics?|viewtopic|showthread|discussions?|boards?|bbs)(?:$|[/_\s.?-])",
    re.I,
)


def _marks(items: Items) -> tuple[str, ...]:
    """Ids and classes of the list's surroundings, read while the list still hangs in the page."""
    first_one = items.elements[0]
    return tuple(tokens(up) for up in (first_one, *list(first_one.iterancestors())[:3]))


def _opens_with_post(root: Element, items: Items, post: Post) -> bool:
    """Whether an unknown system's list is a discussion: its page says so, and there is no article above the list."""
    if items.rules is not None or len(post.text) > ARTICLE_CHARACTERS:
        return False
    named = [
        node.get("content") or node.get("href") or ""
        for node in select(root, "meta[property=og:url],link[rel=canonical]")
    ]
    body = next(root.iter("body"), None)
    marks = [*named, tokens(body) if body is not None else "", *items.marks]
    return any(_DISCUSSION.search(mark) for mark in marks)


def _read_items(items: Items, context: PageContext) -> list[Reading]:
    placed = place(items)
    for element in reversed(placed.elements):  # innermost first, so that no text is copied or read twice
        detach(element)
    found = []
    for element, parent, source in zip(placed.elements, placed.parents, placed.parent_sources, strict=True):
        found.append(replace(read_item(element, placed.rules, context), parent=parent, parent_source=source))
    return _without_empty(found)


def _without_empty(readings: list[Reading]) -> list[Reading]:
    """Drop items that say nothing at all (advertisements in the list) unless something answers them."""
    needed = {one.parent for one in readings}
    kept = [
        n
        for n, one in enumerate(readings)
        if one.text or one.state != "visible" or one.kind != "comment" or n in needed or (one.author and one.date)
    ]
    moved: dict[int | None, int] = {old: new for new, old in enumerate(kept)}
    return [replace(readings[n], parent=moved.get(readings[n].parent)) for n in kept]


def _first_is_post(post: Post, readings: list[Reading], url: str) -> tuple[Post, list[Reading]]:
    """In a forum the first item is the post, and what answers it answers the post."""
    head, *rest = readings
    opening = Post(post.title, head.author, head.author_url, head.date, head.text, head.native_id, head.links)
    shifted = [
        replace(
            one, parent=one.parent - 1 if one.parent else None, parent_source=one.parent_source if one.parent else None
        )
        for one in rest
    ]
    return opening, shifted


def _order(root: Element, elements: tuple[Element, ...], language: str | None) -> Order:
    sample = elements[:60] or (root,)
    return numeric_order((line for element in sample for line in lines(element) if len(line) < 160), language)


def _language(root: Element) -> str | None:
    for value in (root.get("lang"), root.get("{http://www.w3.org/XML/1998/namespace}lang"), root.get("xml:lang")):
        if value and re.match(r"[a-z]{2,3}\b", value, re.I):
            return value.strip()
    return None


def _generator(root: Element) -> str | None:
    for node in select(root, "meta[name=generator]"):
        content = (node.get("content") or "").lower()
        for name in _GENERATORS:
            if name in content:
                return name.replace(" ", "")
    return "wordpress" if select(root, "link[rel=https://api.w.org/]") else None
