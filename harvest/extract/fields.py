"""Author, date, body, permalink, kind and state of one comment: a platform's selectors first, then vocabularies."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harvest.dates import ReadDate, find_date, find_relative, find_yearless, machine_date, read_marked
from harvest.extract import vocabulary as words
from harvest.extract.items import Element, PageContext, Reading
from harvest.extract.select import first, select, tokens
from harvest.extract.text import absolute, lines, one_line, squeeze
from harvest.platforms.rules import Rules
from store.records import EntryKind, EntryState

#: Longest display name believed; the longest in the threads bench has 42 characters.
MAX_AUTHOR = 60
#: A header or footer holds at most this many lines above or below the text.
EDGE_LINES = 8
_NONE = Rules(name="", items=())
_BYLINE = re.compile(
    r"^(?:(?:posted|comment|written|submitted|geschrieben|soumis|enviado|kommentar|left|posté)\s+)?(?:by|von|par|por)\s*:?\s+(?P<a>[^|,\n]{1,60}?)"
    r"\s*(?:[|,—–]|\s-\s|\bon\b|\bat\b|\bam\b|\ble\b|\bel\b|$)"
    r"|^(?:on .{4,40}?,\s*)?(?P<b>[^\n:]{1,60}?)\s+(?:says?|said|wrote|writes|sagte?|schrieb|schreibt|meint|a dit|a écrit|dijo|dice|ha scritto)\b\s*(?:[:.…]|$|on\b|am\b|um\b)",  # noqa: E501
    re.I,
)
_ID = re.compile(r"\d[\da-f]{2,}|\d+", re.I)
#: A member's date of joining stands beside each of their forum posts.
_JOINED = re.compile(
    r"join(?:ed)?\b|regist|anmeldung|angemeldet|member since|dabei seit|mitglied seit|inscri|beigetreten|miembro desde|iscritto",
    re.I,
)
_BADGE = re.compile(r"^(?:post )?(?:author|autor|auteur|autore|admin|op|mod|moderator|staff|member|guest|gast)$", re.I)
_COUNT = re.compile(r"^#?[\d.,:]+(?:\s+\w+)?$")
_SIGNATURE = re.compile(r"^_{8,}$")
_WORD = re.compile(r"[^\W_]+")


def read_item(element: Element, rules: Rules | None, page: PageContext) -> Reading:
    """Read one comment from its own element (nested comments taken out before)."""
    rules = rules or _NONE
    skip = _controls(element, rules)
    body = _marked_body(element, rules) if rules.body else None
    body = body if body is not None else _body(element, skip)
    date_node, date = _date(element, rules, page, body)
    author_node, author = _author(element, rules, body, skip)
    if author is None:
        author = _byline(element, body, skip)
    if author is None and body is not None:
        author = _inner_byline(body, skip)
    if date is None:
        date = _loose_date(element, page, body, skip)
    text = _text(element, body, skip | {node for node in (author_node, date_node) if node is not None}, author, date)
    own = tokens(element)
    kind = _kind(element, rules)
    if kind != "comment":
        if author is None:
            author_node, author = _pinger(element, skip)
        marked = bool(rules.body) and body is not None  # then the theme says where the excerpt begins
        rest = [line for line in text.split("\n") if line.strip() and (marked or line != author)]
        text = "\n".join(rest) or author or ""  # a bare pingback says its page's title, no more
    return Reading(
        text=text,
        native_id=native_id(element),
        author=author,
        author_url=_author_url(author_node, element, author, page),
        date=date,
        permalink=_permalink(element, rules, page),
        kind=kind,
        state=_state(element, rules, own, text),
        edited=_edited(element, rules, page, body),
        is_post_author=any(token in own.split() for token in rules.own),
        links=_links(body if body is not None else element, page, skip),
    )


def _controls(element: Element, rules: Rules) -> set[Element]:
    """Elements whose text is no part of any comment: buttons, counters, avatars, hidden parts, forms."""
    found: set[Element] = {node for selector in rules.drop for node in select(element, selector)}
    for node in element.iterdescendants():
        if not isinstance(node.tag, str):
            continue
        hidden = "display:none" in (node.get("style") or "").replace(" ", "").lower() or node.get("hidden") is not None
        marked = words.ACTION.search(tokens(node)) and not words.NEST.search(tokens(node))
        if node.tag == "form" or hidden or (marked and len(one_line(node)) < 400):
            found.add(node)
    return found


def _inside(node: Element, outer: Element | None) -> bool:
    return outer is not None and (node is outer or any(parent is outer for parent in node.iterancestors()))


def _hidden(node: Element, element: Element, skip: set[Element]) -> bool:
    while node is not None and node is not element:
        if node in skip:
            return True
        parent = node.getparent()
        if parent is None:
            return False
        node = parent
    return False


def _marked_body(element: Element, rules: Rules) -> Element | None:
    """The first match of the platform's selectors that is not the whole comment under the same class name."""
    found = [node for selector in rules.body for node in select(element, selector)[:1]]
    return next((node for node in found if not _holds_header(node)), found[0] if found and rules.forum else None)


