"""Plain text of elements: one line a block, white space as a browser would show it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from urllib.parse import urljoin, urlsplit

from lxml import etree

Element = etree._Element

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
        "br",
    ]
)
_SILENT = frozenset(
    [
        "head",
        "title",
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "button",
        "select",
        "option",
        "textarea",
        "input",
        "label",
        "iframe",
    ]
)
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_SPACE = re.compile(r"[\s\u00a0]+")


def squeeze(text: str | None) -> str:
    """One line: white space runs to one space, invisible characters gone."""
    return _SPACE.sub(" ", _INVISIBLE.sub("", text or "")).strip()


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
            if node.text:
                yield ("raw" if pre else "text"), node.text
        else:
            if tag not in _SILENT and node not in skip:
                pre -= tag == "pre"
                if tag in _BLOCKS and tag != "br":
                    yield "break", ""
            if node is not element and node.tail:
                yield ("raw" if pre else "text"), node.tail


def lines(element: Element, skip: Container[Element] = ()) -> list[str]:
    """The element's non-empty lines; elements in ``skip`` are left out."""
    found: list[str] = []
    run: list[str] = []
    for kind, text in pieces(element, skip):
        if kind == "text":
            run.append(text)
            continue
        if kind == "raw":
            head, *rest = text.split("\n")
            run.append(head)
            for part in rest:
                found.append(_INVISIBLE.sub("", "".join(run)).rstrip())
                run = [part]
            continue
        found.append(squeeze("".join(run)))
        run = []
    found.append(squeeze("".join(run)))
    return [line for line in found if line.strip()]


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
