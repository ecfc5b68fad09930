"""Comments without an element of their own: runs of siblings, wrapped into one so that the other readers see a list.

Old TypePad and Movable Type print an anchor, paragraphs and a "posted by" line; old Blogger and Thesis a ``dl`` of ``dt``
and ``dd``. The tree is changed in place, so it must be the extractor's own.
"""

from __future__ import annotations

import re
from collections import Counter

from lxml import etree

from harvest.dates import RELATIVE, find_date
from harvest.extract.items import Element
from harvest.extract.select import tokens
from harvest.extract.text import one_line
from harvest.extract.vocabulary import META_WORDS

#: Class of the elements made here.
MADE = "chorus-flat"
#: Fewer posts than this in a table prove no pattern.
MIN_ROW_RUNS = 2
_POST_ID = re.compile(r"^(?:pb|p|post|msg|message|c|comment)[-_]?\d+$", re.I)
_CLOCK = re.compile(r"\b\d{1,2}[:.]\d\d\s*(?:am|pm)?\b", re.I)
_MONTH = re.compile(
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|okt|nov|dec|dez|ene|abr|ago|dic|avr|mai|juin|août)", re.I
)
_BY = re.compile(r"\b(?:by|von|par|por|da)\b", re.I)
_ANCHOR = re.compile(r"^(?:c|comment-?|cmt-?|com)\d?[\da-f]{2,}$", re.I)
_BYLINE = re.compile(
    r"^\W*(?:posted|comment(?:ed)?|written|left|publi[ée]|geschrieben|kommentar|enviado)\s*(?:by|von|par|por)?\b", re.I
)


def wrap(root: Element) -> list[Element]:
    """Wrap all flat runs; the elements made, in document order."""
    return [one for found in (_definition_lists(root), _anchored(root), _bylined(root)) for one in found]


def wrap_rows(root: Element) -> list[Element]:
    """Wrap the posts of a table that gives each a row with author and date and the row or rows below it for the text."""
    made = []
    for parent in list(root.iter("table", "tbody")):
        rows = [child for child in parent if child.tag == "tr"]
        runs = _row_runs(rows) if len(rows) >= 2 * MIN_ROW_RUNS else []
        for run in runs:
            name = next(
                (node.get("id") for row in run for node in row.iter() if _POST_ID.match(node.get("id") or "")), None
            )
            made.append(_post_of_rows(run, name))
    return made


def _post_of_rows(run: list[Element], name: str | None) -> Element:
    """One post: its head and its text in elements whose classes say so, its author marked, rows of buttons left out."""
    post = _enclose(run, name)
    head, body = (
        etree.SubElement(post, "div", {"class": "head"}),
        etree.SubElement(post, "div", {"class": "message-body"}),
    )
    head.append(run[0])
    for row in run[1:]:
        if _only_buttons(row):
            post.remove(row)
        else:
            body.append(row)
    writer = _writer(run[0])
    if writer is not None:
        writer.set("class", f"{writer.get('class') or ''} username".strip())
    return post


def _only_buttons(row: Element) -> bool:
    found = re.findall(r"[^\W\d_]+", one_line(row).lower())
    return all(word in META_WORDS for word in found)


def _writer(row: Element) -> Element | None:
    """The link with the author's name: the one after "by", else the first that is no date, no answer's subject."""
    links = [link for link in row.iterdescendants("a") if 0 < len(one_line(link)) < 40]
    for link in links:
        before = link.getprevious()
        parent = link.getparent()
        said = (before.tail if before is not None else parent.text if parent is not None else "") or ""
        if re.search(r"\b(?:by|von|par|por|da)\s*:?\s*$", said, re.I):
            return link
    names = [
        one for one in links if not find_date(one_line(one)) and not re.match(r"(?:re|aw|rép)\s*:", one_line(one), re.I)
    ]
    return names[0] if names else None


def _row_runs(rows: list[Element]) -> list[list[Element]]:
    """Runs of a head row and what follows it, if heads look alike and nearly all are followed by text; else nothing."""
    heads = [n for n, row in enumerate(rows) if _is_head_row(row)]
    shapes = Counter(_shape(rows[n]) for n in heads)
    if not shapes:
        return []
    shape, count = shapes.most_common(1)[0]
    heads = [n for n in heads if _shape(rows[n]) == shape]
    if count < MIN_ROW_RUNS:
        return []
    runs = [rows[start:end] for start, end in zip(heads, [*heads[1:], len(rows)], strict=True)]
    sizes = [sum(len(one_line(row)) for row in run[1:]) for run in runs]
    if sum(size > 0 for size in sizes) < 0.9 * len(runs) or sum(sizes) < 20 * len(runs):
        return []
    return [run if n < len(runs) - 1 else run[: _usual(runs)] for n, run in enumerate(runs)]


def _usual(runs: list[list[Element]]) -> int:
    """Rows of a run, mostly; the last run would else reach into what stands below the posts."""
    return Counter(map(len, runs[:-1])).most_common(1)[0][0] if len(runs) > 1 else len(runs[0])


def _is_head_row(row: Element) -> bool:
    text = one_line(row)
    if not 6 < len(text) < 250:
        return False
    dated = bool(find_date(text)) or bool(RELATIVE.search(text)) or bool(_CLOCK.search(text) and _MONTH.search(text))
    return dated and (next(row.iterdescendants("a"), None) is not None or bool(_BY.search(text)))


def _shape(row: Element) -> tuple[str, ...]:
    """Cells and their classes without numbers: rows are coloured in turns."""
    return tuple(f"{cell.tag}.{re.sub(r'[0-9]+', '', cell.get('class') or '')}" for cell in row)


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
