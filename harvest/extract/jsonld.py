"""Comments and counts that a page states as JSON-LD (schema.org), for pages whose markup shows no comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree, html

from harvest.dates import ReadDate, machine_date
from harvest.extract.items import Reading
from harvest.extract.text import absolute, lines, squeeze

#: What can bear comments, by the end of its type's name.
_BEARERS = re.compile(r"(?:Article|Posting|Post|Blog|WebPage|Question|Recipe|CreativeWork|VideoObject|QAPage)$")
_COMMENTS = re.compile(r"(?:Comment|Answer)$")

#: Comments of one page, and how deep they may answer each other: beyond it the data are no thread.
MAX_COMMENTS = 20_000
MAX_DEPTH = 60


def read_jsonld(scripts: Iterable[str], base: str) -> tuple[list[Reading], int | None]:
    """The comments in the order of the data, answers below what they answer, and the count that the page states."""
    found: list[Reading] = []
    count: int | None = None
    for thing in _things(scripts):
        if not _BEARERS.search(_type(thing)):
            continue
        stated = thing.get("commentCount")
        if isinstance(stated, int | str) and str(stated).isdigit():
            count = max(count or 0, int(stated))
        _collect(_listed(thing.get("comment")) + _listed(thing.get("suggestedAnswer")), None, found, base, 0)
    return found, count


def _things(scripts: Iterable[str]) -> Iterator[dict[str, Any]]:
    for script in scripts:
        try:
            data = json.loads(script)
        except ValueError:
            continue
        yield from _objects(data)


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    """Objects at the top, in a list, in ``@graph``, and what a page is mainly about."""
    waiting = [data]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            yield one
            waiting += [
                one[name]
                for name in ("@graph", "mainEntity", "mainEntityOfPage")
                if isinstance(one.get(name), dict | list)
            ]


def _type(thing: dict[str, Any]) -> str:
    kind = thing.get("@type")
    return str(kind[0] if isinstance(kind, list) and kind else kind or "")


def _listed(value: Any) -> list[dict[str, Any]]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict)]


def _collect(comments: list[dict[str, Any]], parent: int | None, found: list[Reading], base: str, depth: int) -> None:
    for one in comments:
        if len(found) >= MAX_COMMENTS or depth > MAX_DEPTH or not (_COMMENTS.search(_type(one)) or not _type(one)):
            continue
        text = _plain(one.get("text") or one.get("articleBody") or one.get("description"))
        author = one.get("author") or one.get("creator")
        person = author[0] if isinstance(author, list) and author else author
        own = len(found)
        found.append(
            Reading(
                text=text,
                native_id=_word(one.get("@id")) or _word(one.get("identifier")),
                author=_word(person.get("name")) if isinstance(person, dict) else _word(person),
                author_url=absolute(_word(person.get("url")), base) if isinstance(person, dict) else None,
                date=_date(one),
                permalink=absolute(_word(one.get("url")), base),
                parent=parent,
                parent_source="dom" if parent is not None else None,
            )
        )
        _collect(_listed(one.get("comment")), own, found, base, depth + 1)


def _word(value: Any) -> str | None:
    return squeeze(value) or None if isinstance(value, str) else None


def _date(one: dict[str, Any]) -> ReadDate | None:
    for name in ("datePublished", "dateCreated", "uploadDate"):
        if read := machine_date(_word(one.get(name))):
            return read
    return None


def _plain(value: Any) -> str:
    """Text that may or may not be HTML."""
    if not isinstance(value, str) or not value.strip():
        return ""
    if "<" not in value and "&" not in value:
        return "\n".join(line for part in value.splitlines() if (line := squeeze(part)))
    try:
        return "\n".join(lines(html.fragment_fromstring(value, create_parent="div")))
    except (etree.ParserError, ValueError):
        return squeeze(value)
