"""The reader for every other site: which repeated elements of a page are its comments?

Candidates are groups of elements that share a numbered id pattern or a class word. A group is believed when its members
carry dates and authors, hold text, and do not head links to other pages, as an index of posts does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from lxml import etree

from harvest.dates import RELATIVE, find_date
from harvest.extract import vocabulary as words
from harvest.extract.items import Element, Items
from harvest.extract.select import select, tokens
from harvest.extract.text import one_line

_TAGS = frozenset(["div", "li", "article", "section", "tr", "td", "table", "dl", "dd", "p", "blockquote"])
#: On the item itself only words that no layout uses: forum posts are called ``messageSidebarLeft``.
_TEASER = re.compile(r"recent|latest|related|teaser|promo", re.I)
_REGIONS = ("comments", "disqus_thread", "dsq-content", "comment-list", "commentlist", "kommentare", "respond")
_NUMBER = re.compile(r"\d[\da-f]*", re.I)
#: A region with more than this share of the page's text is no aside, whatever it is called.
MAIN_SHARE = 0.5
_SIZE = etree.XPath("string-length(normalize-space(string(.)))")
#: How many members of a group are looked at closely.
SAMPLE = 12
_SAYS = re.compile(
    r"\b(?:says?|said|wrote|writes|posted by|comment by|sagte?|schrieb|schreibt|meint|a dit|a écrit|dijo|dice|von|by|par)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Group:
    """A candidate: elements in document order, how far its name speaks for comments, and what its members carry."""

    elements: tuple[Element, ...]
    kind: str
    numbered: bool
    dates: float = 0.0
    authors: float = 0.0
    heads: float = 0.0
    mass: int = 0


def find_items(root: Element) -> Items | None:
    """The comments of a page by structure alone, or ``None``."""
    groups = [measured for group in _groups(root) if (measured := _measure(group)) and _believed(measured)]
    best = max(groups, key=_rank, default=None)
    if best is None:
        return None
    best = _finer(best, groups)
    return Items(_with_siblings(best), forum=best.kind == "post")


def in_aside(element: Element) -> bool:
    """Whether the element stands in a sidebar, a widget or a list of something else."""
    if _TEASER.search(tokens(element)):
        return True
    for up in element.iterancestors():
        # a comment region inside a widget is the page's own: its name says so
        if up.tag in ("body", "html") or (up.get("id") or "").lower() in _REGIONS:
            return False
        if up.tag == "aside" or (words.ASIDE.search(tokens(up)) and not _is_main(up)):
            return True
    return False


def _is_main(element: Element) -> bool:
    """A wrapper of the whole page may be called ``right-sidebar`` or ``has-widgets``; it holds the page's heading."""
    if next(element.iterdescendants("h1"), None) is not None or select(
        element, ".post-title,.entry-title,.hentry,.post-body,.entry-content"
    ):
        return True
    if "no-sidebar" in tokens(element) or "with-sidebar" in tokens(element):
        return True
    body = next((up for up in element.iterancestors() if up.tag == "body"), None)
    return body is not None and _text_size(element) > MAIN_SHARE * _text_size(body)


def _text_size(element: Element) -> float:
    found = _SIZE(element)
    return found if isinstance(found, float) else 0.0


def _kind_of(name: str) -> str | None:
    if words.COMMENT.search(name):
        return "comment"
    return "post" if words.POST.search(name) else None


def _groups(root: Element) -> list[Group]:
    buckets: dict[tuple[str, str], list[Element]] = defaultdict(list)
    for element in root.iter(*_TAGS):
        own = (element.get("id") or "").lower()
        if _NUMBER.search(own):
            buckets["#" + str(element.tag), _NUMBER.sub("#", own)].append(element)
        for token in set((element.get("class") or "").lower().split()):
            if not _NUMBER.search(token):
                buckets[str(element.tag), token].append(element)
    groups = []
    for (place, name), elements in buckets.items():
        numbered = place.startswith("#")
        part = words.PART.search(words.COMMENT.sub("", words.POST.sub("", name))) if not numbered else None
        kind = _kind_of(name) or ("numbered" if numbered else "class")
        if len(elements) < (1 if kind == "comment" and not part else 2 if kind != "class" else 3):
            continue
        kept = tuple(element for element in elements if not in_aside(element))
        if kept:
            groups.append(Group(kept, f"part-{kind}" if part else kind, numbered))
    return groups


def _own_text(element: Element, members: set[Element]) -> str:
    """The element's text without that of other members inside it."""
    from harvest.extract.text import lines

    return " ".join(lines(element, skip=members - {element}))


