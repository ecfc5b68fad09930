"""Comments without an element of their own: runs of siblings, wrapped into one so that the other readers see a list.

Old TypePad and Movable Type print an anchor, paragraphs and a "posted by" line; old Blogger and Thesis a ``dl`` of ``dt``
and ``dd``. The tree is changed in place, so it must be the extractor's own.
"""

from __future__ import annotations

import re

from lxml import etree

from harvest.dates import find_date
from harvest.extract.items import Element
from harvest.extract.select import tokens
from harvest.extract.text import one_line

#: Class of the elements made here.
MADE = "chorus-flat"
_ANCHOR = re.compile(r"^(?:c|comment-?|cmt-?|com)\d?[\da-f]{2,}$", re.I)
_BYLINE = re.compile(
    r"^\W*(?:posted|comment(?:ed)?|written|left|publi[ée]|geschrieben|kommentar|enviado)\s*(?:by|von|par|por)?\b", re.I
)


def wrap(root: Element) -> list[Element]:
    """Wrap all flat runs; the elements made, in document order."""
    made = [one for found in (_definition_lists(root), _anchored(root), _bylined(root)) for one in found]
    return made if len(made) > 0 else []


def _enclose(run: list[Element], name: str | None) -> Element:
    wrapper = etree.Element("div", {"class": MADE})
    if name:
        wrapper.set("id", name)
    run[0].addprevious(wrapper)
    wrapper.extend(run)
    return wrapper


def _definition_lists(root: Element) -> list[Element]:
    made = []
    for block in list(root.iter("dl")):
        terms = [child for child in block if child.tag == "dt"]
        parent = block.getparent()
        if "comment" not in tokens(block) + (tokens(parent) if parent is not None else "") or not terms:
            continue
        run: list[Element] = []
        runs: list[list[Element]] = []
        for child in list(block):
            if child.tag == "dt" and any(node.tag == "dd" for node in run):
                runs.append(run)
                run = []
            run.append(child)
        runs.append(run)
        for one in runs:
            name = next((node.get("id") for node in one if node.get("id")), None)
            kind = " ".join(node.get("class") or "" for node in one if node.tag == "dt")
            wrapper = _enclose(one, name)
            wrapper.set("class", f"{MADE} {kind}")
            made.append(wrapper)
    return made


def _anchored(root: Element) -> list[Element]:
    """``<a id=c123></a> <p>…</p> <p class=posted>…</p>``, each anchor the start of a comment."""
    by_parent: dict[Element, list[Element]] = {}
    for link in root.iter("a"):
        parent = link.getparent()
        if parent is not None and _ANCHOR.match(link.get("id") or link.get("name") or "") and len(one_line(link)) < 3:
            by_parent.setdefault(parent, []).append(link)
    made = []
    for anchors in by_parent.values():
        if len(anchors) < 2:
            continue
        starts = set(anchors)
        for anchor in anchors:
            run = [anchor]
            for sibling in anchor.itersiblings():
                if sibling in starts or sibling.tag in ("form", "h1", "h2", "h3", "script"):
                    break
                run.append(sibling)
                if _is_byline(sibling):
                    break
            if (
                len(run) > 1
                and len(" ".join(map(one_line, run))) > 10
                and any(find_date(one_line(node)) for node in run)
            ):
                made.append(_enclose(run, anchor.get("id") or anchor.get("name")))
    return made


def _is_byline(element: Element) -> bool:
    text = one_line(element)
    return (
        len(text) < 160 and bool(find_date(text)) and bool(_BYLINE.match(text) or "posted" in tokens(element).split())
    )


def _bylined(root: Element) -> list[Element]:
    """Paragraphs closed by a "Posted by X, date" line, below a heading that says comments."""
    made = []
    for parent in list(root.iter("div", "td", "section")):
        lines = [child for child in parent if child.tag in ("p", "div") and _is_byline(child)]
        if len(lines) < 2 or not any(_titled(child) for child in parent):
            continue
        run: list[Element] = []
        open_run = False
        for child in list(parent):
            if _titled(child):
                open_run, run = True, []
                continue
            if not open_run or child.tag == "form":
                continue
            run.append(child)
            if child in lines:
                if len(run) > 1:
                    name = next((node.get("id") or node.get("name") for node in run if node.tag == "a"), None)
                    made.append(_enclose(run, name))
                run = []
    return made


def _titled(element: Element) -> bool:
    return element.tag in ("h1", "h2", "h3", "h4", "h5") and bool(
        re.search(r"comment|kommentar|reaktion|replies", one_line(element), re.I)
    )
