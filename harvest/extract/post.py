"""The post itself: title, author, date, language and body, with the comment region taken out before."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass

from harvest.dates import ReadDate, find_date, machine_date, read_marked
from harvest.extract.fields import is_meta
from harvest.extract.items import Element, PageContext
from harvest.extract.select import detach, first, select, tokens
from harvest.extract.text import absolute, lines, one_line, squeeze

_REGION = re.compile(
    r"(?:^|[\s_-])(?:comments?|commentlist|comments?-?(?:area|list|wrap(?:per)?|section|template|block|title|form)|respond|disqus_thread|dsq-content"
    r"|kommentare?|commentaires?|comentarios|trackbacks?|pings?|leave-?(?:a-)?(?:comment|reply)|postcomment|reactions)(?:$|[\s_-])",
    re.I,
)
_TITLE_TAIL = re.compile(r"\s+(?:[|»«•·]|[-–—])\s+[^|»«•·]{2,60}$")
#: Parts of a body that no writer wrote, by whole words of their class.
_FURNITURE = re.compile(
    r"(?:^|[\s_-])(?:share|sharing|sharedaddy|social|addtoany|addthis|related|jp-relatedposts|nav|navigation|newsletter|pagination"
    r"|recommended)(?:$|[\s_-])",
    re.I,
)
_BODIES = (
    "[itemprop=articleBody]", ".entry-content", ".post-content", ".post-body", ".entry-body", ".article-content", ".article-body",
    ".post-entry", ".entrytext", ".storycontent", ".entry",
)  # fmt: skip
_AUTHORS = (
    "meta[name=author]", ".wp-block-post-author-name", ".wp-block-post-author__name", "[rel=author]", ".entry-author .fn", ".author.vcard .fn", ".vcard .fn", "[itemprop=author]", ".post-author",  # noqa: E501
    ".entry-author", ".byline .author", ".author-name", ".byline a", ".author a", ".author", ".byline",
)  # fmt: skip
_DATES = (
    "meta[property=article:published_time]", "time[itemprop=datePublished]", "[itemprop=datePublished]", "time.entry-date", "time.published",  # noqa: E501
    "abbr.published", "abbr.date", "time[pubdate]", ".entry-date", ".post-date", ".date-header", ".published", "time[datetime]",
    ".posted-on", ".date", ".entry-meta", ".postmetadata", ".post-meta", ".byline", ".postinfo", ".post-info", ".meta",
)  # fmt: skip


_CATEGORIES = (
    ".cat-links a", ".post-categories a", ".entry-categories a", "a[rel~=category]", ".wp-block-post-terms a",
    ".postmetadata a[rel~=tag]",
    ".post-labels a", ".entry-footer a[rel~=tag]", ".entry-meta a[rel~=tag]", "meta[property=article:section]", "a[rel~=tag]",
)  # fmt: skip
MAX_CATEGORIES = 20

#: Fewer posts than this may be a post and its neighbours.
MIN_INDEX_POSTS = 3


@dataclass(frozen=True, slots=True)
class Post:
    """What a page says of its post; ``text`` may be empty."""

    title: str | None
    author: str | None
    author_url: str | None
    date: ReadDate | None
    text: str
    native_id: str | None
    links: tuple[str, ...]
    categories: tuple[str, ...] = ()


def drop_region(root: Element) -> None:
    """Take out what surrounds the comments, once they are gone: headings, forms, widgets of comments."""
    total = max(1, len(one_line(root)))
    for node in list(
        root.iter("div", "section", "ol", "ul", "form", "aside", "h2", "h3", "h4", "p", "a", "span", "dl")
    ):
        if (
            not _REGION.search(tokens(node))
            or node.getparent() is None
            or next(node.iterdescendants("h1"), None) is not None
        ):
            continue
        # a theme may call the whole column "comments"; nothing that holds half the page is only that
        if len(one_line(node)) < 0.4 * total or _leftover(node):
            detach(node)


def _leftover(node: Element) -> bool:
    return (
        not select(node, ".entry-content,.post-body,[itemprop=articleBody],article,.entry,.post")
        and len(one_line(node)) < 2000
    )


def read_post(root: Element, page: PageContext) -> Post:
    """Read the post from the page without its comments."""
    title = _title(root)
    author_node, author = _author(root)
    body = _own_body(root)
    text = _body_text(root, body)
    return Post(
        title=title,
        author=author,
        author_url=absolute(author_node.get("href"), page.url)
        if author_node is not None and author_node.tag == "a"
        else None,
        date=_date(root, page),
        text=text,
        native_id=_native_id(root),
        links=_links(body, page, text),
        categories=_categories(root),
    )


def _categories(root: Element) -> tuple[str, ...]:
    """The words that the post is filed under: categories, and labels where a system knows no others."""
    for selector in _CATEGORIES:
        found = [
            squeeze(node.get("content")) if node.tag == "meta" else one_line(node) for node in select(root, selector)
        ]
        kept = [text for text in dict.fromkeys(found) if 0 < len(text) <= 60]
        if kept and len(kept) <= MAX_CATEGORIES:  # more are a sidebar's list of all there are
            return tuple(kept)
    return ()


def index_size(root: Element) -> int:
    """How many posts a page lists, if it is an index: several, each headed by a link to another page. 0 for any other."""
    for selector in ("article", ".hentry", ".post", "[itemtype*=BlogPosting]", ".blog-post"):
        links = []
        for node in select(root, selector):
            heads = (link for head in node.iterdescendants("h1", "h2", "h3") for link in head.iterdescendants("a"))
            href = next((link.get("href") for link in heads if len(one_line(link)) > 3), None)
            if href and not href.startswith("#"):
                links.append(href)
        if len(set(links)) >= MIN_INDEX_POSTS:
            return len(set(links))
    return 0


def _meta(root: Element, selector: str) -> str | None:
    node = first(root, (selector,))
    return squeeze(node.get("content")) or None if node is not None else None


def _title(root: Element) -> str | None:
    window = squeeze(one_line_of_title(root))
    og = _meta(root, "meta[property=og:title]")
    marked = select(root, ".wp-block-post-title")
    if len(marked) == 1 and (text := one_line(marked[0])):
        return text  # block themes give the site's name a heading of its own
    for node in root.iter("h1", "h2", "h3"):
        text = one_line(node)
        if len(text) > 3 and (
            text == og or (window and text.lower() in window.lower() and len(text) * 3 > len(window))
        ):
            return text
    for selector in (".entry-title", ".post-title", "[itemprop=headline]"):
        named = first(root, (selector,))
        if named is not None and (text := one_line(named)):
            return text
    return og or (_TITLE_TAIL.sub("", window) or None)


def one_line_of_title(root: Element) -> str:
    """The text of ``<title>``."""
    return next((str(node.text or "") for node in root.iter("title")), "")


def _author(root: Element) -> tuple[Element | None, str | None]:
    for selector in _AUTHORS:
        for node in select(root, selector)[:1]:
            text = squeeze(node.get("content")) if node.tag == "meta" else one_line(node)
            text = re.sub(
                r"^(?:posted|written|published|geschrieben|publié)?\s*(?:by|von|par|por)\s*:?\s+", "", text, flags=re.I
            ).strip(" ,|")
            if (
                text
                and len(text) < 60
                and not text.startswith("http")
                and find_date(text) is None
                and not is_meta(text, [])
            ):
                return node, text
    return None, None


def _date(root: Element, page: PageContext) -> ReadDate | None:
    for selector in _DATES:
        for node in select(root, selector)[:2]:
            text = squeeze(node.get("content")) if node.tag == "meta" else one_line(node)
            for name in ("datetime", "content", "title"):
                if read := machine_date(node.get(name)):
                    return ReadDate(read.iso, read.precision, text or read.raw)
            if len(text) < 300 and (
                read := read_marked(text, order=page.order, language=page.language, anchor=page.anchor)
            ):
                return read
    for line in lines(root)[:80]:
        if len(line) < 120 and (read := find_date(line, page.order)):
            return read
    return None


def _native_id(root: Element) -> str | None:
    for node in root.iter("article", "div", "section"):
        own = node.get("id") or ""
        if re.fullmatch(r"(?:post|entry|node|article)-[\da-f]+", own, re.I):
            return own
    return None


def _own_body(root: Element) -> Element | None:
    """The element that the theme marks as the post's body, if there is just one of size."""
    for selector in _BODIES:
        found = [node for node in select(root, selector) if len(one_line(node)) > 200]
        if len(found) == 1:
            return found[0]
    return None