def _holds_header(node: Element) -> bool:
    """Whether an author and a date stand inside: then it is the comment, not its text."""
    author = dated = False
    for inner in node.iterdescendants("cite", "span", "div", "a", "p", "b", "strong", "footer", "time", "h4", "abbr"):
        mark = tokens(inner)
        author = author or inner.tag == "cite" or any(pattern.search(mark) for pattern in words.AUTHOR)
        if not dated and (inner.tag == "time" or words.DATE.search(mark)) and len(text := one_line(inner)) < 160:
            dated = inner.tag == "time" or bool(find_date(text))
        if author and dated:
            return True
    return False


def _pinger(element: Element, skip: set[Element]) -> tuple[Element | None, str | None]:
    """A pingback is signed with the title of the page that sent it: its first link."""
    for link in element.iterdescendants("a"):
        if not _hidden(link, element, skip) and (text := one_line(link)) and not find_date(text):
            return link, text
    return None, None


def _body(element: Element, skip: set[Element]) -> Element | None:
    """The part that the vocabulary calls the text, if it holds most of what is not header or footer."""
    total = len(one_line(element))
    for pattern in words.BODY:
        best: tuple[int, Element] | None = None
        for node in element.iterdescendants("div", "p", "span", "td", "blockquote", "section", "article", "dd"):
            if node in skip or not pattern.search(f"{tokens(node)} {node.get('itemprop') or ''}"):
                continue
            size = len(one_line(node))
            if (best is None or size > best[0]) and not _holds_header(node):
                best = (size, node)
        # a body smaller than this share is a subject line or a quote (seen in forum markup)
        if best and best[0] and best[0] * 4 >= total - 120:
            return best[1]
    return None


def _date(
    element: Element, rules: Rules, page: PageContext, body: Element | None
) -> tuple[Element | None, ReadDate | None]:
    for node in _dated(element, rules):
        if _inside(node, body) and node.tag != "time" and body is not None and node is not element:
            continue
        text = one_line(node)
        if len(text) < 200 and (_JOINED.search(text) or _JOINED.search(_before_in_parent(node))):
            continue
        for name in ("datetime", "data-time", "data-timestamp", "data-datetime", "data-epoch", "content"):
            if read := machine_date(node.get(name)):
                return node, ReadDate(read.iso, read.precision, text or read.raw)
        for value in (text, node.get("title") or ""):
            if 3 < len(value) < 160 and (
                read := read_marked(value, order=page.order, language=page.language, anchor=page.anchor)
            ):
                if read.iso is None and (better := find_date(node.get("title") or "", page.order)):
                    read = ReadDate(better.iso, better.precision, read.raw)
                return node, read
    return None, None


def _before_in_parent(node: Element) -> str:
    """The label of a value: the last words before it in its parent, or in the cell or term before."""
    previous = node.getprevious()
    parent = node.getparent()
    if previous is None:
        return squeeze(parent.text)[-60:] if parent is not None else ""
    return squeeze(f"{one_line(previous)} {previous.tail or ''}")[-60:]


def _dated(element: Element, rules: Rules) -> Iterable[Element]:
    for selector in ("time[datetime]", "[itemprop=datePublished]", *rules.date):
        yield from select(element, selector)[:3]
    for node in element.iterdescendants():
        if isinstance(node.tag, str) and (words.DATE.search(tokens(node)) or node.tag in ("abbr", "time")):
            yield node


def _loose_date(element: Element, page: PageContext, body: Element | None, skip: set[Element]) -> ReadDate | None:
    """A date in a header or footer line that no class marks."""
    outside = lines(element, skip={body} if body is not None else skip)
    edges = outside if body is not None else outside[:EDGE_LINES] + outside[-EDGE_LINES:]
    edges = [
        line for n, line in enumerate(edges) if not (_JOINED.search(line) or (n and _labels_joining(edges[n - 1])))
    ]
    for line in edges:
        if len(line) < 160 and (read := find_date(line, page.order)):
            return read
    for line in edges:
        read = find_relative(line, page.anchor)
        if read and len(line) < 80:
            return read
    # all that is outside of a marked body is head or foot, so there the day may stand among other words
    share, longest = (0.0, 240) if body is not None else (0.6, 80)
    return next(
        (read for line in edges if len(line) < longest and (read := find_yearless(line, page.anchor, share))), None
    )


def _labels_joining(line: str) -> bool:
    return bool(_JOINED.search(line)) and line.rstrip().endswith(":")


