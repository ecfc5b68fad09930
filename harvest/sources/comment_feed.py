"""Comment feeds, Atom (RFC 4287 with the threading of RFC 4685) and RSS 2: WordPress's, Blogger's and their like.

Feeds hold what APIs leave out (pingbacks with date and text), but mostly only the latest comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

from lxml import etree

from harvest.dates import ReadDate, machine_date
from harvest.extract.build import host, normalise
from harvest.extract.items import Element, Reading
from harvest.extract.select import detach, select
from harvest.extract.text import absolute, lines, one_line, squeeze
from harvest.sources.items import Answer, Reader, Said, Source, fragment, key_of, read_markup, with_text

#: Feeds that go on (``rel=next``) are followed so far: Blogger gives 500 comments at once.
MAX_PAGES = 40

_ATOM = "{http://www.w3.org/2005/Atom}"
_THREAD = "{http://purl.org/syndication/thread/1.0}"
_SEARCH = ("{http://a9.com/-/spec/opensearchrss/1.0/}", "{http://a9.com/-/spec/opensearch/1.1/}")
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_ENCODED = "{http://purl.org/rss/1.0/modules/content/}encoded"

_FRAGMENT = re.compile(r"#(?:li-|div-)?((?:comment-?|c|cmt-?)\d[\da-f]*)$", re.I)
_BLOGGER_ID = re.compile(r"^tag:blogger\.com,1999:blog-\d+\.post-(\d+)$")
_BLOGGER_COMMENT = re.compile(r"/comments/default/(\d+)")
_BLOGGER_FEED = re.compile(r"/feeds/\d+/comments/(?:default|full)")
_MAIL_AND_NAME = re.compile(r"^\S+@\S+\s+\((.+)\)$")


def discover(root: Element, url: str) -> str | None:
    """The address of the feed of this page's comments; never that of a site's feed of all comments."""
    for link in select(root, "link[rel=alternate]"):
        kind, address = link.get("type") or "", absolute(link.get("href"), url)
        if address and ("rss" in kind or "atom" in kind) and (feed := _own_feed(address, url)):
            return feed
    return None


def _own_feed(address: str, url: str) -> str | None:
    """``address`` if it is the feed of the page at ``url``, in the form that names parents."""
    if _BLOGGER_FEED.search(address):
        return f"{address}{'&' if '?' in address else '?'}max-results=500"
    if host(address) != host(url):
        return None
    feed, page = urlsplit(address), urlsplit(normalise(url))
    if "feed=" in feed.query and re.search(r"(?:^|&)(?:p|page_id)=\d+", feed.query):
        return re.sub(r"feed=(?:rss2|comments-rss2)\b", "feed=atom", address)
    own = unquote(feed.path).rstrip("/")
    if own.endswith("/feed") and own.removesuffix("/feed") == unquote(page.path).rstrip("/") != "":
        return address.rstrip("/") + "/atom/"
    return None


def read(root: Element, url: str) -> Reader:
    """Ask for the page's comment feed."""
    address = discover(root, url)
    found: list[Said] = []
    total, first, asked = None, address, set[str]()
    while address and address not in asked and len(asked) < MAX_PAGES:
        asked.add(address)
        feed = parse_feed((yield address), url)
        if feed is None:
            break
        found += feed.items
        total = total if total is not None else feed.total
        address = feed.url if feed.url != address else None
    if first is None or not found:
        return None
    whole = total is not None and len(found) >= total
    return Source(name="feed", url=first, items=tuple(found), total=total, whole=whole)


