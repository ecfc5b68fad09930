"""A small CSS subset, compiled to XPath: rules stay readable data and need no further dependency.

Known: ``tag``, ``.class``, ``#id``, ``[attr]``, ``[attr=v]``, ``[attr^=v]``, ``[attr*=v]``, ``[attr$=v]``, ``[attr~=v]``,
descendant (space), child (``>``) and lists (``,``). Anything else raises ``ConfigError`` when the rule is first used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from lxml import etree

from store.records import ConfigError

Element = etree._Element

_PART = re.compile(r"([.#])([\w-]+)|\[([\w:-]+)(?:([\^*$~]?=)\"?([^\]\"]*)\"?)?\]")
_TESTS = {
    "=": "@{name}='{value}'",
    "^=": "starts-with(@{name},'{value}')",
    "*=": "contains(@{name},'{value}')",
    "$=": "substring(@{name},string-length(@{name})-string-length('{value}')+1)='{value}'",
    "~=": "contains(concat(' ',normalize-space(@{name}),' '),' {value} ')",
}


def _test(match: re.Match[str]) -> str:
    sigil, word, name, operator, value = match.groups()
    if sigil == ".":
        return _TESTS["~="].format(name="class", value=word)
    if sigil == "#":
        return _TESTS["="].format(name="id", value=word)
    return _TESTS[operator].format(name=name, value=value) if operator else f"@{name}"


def _compound(text: str) -> str:
    tag = re.match(r"[\w*-]*", text)
    rest = text[tag.end() :] if tag else text
    if _PART.sub("", rest):
        raise ConfigError(f"selector not understood: {text!r}")
    return ((tag.group() if tag else "") or "*") + "".join(f"[{_test(match)}]" for match in _PART.finditer(rest))


def _path(selector: str) -> str:
    steps = re.sub(r"\s*>\s*", " >", selector.strip()).split()
    return "".join(("/" if step.startswith(">") else "//") + _compound(step.lstrip(">")) for step in steps)


@cache
def compiled(selector: str, scope: str = ".") -> etree.XPath:
    """The selector as XPath, searching below the context node (``scope='.'``)."""
    return etree.XPath("|".join(scope + _path(one) for one in selector.split(",")))


def select(root: Element, selector: str) -> list[Element]:
    """All elements below ``root`` (itself left out) that match, in document order."""
    found = compiled(selector)(root)
    return [node for node in found if isinstance(node, etree._Element)] if isinstance(found, list) else []


def first(root: Element, selectors: Iterable[str]) -> Element | None:
    """The first match of the first selector that has one."""
    for selector in selectors:
        if found := select(root, selector):
            return found[0]
    return None


def tokens(element: Element) -> str:
    """Id and classes in one lower-case string, for vocabulary tests."""
    return f"{element.get('id') or ''} {element.get('class') or ''}".lower()


def detach(element: Element) -> None:
    """Take the element out of its tree and leave its tail text where it was."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        previous = element.getprevious()
        if previous is not None:
            previous.tail = (previous.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
        element.tail = None
    parent.remove(element)