def _author(
    element: Element, rules: Rules, body: Element | None, skip: set[Element]
) -> tuple[Element | None, str | None]:
    if said := squeeze(element.get("data-author")):
        return None, said
    for selector in rules.author:
        for named in select(element, selector)[:3]:
            if not _inside(named, body) and (name := _name(_narrow(named), trusted=True)):
                return named, name
    for pattern in (None, *words.AUTHOR):
        for node in element.iterdescendants(
            "a", "span", "div", "cite", "strong", "b", "p", "h3", "h4", "h5", "h6", "li", "dt", "td", "address"
        ):
            mark = f"{tokens(node)}"
            known = node.get("itemprop") in ("author", "creator") if pattern is None else pattern.search(mark)
            if not known or (pattern and words.AUTHOR_NOT.search(mark)) or (_inside(node, body) and node is not body):
                continue
            if name := _name(_narrow(node)):
                return node, name
    return _unmarked_author(element, body, skip)


def _unmarked_author(element: Element, body: Element | None, skip: set[Element]) -> tuple[Element | None, str | None]:
    """``cite``, a profile link, or bold text in the first lines."""
    for tag, test in (("cite", None), ("a", _is_profile), ("strong", None), ("b", None)):
        for node in element.iterdescendants(tag):
            if _inside(node, body) or _hidden(node, element, skip) or (test and not test(node)):
                continue
            if body is None and tag in ("strong", "b") and _before(element, node) > EDGE_LINES * 10:
                continue
            if name := _name(node):
                return node, name
    return None, None


def _before(element: Element, node: Element) -> int:
    """How many characters of text stand before ``node`` in ``element``."""
    size = 0
    for other in element.iter():
        if other is node:
            return size
        size += len((other.text or "").strip()) if isinstance(other.tag, str) else 0
    return size


def _is_profile(node: Element) -> bool:
    rel, href = node.get("rel") or "", node.get("href") or ""
    return ("nofollow" in rel and "external" in rel) or bool(
        re.search(r"/(?:user|users|member|members|profile?s?|people|u)[/.?=]|profile\.", href, re.I)
    )


def _narrow(node: Element) -> Element:
    """The name inside a byline element: its ``fn``, ``cite``, link or bold text, if there is exactly such a thing."""
    inner = first(node, (".fn", "[itemprop=name]", "cite", "strong", "b", "a[rel~=nofollow]", "a[href]"))
    return inner if inner is not None and _name(inner) else node


def _name(node: Element, *, trusted: bool = False) -> str | None:
    """The element's text as a display name, or ``None``: too long, a sentence, a date, words of a button.

    ``trusted``: a platform's own selector says that a name stands here, so it may be any words.
    """
    text = squeeze(" ".join(lines(node)))
    parts = [one for part in node.itertext() if (one := squeeze(str(part)))]
    if len(parts) > 1 and _BADGE.match(parts[-1]) and text.endswith(parts[-1]):
        text = text[: -len(parts[-1])].strip()
    if match := _BYLINE.match(text):
        text = squeeze(match["a"] or match["b"])
    text = re.sub(
        r"^(?:by|von|par|por|comment by|posted by)\s*:?\s+|\s*(?:says?|said|sagt|wrote|meint|a dit|dice)?\s*[:,|]?$",
        "",
        text,
        flags=re.I,
    ).strip()
    if not text or len(text) > MAX_AUTHOR or find_date(text) or _COUNT.match(text) or not _WORD.search(text):
        return None
    if (
        not trusted
        and all(word.lower() in words.META_WORDS for word in _WORD.findall(text))
        and not re.fullmatch(r"anonymous|guest|gast", text, re.I)
    ):
        return None
    return text


def _byline(element: Element, body: Element | None, skip: set[Element]) -> str | None:
    """``Posted by X | date`` and ``X said:`` in plain text."""
    outside = lines(element, skip=skip | {body} if body is not None else skip)
    for line in outside[:3] + outside[-3:]:
        if len(line) < 160 and (match := _BYLINE.match(line)):
            return squeeze(match["a"] or match["b"]) or None
    return None


def _inner_byline(body: Element, skip: set[Element]) -> str | None:
    """``X says:`` on a line of its own at the head of what the theme calls the text."""
    for line in lines(body, skip=skip - {body})[:2]:
        if len(line) < MAX_AUTHOR + 12 and (match := _BYLINE.fullmatch(line)):
            return squeeze(match["a"] or match["b"]) or None
    return None


def _text(element: Element, body: Element | None, skip: set[Element], author: str | None, date: ReadDate | None) -> str:
    if body is not None:
        inside = _unsigned(lines(body, skip=skip - {body}))
        while inside and (_BYLINE.fullmatch(inside[0]) and author and author in inside[0]):
            inside = inside[1:]
        return "\n".join(inside)
    found = lines(element, skip=skip)
    strip = [text for text in (author, date.raw if date else None) if text]
    start, end = 0, len(found)
    while start < min(end, EDGE_LINES) and is_meta(found[start], strip):
        start += 1
    while end > start and end > len(found) - EDGE_LINES and is_meta(found[end - 1], strip):
        end -= 1
    return "\n".join(found[start:end])


