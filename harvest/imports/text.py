"""Text, dates and links out of the HTML fragments and stamps of blog exports."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from lxml import etree, html

from harvest.extract.text import absolute, lines

_BLOCK = re.compile(r"<(?:p|div|br|li|blockquote|pre)\b", re.I)


def fragment(source: str | None, base: str) -> tuple[str, list[str]]:
    """Plain text and links of an HTML fragment; bare line breaks are paragraphs where there are no tags for them."""
    if not source or not source.strip():
        return "", []
    if not _BLOCK.search(source):
        source = source.replace("\n", "<br>")
    try:
        root = html.fragment_fromstring(source, create_parent="div")
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return " ".join(source.split()), []
    links = [address for link in root.iter("a") if (address := absolute(link.get("href"), base))]
    return "\n".join(lines(root)), list(dict.fromkeys(links))


def utc(stamp: str | None) -> str | None:
    """``2012-12-05 09:14:00`` (UTC, as exports write it) or ISO 8601, as ISO 8601; ``None`` for none and for zeros."""
    if not stamp or stamp.startswith("0000"):
        return None
    try:
        moment = datetime.fromisoformat(stamp.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return moment.isoformat()


def ordered(comments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Comments as a tree walk, each below what it answers, in the order of their dates; ``parent`` becomes an index.

    Each has ``native_id`` and ``answers`` (a native id or ``None``). What answers nothing that is here answers the post.
    """
    known = {one["native_id"]: one for one in comments}
    below: dict[str | None, list[dict[str, Any]]] = {}
    for one in sorted(comments, key=lambda c: (c.get("published") or "", c["native_id"])):
        answers = one.pop("answers")
        below.setdefault(answers if answers in known and answers != one["native_id"] else None, []).append(one)
    found: list[dict[str, Any]] = []
    stack: list[tuple[dict[str, Any], int | None]] = [(one, None) for one in reversed(below.pop(None, []))]
    while stack:
        one, parent = stack.pop()
        one["parent"] = parent
        own = len(found)
        found.append(one)
        stack += [(child, own) for child in reversed(below.pop(one["native_id"], []))]
    for circle in below.values():  # comments that answer each other in a circle: kept, answering the post
        for one in circle:
            one["parent"] = None
            found.append(one)
    return found