#: Cut-offs between the three readers of a body, set on the dev pages (token F1 .912 without them, .921 with): a marked body
#: below this share of the densest run of paragraphs is a teaser; trafilatura's below the second is a caption; a marked body
#: so many times as long as trafilatura's, where that is an article (in characters), has swallowed other things.
TEASER_SHARE = 0.25
CAPTION_SHARE = 0.1
SWALLOWED_RATIO = 3
ARTICLE_CHARACTERS = 600


def _body_text(root: Element, body: Element | None) -> str:
    """The theme's own body element, else trafilatura, each overruled where the other readers plainly say otherwise.

    trafilatura runs without its fall-back extractors: with the comments gone they only add boilerplate (.909 to .900).
    """
    dense, found = _dense(root), _trafilatura(root)
    if body is None:
        return found if len(found) >= CAPTION_SHARE * len(dense) else dense
    own = "\n".join(lines(body, skip=_furniture(body)))
    if len(own) < TEASER_SHARE * len(dense):
        return dense
    if len(own) > SWALLOWED_RATIO * len(found) and len(found) > ARTICLE_CHARACTERS:
        return found
    return own


def _trafilatura(root: Element) -> str:
    import trafilatura

    found = trafilatura.extract(copy.deepcopy(root), include_comments=False, fast=True, output_format="txt")
    return found or ""


