"""WordPress's REST API: true parents however deep, all comments whatever the paging; but no pingbacks."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from harvest.dates import ReadDate
from harvest.extract.items import Element, Reading
from harvest.extract.select import first, select
from harvest.extract.text import absolute, squeeze
from harvest.sources.items import Answer, Reader, Said, Source, read_json, read_markup, text_value

#: The most that the API gives at once.
PER_PAGE = 100
#: A thread of more pages than that is not asked for at all: 20,000 comments come from its pages or not.
MAX_PAGES = 200
#: Pingbacks take a request each; a thread with more is told without their dates.
MAX_PINGS = 50
#: What is asked for. Avatars are left out: their addresses are hashes of mail addresses.
FIELDS = "id,post,parent,author,author_name,author_url,date,date_gmt,content,link,status,type"

_POST_ROUTE = re.compile(r"/wp/v2/([\w-]+)/(\d+)/?$")
_BODY_ID = re.compile(r"(?:^|\s)(?:postid|page-id|attachmentid)-(\d+)(?:\s|$)")
_CORE = re.compile(r"^(.*?/)(?:wp-content|wp-includes)/")
#: Where a page names its post, best first: selector, attribute, the digits in it.
_POST_IDS = (
    ("link[rel=shortlink]", "href", re.compile(r"[?&](?:p|page_id)=(\d+)")),
    ("input[name=comment_post_ID]", "value", re.compile(r"^(\d+)$")),
    ("body", "class", _BODY_ID),
    ("a[data-postid]", "data-postid", re.compile(r"^(\d+)$")),
    ("article[id^=post-]", "id", re.compile(r"^post-(\d+)$")),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post's comments can be asked for: the API's root, the post's id, its own address in the API if named."""

    root: str
    post: int
    post_url: str | None = None

    def comment(self, number: str) -> str:
        """The address of one comment; the only one at which a pingback is told without logging in."""
        return _route(self.root, f"wp/v2/comments/{number}", f"_fields={FIELDS}")

    def comments(self, page: int) -> str:
        """The address of one page of the comments, oldest first."""
        query = f"post={self.post}&per_page={PER_PAGE}&page={page}&order=asc&orderby=id&_fields={FIELDS}"
        return _route(self.root, "wp/v2/comments", query)


def _route(root: str, route: str, query: str) -> str:
    """A route below the API's root, which is a path or, on sites with plain addresses, ``?rest_route=/``."""
    if "rest_route=" in root:
        return f"{root.rstrip('/')}/{route}&{query}"
    return f"{root.rstrip('/')}/{route}?{query}"


def discover(root: Element, url: str) -> Place | None:
    """The place that a page names, in its own words or between the lines; ``None`` for what is no WordPress post."""
    api = _api_root(root, url)
    if api is None:
        return None
    for link in select(root, "link[rel=alternate]"):
        href = absolute(link.get("href"), url)
        if href and "json" in (link.get("type") or "") and (match := _POST_ROUTE.search(_path(href))):
            return Place(api, int(match[2]), href)
    post = _post_id(root)
    return Place(api, post) if post else None


def _path(href: str) -> str:
    """The route of an address of the API, written as path or as ``rest_route``."""
    parts = urlsplit(href)
    return dict(parse_qsl(parts.query)).get("rest_route", parts.path)


def _api_root(root: Element, url: str) -> str | None:
    named = first(root, ('link[rel="https://api.w.org/"]',))
    if named is not None:
        return absolute(named.get("href"), url)
    # many sites take the link out of the head and leave the API open: it then lies beside wp-content
    host = urlsplit(url).netloc
    for node in select(root, "link[href*=/wp-includes/],link[href*=/wp-content/],img[src*=/wp-content/]"):
        address = absolute(node.get("href") or node.get("src"), url)
        if address and urlsplit(address).netloc == host and (match := _CORE.match(address)):
            return urljoin(match[1], "wp-json/")
    return None


def _post_id(root: Element) -> int | None:
    for selector, name, pattern in _POST_IDS:
        nodes = [root.find("body")] if selector == "body" else select(root, selector)
        found = {match[1] for node in nodes if node is not None and (match := pattern.search(node.get(name) or ""))}
        if len(found) == 1:
            return int(found.pop())
    return None


