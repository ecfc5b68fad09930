"""Who answers whom: DOM nesting, reply lists beside their parent, then depth classes and indents."""

from __future__ import annotations

import re

from harvest.extract import vocabulary as words
from harvest.extract.items import Element, Items
from harvest.extract.select import select, tokens
from store.records import ParentSource

_MARGIN = re.compile(r"(?:margin|padding)-left\s*:\s*(\d+)", re.I)
_PARENT_ATTRIBUTES = ("data-parent", "data-parent-id", "data-parentid", "data-comment-parent")


def place(items: Items) -> Items:
    """The items with their parents. Must run while nested items still stand in the tree."""
    index = {element: n for n, element in enumerate(items.elements)}
    parents = [_dom_parent(element, index) for element in items.elements]
    if any(parent is not None for parent in parents):
        sources: list[ParentSource | None] = [None if parent is None else "dom" for parent in parents]
        return items.with_parents(parents, sources)
    named = _named_parents(items.elements)
    if any(parent is not None for parent in named):
        return items.with_parents(named, [None if parent is None else "dom" for parent in named])
    parents = _by_level(_levels(items.elements))
    return items.with_parents(parents, [None if parent is None else "indent" for parent in parents])


def _dom_parent(element: Element, index: dict[Element, int]) -> int | None:
    for up in element.iterancestors():
        if up in index:
            return index[up]
        if words.NEST.search(tokens(up)) and (beside := _beside(up, index)) is not None:
            return beside
    return None


def _beside(nest: Element, index: dict[Element, int]) -> int | None:
    """The comment that a list of replies follows: the nearest earlier sibling that is one, or holds one."""
    for steps, sibling in enumerate(nest.itersiblings(preceding=True)):
        if sibling in index:
            return index[sibling]
        inside = [index[node] for node in sibling.iterdescendants() if node in index]
        if inside:
            return inside[0] if words.NEST.search(tokens(sibling)) is None else None
        if steps > 8:  # anchors and separators stand between; more is another region
            return None
    return None


def _named_parents(elements: tuple[Element, ...]) -> list[int | None]:
    """Parents named by a data attribute."""
    by_digits = {
        "".join(re.findall(r"\d+", element.get("id") or element.get("data-id") or "")): n
        for n, element in enumerate(elements)
    }
    by_digits.pop("", None)
    found: list[int | None] = []
    for n, element in enumerate(elements):
        value = next((element.get(name) for name in _PARENT_ATTRIBUTES if element.get(name)), "") or ""
        parent = by_digits.get("".join(re.findall(r"\d+", value)))
        found.append(parent if parent is not None and parent < n else None)
    return found


def _levels(elements: tuple[Element, ...]) -> list[int]:
    """A level for each item: class number, ``td.ind[indent]``, image width or left margin; 0 where none is given."""
    return [_level(element) for element in elements]


def _level(element: Element) -> int:
    up = element.getparent()
    for node in (element, *(() if up is None or len(up) > 2 else (up,))):
        if match := words.LEVEL.search(node.get("class") or ""):
            return int(match[1])
        if match := _MARGIN.search(node.get("style") or ""):
            return int(match[1])
    for cell in select(element, "td.ind")[:1]:
        if (value := cell.get("indent") or "").isdigit():
            return int(value)
        return sum(int(image.get("width") or 0) for image in cell.iter("img") if (image.get("width") or "").isdigit())
    return 0


def _by_level(levels: list[int]) -> list[int | None]:
    """The parent is the last earlier item of a smaller level."""
    stack: list[tuple[int, int]] = []
    parents: list[int | None] = []
    for n, level in enumerate(levels):
        while stack and stack[-1][0] >= level:
            stack.pop()
        parents.append(stack[-1][1] if stack else None)
        stack.append((level, n))
    return parents