def _furniture(body: Element) -> set[Element]:
    """Parts of a marked body that are not the writer's: share buttons, related links, navigation."""
    total = max(1, len(one_line(body)))
    found = set()
    for node in body.iterdescendants(
        "div", "ul", "ol", "section", "aside", "nav", "p", "span", "table", "footer", "header", "h3"
    ):
        mark = tokens(node)
        if node.tag == "nav" or (mark.strip() and _FURNITURE.search(mark)):
            text = one_line(node)
            # a word in a class name is weak evidence against a large part of the text
            if len(text) < 0.3 * total:
                found.add(node)
    return found


def _dense(root: Element) -> str:
    """The text of the element whose own paragraphs weigh most, links not counted; empty where there is no run of them.

    Each paragraph speaks for its parent and half as much for its grandparent.
    """
    weight: dict[Element, float] = {}
    for node in root.iter("p", "pre", "blockquote", "td", "div", "li"):
        text = _own_prose(node)
        if text < 60:  # characters; less is a label, a caption or a button
            continue
        target = node if node.tag in ("div", "td") else node.getparent()
        for up, share in ((target, 1.0), (target.getparent() if target is not None else None, 0.5)):
            if up is not None and up.tag not in ("html",):
                weight[up] = weight.get(up, 0.0) + share * text
    best = max(weight, key=lambda node: weight[node], default=None)
    if best is None or weight[best] < 140:
        return ""
    return "\n".join(lines(best, skip=_furniture(best)))


def _own_prose(node: Element) -> int:
    """Characters of the element's own running text: inline children count, links and blocks do not."""
    if node.tag in ("div", "td"):
        return len(squeeze(node.text)) + sum(len(squeeze(child.tail)) for child in node)
    links = sum(len(one_line(link)) for link in node.iterdescendants("a"))
    whole = len(one_line(node))
    return whole - links if links < 0.5 * whole else 0


def _links(body: Element | None, page: PageContext, text: str) -> tuple[str, ...]:
    """Links of the post's body; without a marked body, links of paragraphs whose words are in the text."""
    if body is not None:
        anchors = list(body.iterdescendants("a"))
        found = (absolute(link.get("href"), page.url) for link in anchors)
        return tuple(dict.fromkeys(address for address in found if address and address.partition("#")[0] != page.url))
    return ()
