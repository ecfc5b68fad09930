"""How many comments a page says it has."""

from __future__ import annotations

import re

from harvest.extract import vocabulary as words
from harvest.extract.items import Element
from harvest.extract.select import tokens
from harvest.extract.text import one_line

#: Longer text is prose that mentions comments, not a count.
MAX_TEXT = 140
_PLACES = re.compile(r"comment|kommentar|respons|replies|reaction|reactie|discuss|coment", re.I)


def announced(root: Element, items: tuple[Element, ...]) -> int | None:
    """The count in the heading before the first comment, else in a marked counter. Items must still stand in the tree."""
    inside = set(items)
    before: list[int] = []
    marked: list[int] = []
    started = False
    for node in root.iter():
        if node in inside:
            started = True
        if not isinstance(node.tag, str) or (started and marked):
            continue
        heading = node.tag in ("h1", "h2", "h3", "h4", "h5", "h6")
        place = bool(_PLACES.search(tokens(node)))
        if not (heading or (place and len(node) < 6)) or any(up in inside for up in node.iterancestors()):
            continue
        if (number := read_count(one_line(node))) is not None:
            (before if heading and not started else marked).append(number)
    if items and before:
        return before[-1]
    return marked[0] if marked else before[-1] if before else None


def read_count(text: str) -> int | None:
    """The number in "60 Responses to …", "Comments (12)" or "One comment"; ``None`` where there is none."""
    if not text or len(text) > MAX_TEXT:
        return None
    for pattern in words.ANNOUNCED:
        if match := pattern.search(text):
            value = match["n"].lower()
            if value in words.COUNT_WORDS:
                return words.COUNT_WORDS[value]
            digits = re.sub(r"[.,]", "", value)
            return int(digits) if digits.isdigit() and len(digits) < 8 else None
    return None
