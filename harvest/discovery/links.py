"""What an HTML page tells of its site: feeds, the posts that it lists, the next page of the list, archives."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag, urljoin

from harvest.urls import is_web_address

#: Words on the link to the next page of an index, in several languages.
_OLDER = re.compile(
    r"^\W*(?:older|previous|earlier|next|more)?\s*(?:posts?|entries|articles|stories|page)\W*$|^\W*(?:older|next)\b.{0,12}$"
    r"|ältere|vorherige|nächste|anterior|antig|précédent|suivant|siguiente|próxim|oudere|volgende|successiv|precedent|starsz"
    r"|nast[eę]pn|след|предыдущ|^[»›→]+$",
    re.I,
)
_NEWER = re.compile(r"newer|neuere|recientes|récents|nuov|nieuwere|nowsz|^[«‹←]", re.I)

#: Classes that themes put on the link to older posts.
_OLDER_CLASS = re.compile(
    r"\b(nav-previous|previous-posts|older-posts|blog-pager-older-link|pagination-next|next|older)\b", re.I
)

_ARCHIVE = re.compile(r"^\W*(?:archives?|archiv|archivo|archivio|archief|all posts|alle beiträge)\W*$", re.I)
_TITLE_CLASS = re.compile(
    r"\b(entry-title|post-title|p-name|post__title|article-title|wp-block-post-title|card-title|headline)\b", re.I
)
_FEED_TYPE = re.compile(r"application/(rss|atom|feed|rdf)\+(xml|json)|application/feed\+json", re.I)
_HEADINGS = ("h1", "h2", "h3", "h4")


@dataclass(frozen=True, slots=True)
class PageLinks:
    """Absolute addresses without fragments, in the page's order, each once.

    ``posts`` are the permalinks of what the page lists, ``older`` the next pages of the list, ``archives`` pages that list
    posts by date or at all, ``others`` every other link.
    """

    feeds: tuple[str, ...]
    posts: tuple[str, ...]
    older: tuple[str, ...]
    archives: tuple[str, ...]
    others: tuple[str, ...]


def read_links(html: bytes | str, url: str) -> PageLinks | None:
    """The links of a page; ``None`` if it is no HTML that can be read."""
    from lxml import html as parser
    from lxml.etree import LxmlError

    try:
        tree = parser.document_fromstring(html)
    except (LxmlError, ValueError):
        return None
    base = urljoin(url, next((x.get("href") or "" for x in tree.iter("base")), ""))
    anchors = [(_absolute(base, a.get("href") or ""), a) for a in tree.iter("a") if a.get("href")]
    pairs = [(address, a) for address, a in anchors if address]
    posts = [address for address, a in pairs if _is_permalink(a)]
    older = _relations(tree, base, "next") + [address for address, a in pairs if _is_older(a)]
    archives = [address for address, a in pairs if _ARCHIVE.match(_text(a))]
    named = {*posts, *older, *archives}
    return PageLinks(
        _once(_feeds(tree, base)),
        _once(posts),
        _once(older),
        _once(archives),
        _once(x for x, _ in pairs if x not in named),
    )


def _absolute(base: str, target: str) -> str | None:
    try:
        address = urldefrag(urljoin(base, target.strip())).url
    except ValueError:
        return None
    return address if is_web_address(address) else None


def _feeds(tree: Any, base: str) -> list[str]:
    found = [x for x in tree.iter("link") if "alternate" in (x.get("rel") or "").lower() and x.get("href")]
    return [
        address for x in found if _FEED_TYPE.search(x.get("type") or "") and (address := _absolute(base, x.get("href")))
    ]


def _relations(tree: Any, base: str, relation: str) -> list[str]:
    found = [x for x in tree.iter("link", "a") if relation in (x.get("rel") or "").lower().split() and x.get("href")]
    return [address for x in found if (address := _absolute(base, x.get("href")))]


def _is_permalink(anchor: Any) -> bool:
    """Whether a link is the heading of something that the page lists, or is marked as its permalink."""
    if "bookmark" in (anchor.get("rel") or "").lower() or re.search(r"\bu-url\b", anchor.get("class") or ""):
        return True
    for step, above in enumerate(anchor.iterancestors()):
        if above.tag in _HEADINGS or _TITLE_CLASS.search(above.get("class") or ""):
            return bool(_text(anchor))
        if step >= 2:
            break
    return bool(_TITLE_CLASS.search(anchor.get("class") or ""))


def _is_older(anchor: Any) -> bool:
    text = _text(anchor)
    if len(text) > 40 or _NEWER.search(text):
        return False
    classes = " ".join(x.get("class") or "" for x in [anchor, *list(anchor.iterancestors())[:2]])
    return bool(_OLDER.search(text)) or bool(_OLDER_CLASS.search(classes) and text)


def _text(anchor: Any) -> str:
    return " ".join(anchor.text_content().split())


def _once(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(addresses))
