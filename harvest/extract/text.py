"""Plain text of elements: one line a block, white space as a browser would show it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from urllib.parse import urljoin, urlsplit

from lxml import etree

Element = etree._Element

_BLOCKS_LIST = """
    address article aside blockquote body br center dd details dialog div dl dt fieldset figcaption figure footer form
    h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul
"""
_BLOCKS = frozenset(_BLOCKS_LIST.split())
_SILENT_LIST = """
    head title script style noscript template svg button select option textarea input label iframe
"""
_SILENT = frozenset(_SILENT_LIST.split())
#: Pictures that stand for a character: scripts put them in the place of emoji, forums in that of smileys.
_SIGN = re.compile(r"(?:^|[\s_-])(?:emoji|emoticon|smiley|smilie|wp-smiley)", re.I)
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
#: For ``str.translate``: the same characters.
_GONE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))


def squeeze(text: str | None) -> str:
    """One line: white space runs to one space, invisible characters gone."""
    if not text:
        return ""
    if not text.isascii():
        text = text.translate(_GONE)
    return " ".join(text.split())


def pieces(element: Element, skip: Container[Element] = ()) -> Iterator[tuple[str, str]]:
    """Walk the element without recursion: ``("text", …)``, ``("break", "")`` and, inside ``pre``, ``("raw", …)``."""
    walker = etree.iterwalk(element, events=("start", "end"))
    pre = 0
    for event, node in walker:
        tag = node.tag
        if event == "start":
            if tag in _SILENT or node in skip:
                walker.skip_subtree()
                continue
            if tag in _BLOCKS:
                yield "break", ""
            pre += tag == "pre"
            if tag == "img" and (sign := _sign(node)):
                yield "text", sign
            if node.text:
                yield ("raw" if pre else "text"), node.text
        else:
            if tag not in _SILENT and node not in skip:
                pre -= tag == "pre"
                if tag in _BLOCKS and tag != "br":
                    yield "break", ""
            if node is not element and node.tail:
                yield ("raw" if pre else "text"), node.tail


def _sign(node: Element) -> str:
    """What a picture of a smiley or emoji says; empty for any other picture."""
    alt = (node.get("alt") or "").strip()
    return alt if len(alt) <= 24 and _SIGN.search(node.get("class") or "") else ""


def lines(element: Element, skip: Container[Element] = ()) -> list[str]:
    """The element's non-empty lines; elements in ``skip`` are left out."""
    found: list[str] = []
    run: list[str] = []
    raw = False
    for kind, text in pieces(element, skip):
        if kind == "text":
            run.append(text)
            continue
        if kind == "raw":
            head, *rest = text.split("\n")
            run.append(head)
            raw = True
            for part in rest:
                found.append(_INVISIBLE.sub("", "".join(run)).rstrip())
                run = [part]
            continue
        found.append(_line(run, raw))
        run, raw = [], False
    found.append(_line(run, raw))
    return [line for line in found if line.strip()]


def _line(run: list[str], raw: bool) -> str:
    """One line of text; within ``pre`` its indentation stays."""
    text = "".join(run)
    return _INVISIBLE.sub("", text).rstrip() if raw else squeeze(text)


def plain(element: Element, skip: Container[Element] = ()) -> str:
    """The element's text, paragraphs separated by a newline."""
    return "\n".join(lines(element, skip))


def one_line(element: Element) -> str:
    """The element's text on one line."""
    return squeeze(" ".join(lines(element)))


def absolute(href: str | None, base: str) -> str | None:
    """``href`` as an absolute http(s) address, else ``None``."""
    if not href or href.startswith(("javascript:", "mailto:", "data:")):
        return None
    try:
        address = urljoin(base, href.strip())
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in ("http", "https") and parts.netloc else None
