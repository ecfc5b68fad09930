"""Feeds as lists of posts: RSS, Atom, RDF and JSON Feed; feeds of comments tell which posts have been answered."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urldefrag, urlencode, urljoin, urlsplit

#: Items read of one feed document; more is no feed but a flood.
MAX_ITEMS = 100_000

_COMMENT_LINK = re.compile(r"#(?:comment|c|li-comment|discuss|respond|gc-|dsq)", re.I)
_ITEMS = frozenset({"item", "entry"})
_DATES = ("pubDate", "published", "date", "issued", "updated", "modified")


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One post: address, when it was published or (in a feed of comments) answered, in seconds since the epoch, title."""

    url: str
    moment: float | None
    title: str | None


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed document. ``next`` is its next page, ``home`` the page that it is the feed of."""

    items: tuple[FeedItem, ...]
    next: str | None
    home: str | None
    of_comments: bool


def read_feed(body: bytes, url: str) -> Feed | None:
    """The feed in ``body``; ``None`` if there is none. Broken ones are read as far as they go."""
    start = body[:2048].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"{"):
        return _json_feed(body, url)
    if not re.search(rb"<(?:\w+:)?(?:rss|feed|rdf)[\s>]", start, re.I):
        return None
    return _xml_feed(body, url)


def next_page(feed_url: str, number: int) -> str:
    """Page ``number`` of a feed that names no next one, as WordPress numbers them."""
    parts = urlsplit(feed_url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "paged"]
    return parts._replace(query=urlencode([*query, ("paged", str(number))])).geturl()


def _xml_feed(body: bytes, url: str) -> Feed | None:
    from lxml import etree

    items: list[FeedItem] = []
    following = home = None
    comment_links = 0
    depth_of_item = False
    try:
        events = etree.iterparse(
            io.BytesIO(body),
            events=("start", "end"),
            recover=True,
            resolve_entities=False,
            no_network=True,
            huge_tree=False,
        )
        for event, element in events:
            name = _name(element)
            if event == "start":
                depth_of_item = depth_of_item or name in _ITEMS
                continue
            if name in _ITEMS:
                depth_of_item = False
                link = _item_link(element)
                if link and len(items) < MAX_ITEMS:
                    comment_links += bool(_COMMENT_LINK.search(link))
                    items.append(FeedItem(urldefrag(urljoin(url, link)).url, _item_date(element), _item_title(element)))
                element.clear()
            elif not depth_of_item and name == "link":
                relation, target = element.get("rel"), element.get("href") or (element.text or "").strip()
                if relation == "next" and target:
                    following = urljoin(url, target)
                elif relation in (None, "alternate") and target and home is None:
                    home = urljoin(url, target)
    except etree.XMLSyntaxError:
        pass  # what was read until here stands
    if not items and home is None:
        return None
    return Feed(tuple(items), following, home, bool(items) and comment_links * 2 > len(items))


def _name(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _item_link(item: Any) -> str | None:
    """The post's own address: what a feed service put another in the place of, the link, or a permanent id."""
    links: dict[str, str] = {}
    for child in item:
        name, text = _name(child), (child.text or "").strip()
        if name == "origLink":
            links["original"] = text
        elif name == "link" and child.get("rel", "alternate") == "alternate":
            links.setdefault("link", child.get("href") or text)
        elif name == "guid" and child.get("isPermaLink", "true") == "true" and text.startswith("http"):
            links["guid"] = text
    return links.get("original") or links.get("link") or links.get("guid")


def _item_date(item: Any) -> float | None:
    texts = {_name(child): (child.text or "").strip() for child in item}
    for name in _DATES:
        if texts.get(name) and (found := moment_of(texts[name])) is not None:
            return found
    return None


def _item_title(item: Any) -> str | None:
    return next((" ".join((c.text or "").split()) or None for c in item if _name(c) == "title"), None)


def moment_of(text: str) -> float | None:
    """A date of RFC 822 or ISO 8601 as seconds since the epoch."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
        except (ValueError, TypeError, IndexError):
            continue
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None


def _json_feed(body: bytes, url: str) -> Feed | None:
    try:
        data = json.loads(body)
    except ValueError:
        return None
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("items"), list)
        or "jsonfeed" not in str(data.get("version"))
    ):
        return None
    following, home = data.get("next_url"), data.get("home_page_url")
    return Feed(
        tuple(_json_items(data["items"], url)),
        urljoin(url, following) if isinstance(following, str) else None,
        urljoin(url, home) if isinstance(home, str) else None,
        of_comments=False,
    )


def _json_items(items: list[Any], url: str) -> Iterator[FeedItem]:
    for item in items[:MAX_ITEMS]:
        if isinstance(item, dict) and isinstance(item.get("url"), str):
            date, title = item.get("date_published"), item.get("title")
            yield FeedItem(
                urljoin(url, item["url"]),
                moment_of(date) if isinstance(date, str) else None,
                title if isinstance(title, str) else None,
            )