def _unsigned(found: list[str]) -> list[str]:
    """Without the signature that forum software sets off by a line of underscores."""
    cut = next((n for n, line in enumerate(found) if n and _SIGNATURE.match(line)), len(found))
    return found[:cut]


def is_meta(line: str, known: list[str]) -> bool:
    """Whether nothing but header or footer words is left of a line without the author and date."""
    for text in known:
        line = line.replace(text, " ")
    return len(line) < 120 and all(word.lower() in words.META_WORDS or word.isdigit() for word in _WORD.findall(line))


def native_id(element: Element) -> str | None:
    """The element's own id, else the id of a lone wrapper or anchor inside it."""
    if (own := element.get("id")) and _ID.search(own):
        return re.sub(r"^(?:li|div)-(?=comment-)", "", own)  # WordPress themes wrap #comment-N in #li-comment-N
    for node in list(element.iterdescendants())[:12]:
        value = node.get("id") or (node.get("name") if node.tag == "a" else None)
        if (
            value
            and _ID.search(value)
            and (words.COMMENT.search(value) or words.POST.search(value) or re.match(r"c?\d", value))
        ):
            return value
    for name in ("data-comment-id", "data-id", "data-comment", "data-post-id"):
        if value := element.get(name):
            return value
    return element.get("id")


def _author_url(node: Element | None, element: Element, author: str | None, page: PageContext) -> str | None:
    if node is None or author is None:
        return None
    links = [node] if node.tag == "a" else []
    links += list(node.iterdescendants("a")) + [
        up for up in list(node.iterancestors())[:2] if up.tag == "a" and up is not element
    ]
    for link in links:
        address = absolute(link.get("href"), page.url)
        if (
            address
            and address != page.url
            and not (link.get("href") or "").startswith("#")
            and not find_date(one_line(link))
        ):
            return address
    return None


def _permalink(element: Element, rules: Rules, page: PageContext) -> str | None:
    """The link whose fragment names this comment, else the platform's permalink."""
    marked = first(element, rules.permalink) if rules.permalink else None
    if marked is not None and (address := absolute(marked.get("href"), page.url)):
        return address
    own = native_id(element)
    digits = _ID.findall(own or "")
    for link in element.iterdescendants("a"):
        href = link.get("href") or ""
        fragment = href.partition("#")[2]
        if fragment and digits and digits[-1] in fragment and not re.search(r"respond|reply", href, re.I):
            return absolute(href, page.url)
    return None


def _kind(element: Element, rules: Rules) -> EntryKind:
    mark = (element.get("class") or "").lower().split()
    for name in rules.pings:
        if any(token == name or token.endswith("-" + name) for token in mark):
            return "trackback" if "trackback" in name else "pingback"
    head = " ".join(lines(element)[:1]).lower()
    return (
        "pingback"
        if head.startswith(("pingback:", "pingback "))
        else "trackback"
        if head.startswith("trackback:")
        else "comment"
    )


def _state(element: Element, rules: Rules, own: str, text: str) -> EntryState:
    mark = set(own.split())
    if (
        mark & set(rules.deleted)
        or any(select(element, f".{name}") for name in rules.deleted)
        or words.DELETED.match(text)
        or (not text and any(words.DELETED.match(line) for line in lines(element)))
    ):
        return "deleted"
    if any(select(element, f".{name}") for name in rules.pending) or mark & set(rules.pending):
        return "pending"
    return "hidden" if words.HIDDEN.match(text) else "visible"


def _edited(element: Element, rules: Rules, page: PageContext, body: Element | None) -> str | None:
    """When the comment was changed (ISO 8601), or the words that say so where they give no moment; else ``None``."""
    for selector in ("[itemprop=dateModified]", "time.dt-updated", *rules.edited):
        for node in select(element, selector)[:1]:
            for name in ("datetime", "content", "title"):
                if read := machine_date(node.get(name)):
                    return read.iso
            if text := one_line(node):
                found = find_date(text, page.order)
                return (found.iso if found else None) or text[:120]
    for line in lines(element):
        if len(line) < 160 and words.EDITED.match(line):
            found = find_date(line, page.order)
            return (found.iso if found else None) or line
    return None


def _links(body: Element, page: PageContext, skip: set[Element]) -> tuple[str, ...]:
    found = (
        absolute(link.get("href"), page.url) for link in body.iterdescendants("a") if not _hidden(link, body, skip)
    )
    return tuple(dict.fromkeys(address for address in found if address and address.partition("#")[0] != page.url))