def read(root: Element, url: str) -> Reader:
    """Ask for all comments of the page's post."""
    place = discover(root, url)
    if place is None:
        return None
    answer = yield place.comments(1)
    rows = comment_rows(answer, place.post)
    if rows is None:
        return None
    pages = _number(answer, "x-wp-totalpages") or 1
    whole = pages <= MAX_PAGES
    for page in range(2, pages + 1 if whole else 2):
        more = comment_rows((yield place.comments(page)), place.post)
        whole = whole and more is not None
        rows += more or []
    items = tuple(said for row in rows if (said := read_comment(row, url)))
    writer = (yield from _post_writer(place)) if any(said.writer for said in items) else None
    total = _number(answer, "x-wp-total")
    enough = whole and (total is None or len(items) >= total)
    return Source(name="api", url=place.comments(1), items=items, total=total, whole=enough, post_writer=writer)


def read_pings(root: Element, url: str, numbers: Sequence[str]) -> Generator[str, Answer, tuple[Said, ...]]:
    """Ask for single comments by number: pingbacks, which the list leaves out."""
    place = discover(root, url)
    found: list[Said] = []
    for number in numbers[:MAX_PINGS] if place else ():
        row = read_json((yield place.comment(number))) if place else None
        if not isinstance(row, dict) or str(row.get("id")) != number:
            break  # what is refused once will be refused again
        if said := read_comment(row, url):
            found.append(said)
    return tuple(found)


def _post_writer(place: Place) -> Generator[str, Answer, str | None]:
    """Who wrote the post, as the id that comments by registered authors carry."""
    if place.post_url is None:
        return None
    joint = "&" if "?" in place.post_url else "?"
    row = read_json((yield f"{place.post_url}{joint}_fields=id,author"))
    return str(row["author"]) if isinstance(row, dict) and isinstance(row.get("author"), int) else None


def _number(answer: Answer, header: str) -> int | None:
    value = answer.headers.get(header, "")
    return int(value) if value.isdigit() and len(value) < 8 else None


def comment_rows(answer: Answer, post: int) -> list[dict[str, Any]] | None:
    """The rows of one page of comments; ``None`` where the answer is something else (an error, a page)."""
    rows = read_json(answer)
    if not isinstance(rows, list):
        return None
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), int) and row.get("post") == post]


def read_comment(row: dict[str, Any], url: str) -> Said | None:
    """One row as a comment; ``None`` for one that is not published."""
    if row.get("status", "approved") != "approved":
        return None
    content = row.get("content")
    text, links = read_markup(text_value(content.get("rendered")) or "" if isinstance(content, dict) else "", url)
    parent, writer, kind = row.get("parent"), row.get("author"), row.get("type")
    return Said(
        key=str(row["id"]),
        parent=str(parent) if isinstance(parent, int) and parent else None,
        placed=isinstance(parent, int),
        writer=str(writer) if isinstance(writer, int) and writer else None,
        reading=Reading(
            text=text,
            native_id=f"comment-{row['id']}",
            author=squeeze(unescape(text_value(row.get("author_name")) or "")) or None,
            author_url=absolute(unescape(text_value(row.get("author_url")) or ""), url),
            date=_date(row),
            permalink=absolute(text_value(row.get("link")), url),
            kind=kind if kind in ("pingback", "trackback") else "comment",
            links=links,
        ),
    )


def _date(row: dict[str, Any]) -> ReadDate | None:
    """The site's wall clock, with the offset that the two dates differ by."""
    raw = text_value(row.get("date"))
    try:
        local = datetime.fromisoformat(raw or "")
    except ValueError:
        return None
    try:
        minutes = round((local - datetime.fromisoformat(row["date_gmt"])).total_seconds() / 60)
    except (ValueError, TypeError, KeyError):
        return ReadDate(local.isoformat(), "second", raw or "")
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    return ReadDate(local.isoformat() + (offset if abs(minutes) < 24 * 60 else ""), "second", raw or "")