def _measure(group: Group) -> Group | None:
    members = set(group.elements)
    step = max(1, len(group.elements) // SAMPLE)
    sample = group.elements[::step][:SAMPLE]
    texts = [_own_text(element, members) for element in sample]
    if not texts:
        return None
    share = 1 / len(sample)
    return Group(
        group.elements,
        group.kind,
        group.numbered,
        dates=share * sum(_has_date(element, text) for element, text in zip(sample, texts, strict=True)),
        authors=share * sum(_has_author(element, text, members) for element, text in zip(sample, texts, strict=True)),
        heads=share * sum(_heads_elsewhere(element) for element in sample),
        mass=int(sum(map(len, texts)) * len(group.elements) / len(sample)),
    )


def _has_date(element: Element, text: str) -> bool:
    edges = text[:300] + " … " + text[-300:]
    return (
        bool(find_date(edges))
        or bool(RELATIVE.search(edges))
        or next(element.iterdescendants("time"), None) is not None
    )


def _has_author(element: Element, text: str, members: set[Element]) -> bool:
    if _SAYS.search(text[:160]) or _SAYS.search(text[-160:]):
        return True
    for node in element.iterdescendants(
        "a", "span", "cite", "div", "strong", "b", "td", "p", "li", "dt", "h4", "h3", "h5"
    ):
        if any(pattern.search(tokens(node)) for pattern in words.AUTHOR) and 0 < len(one_line(node)) < 80:
            return True
        if node.tag == "cite" or "nofollow" in (node.get("rel") or ""):
            return True
    return False


def _heads_elsewhere(element: Element) -> bool:
    """Headings that link to other pages make an entry of an index, not a comment."""
    for heading in element.iterdescendants("h1", "h2", "h3"):
        for link in heading.iterdescendants("a"):
            href = link.get("href") or ""
            if href and not href.startswith("#") and "#" not in href and len(one_line(link)) > 15:
                return True
    return bool(re.search(r"(?:^|\s)(?:hentry|type-post)(?:\s|$)", element.get("class") or ""))


def _believed(group: Group) -> bool:
    """Cut-offs set on the dev pages of the three benches; they hang together, so change them as a set."""
    size, mean = len(group.elements), group.mass / len(group.elements)
    if mean < 15 or group.heads > 0.4:
        return False
    if group.kind.endswith("comment"):
        if size == 1:
            return (
                (group.numbered or _in_region(group.elements[0]))
                and group.dates == 1
                and group.authors == 1
                and mean < 5000
            )
        return group.dates + group.authors >= 0.9 and mean < 12_000
    if group.kind.endswith("post"):
        return size >= 2 and group.dates >= 0.7 and group.authors >= 0.7
    return size >= 3 and group.dates >= 0.9 and group.authors >= 0.9 and mean >= 60


def _in_region(element: Element) -> bool:
    """Whether an ancestor is called just ``comments``."""
    return any({"comments", "comment-list", "commentlist"} & set(tokens(up).split()) for up in element.iterancestors())


_PRIOR = {"comment": 1.0, "part-comment": 0.6, "post": 0.6, "part-post": 0.35, "numbered": 0.4, "class": 0.3}


def _rank(group: Group) -> float:
    carried = 0.4 + 0.3 * group.dates + 0.3 * group.authors
    return group.mass * carried * _PRIOR.get(group.kind, 0.2) * (1.1 if group.numbered else 1.0)


def _finer(best: Group, groups: list[Group]) -> Group:
    """A group whose members lie inside the best one's, several in each, and cover it, is the true list."""
    outer = set(best.elements)
    for group in sorted(groups, key=_rank, reverse=True):
        if len(group.elements) < max(2, 2 * len(best.elements)) or group.mass < 0.6 * best.mass:
            continue
        if all(any(up in outer for up in element.iterancestors()) for element in group.elements):
            return group
    return best


def _with_siblings(group: Group) -> tuple[Element, ...]:
    """Members, and siblings of the same tag that carry what they carry (other class for replies, for the post's author)."""
    members = set(group.elements)
    parents = {element.getparent() for element in group.elements}
    tags = {element.tag for element in group.elements}
    first = group.elements[0]
    for parent in parents:
        for child in parent if parent is not None else ():
            if child.tag in tags and child not in members and child.get("class") and not _overlaps(child, members):
                text = one_line(child)
                if (
                    text
                    and group.dates >= 0.7
                    and _has_date(child, text)
                    and _has_author(child, text, members)
                    and not _heads_elsewhere(child)
                ):
                    members.add(child)
    root = first.getroottree().getroot()
    return tuple(element for element in root.iter() if element in members)


def _overlaps(element: Element, members: set[Element]) -> bool:
    return any(node in members for node in element.iterdescendants())