def parse_feed(answer: Answer, url: str) -> Source | None:
    """The comments of one feed document that belong to the page at ``url``; the source's ``url`` is the next document's.

    ``None`` for what is no feed. Entities are not resolved and nothing is fetched.
    """
    if not answer.good:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, huge_tree=False)
    try:
        root = etree.fromstring(answer.body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root is None:
        return None
    entries = list(root.iter(f"{_ATOM}entry")) or list(root.iter("item"))
    items = tuple(said for entry in entries if (said := _read_entry(entry, url)))
    following = next((link.get("href") for link in root.iter(f"{_ATOM}link") if link.get("rel") == "next"), None)
    counts = [node.text or "" for name in _SEARCH for node in root.iter(f"{name}totalResults")]
    total = next((int(text) for text in counts if text.isdigit() and len(text) < 8), None)
    return Source(name="feed", url=absolute(following, url) or "", items=items, total=total)


def _read_entry(entry: Element, url: str) -> Said | None:
    identity = _text(entry, f"{_ATOM}id") or _text(entry, "guid") or ""
    link = _link(entry)
    native = _native(identity) or _native(link or "")
    if native is None or (link and not _same_page(link, url)):
        return None
    markup = _text(entry, f"{_ATOM}content", _ENCODED, f"{_ATOM}summary", "description") or ""
    text, links = read_markup(markup, url)
    answered = _answered(entry)
    reading = Reading(
        text=text,
        native_id=native,
        author=_author(entry),
        author_url=absolute(_text(entry, f"{_ATOM}author/{_ATOM}uri"), url),
        date=_date(entry),
        permalink=absolute(link, url),
        links=links,
    )
    reading, named = _without_salutation(reading, markup, url)
    parent = answered or named
    threaded = entry.find(f"{_THREAD}in-reply-to") is not None
    return Said(key=key_of(native), reading=reading, parent=parent, placed=threaded or parent is not None)


def _text(entry: Element, *names: str) -> str | None:
    for name in names:
        node = entry.find(name)
        # Atom's type=xhtml holds elements; the others text
        if node is not None and (text := "".join(str(part) for part in node.itertext()).strip()):
            return text
    return None


def _link(entry: Element) -> str | None:
    for link in entry.iter(f"{_ATOM}link"):
        if link.get("rel", "alternate") == "alternate":
            return link.get("href")
    return _text(entry, "link")


def _native(identity: str) -> str | None:
    """The id that the comment has in the page."""
    if match := _BLOGGER_ID.match(identity):
        return f"c{match[1]}"
    match = _FRAGMENT.search(identity)
    return match[1] if match else None


def _same_page(link: str, url: str) -> bool:
    """Whether the comment's link leads to this page, on whatever page of the comments."""
    here, there = urlsplit(normalise(url)), urlsplit(normalise(link))
    return (unquote(here.path).rstrip("/"), here.query) == (unquote(there.path).rstrip("/"), there.query)


def _answered(entry: Element) -> str | None:
    """The key of the comment that the entry answers, ``None`` for the post."""
    for link in entry.iter(f"{_ATOM}link"):
        if link.get("rel") == "related" and (match := _BLOGGER_COMMENT.search(link.get("href") or "")):
            return match[1]
    for node in entry.iter(f"{_THREAD}in-reply-to"):
        for value in (node.get("ref") or "", node.get("href") or ""):
            if match := _FRAGMENT.search(value):
                return key_of(match[1])
    return None


def _without_salutation(reading: Reading, markup: str, url: str) -> tuple[Reading, str | None]:
    """WordPress opens an answer with "In reply to X." and a link to what is answered: the parent's key, and the rest."""
    root = fragment(markup)
    head = next(root.iter("p"), None) if root is not None else None
    if root is None or head is None:
        return reading, None
    anchors = list(head.iterdescendants("a"))
    match = _FRAGMENT.search(anchors[0].get("href") or "") if len(anchors) == 1 else None
    if match is None or not _same_page(anchors[0].get("href") or "", url) or len(one_line(head)) > 200:
        return reading, None
    rest = one_line(head).replace(one_line(anchors[0]), "")
    if len(rest) > 40:  # a sentence of somebody's own; "In reply to ." is short in every language
        return reading, None
    detach(head)
    return with_text(reading, replace(reading, text="\n".join(lines(root)), links=tuple(_links(root, url)))), key_of(
        match[1]
    )


def _links(root: Element, url: str) -> Iterator[str]:
    found = dict.fromkeys(absolute(link.get("href"), url) for link in root.iterdescendants("a"))
    return (address for address in found if address and address.partition("#")[0] != url)


def _author(entry: Element) -> str | None:
    name = _text(entry, f"{_ATOM}author/{_ATOM}name", _CREATOR, "author")
    match = _MAIL_AND_NAME.match(name or "")
    name = squeeze(match[1] if match else name)
    return name if name and "@" not in name else None


def _date(entry: Element) -> ReadDate | None:
    raw = _text(entry, f"{_ATOM}published", f"{_ATOM}updated")
    if raw:
        return machine_date(raw)
    raw = _text(entry, "pubDate")
    try:
        moment = parsedate_to_datetime(raw or "")
    except (ValueError, TypeError, IndexError):
        return None
    iso = (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat().replace("+00:00", "Z")
    return ReadDate(iso, "second", raw or "") if isinstance(moment, datetime) else None
