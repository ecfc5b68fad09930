"""A thread exported as plain text from a rendered page: numbered comments, replies as bullets, deeper by indent.

Shape: the post; ``1. First comment`` with its paragraphs indented under it; ``* a reply`` further in; ``12. Pingback: …``;
the comment form at the end. Authors and dates are not in it and stay null.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harvest.extract.counts import read_count
from harvest.extract.items import Reading

_NUMBERED = re.compile(r"^(?P<pad>[ \t]*)(?P<n>\d{1,5})\.[ \t]+(?P<text>\S.*)$")
_BULLET = re.compile(r"^(?P<pad>[ \t]*)[*•◦▪‣+o·-][ \t]+(?P<text>\S.*)$")
_FORM = re.compile(
    r"^\s*(?:leave a (?:reply|comment)|post a comment|add (?:a|your) comment|cancel reply|schreibe? einen kommentar|kommentar (?:schreiben|hinterlassen)"  # noqa: E501
    r"|laisser un commentaire|deja (?:un comentario|una respuesta))\b",
    re.I,
)
_PING = re.compile(r"^(?P<kind>pingback|trackback):?\s", re.I)
_URL = re.compile(r"https?://[^\s<>\"')\]]+")


@dataclass(slots=True)
class _Open:
    """A comment being read. ``pad`` is the column of its marker, ``column`` the column of its text."""

    pad: int
    column: int
    parent: int | None
    paragraphs: list[list[str]] = field(default_factory=lambda: [[]])


@dataclass(frozen=True, slots=True)
class TextThread:
    """The parts of a plain-text thread."""

    title: str | None
    post: str
    readings: tuple[Reading, ...]
    announced: int | None


def read_text_thread(text: str) -> TextThread:
    """Read a plain-text thread; text without numbered comments is all post."""
    rows = [line.expandtabs(4).rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    start = _first_comment(rows)
    head = rows if start is None else rows[:start]
    body = [] if start is None else rows[start:]
    announced = next((count for row in reversed(head[-12:]) if (count := read_count(row.strip())) is not None), None)
    paragraphs = [one for one in _paragraphs(head) if read_count(one) is None or len(one) > 80]
    title = paragraphs[0] if paragraphs and len(paragraphs[0]) < 200 else None
    return TextThread(
        title,
        "\n".join(paragraphs[1:] if title and len(paragraphs) > 1 else paragraphs),
        tuple(_comments(body)),
        announced,
    )


def _first_comment(rows: list[str]) -> int | None:
    """The last "1." that a "2." follows at the same column, or a lone "1." after a count: lists in the post come earlier."""
    found: int | None = None
    for number, row in enumerate(rows):
        match = _NUMBERED.match(row)
        if not match or match["n"] != "1":
            continue
        before = [one for one in rows[max(0, number - 6) : number] if one.strip()]
        counted = any(read_count(one.strip()) is not None for one in before)
        if counted:
            return number
        if found is None or _runs(rows, number) >= _runs(rows, found):
            found = number
    return found


def _runs(rows: list[str], start: int) -> int:
    """How far the numbering that starts here counts on at its column."""
    first = _NUMBERED.match(rows[start])
    wanted = 2
    for row in rows[start + 1 :]:
        match = _NUMBERED.match(row)
        if match and first and int(match["n"]) == wanted and abs(len(match["pad"]) - len(first["pad"])) <= 2:
            wanted += 1
    return wanted - 1


def _paragraphs(rows: list[str]) -> list[str]:
    found: list[str] = []
    run: list[str] = []
    for row in [*rows, ""]:
        if row.strip():
            run.append(row.strip())
        elif run:
            found.append(" ".join(run))
            run = []
    return found


def _comments(rows: list[str]) -> list[Reading]:
    done: list[_Open] = []
    stack: list[int] = []
    top = _NUMBERED.match(rows[0]) if rows else None
    base = len(top["pad"]) if top else 0
    wanted, blank = 1, True
    for row in rows:
        if _FORM.match(row):
            break
        number, bullet = _NUMBERED.match(row), _BULLET.match(row)
        pad = len(row) - len(row.lstrip())
        if number and int(number["n"]) == wanted and abs(len(number["pad"]) - base) <= 2:
            stack = [_open(done, pad, number.start("text"), None, number["text"])]
            wanted += 1
        elif bullet and stack and not _announces_list(done[stack[-1]]) and _is_reply(done, stack, pad, blank):
            while len(stack) > 1 and done[stack[-1]].pad >= pad:
                stack.pop()
            stack.append(_open(done, pad, bullet.start("text"), stack[-1], bullet["text"]))
        elif stack:
            _continue(done, stack, row, pad)
        blank = not row.strip()
    return [_reading(one) for one in done]


def _open(done: list[_Open], pad: int, column: int, parent: int | None, text: str) -> int:
    done.append(_Open(pad, column, parent, [[text.strip()]]))
    return len(done) - 1


def _announces_list(current: _Open) -> bool:
    """Whether the text so far ends in a colon: what follows is a list inside the body."""
    said = [run for run in current.paragraphs if run]
    return bool(said) and said[-1][-1].endswith(":")


def _is_reply(done: list[_Open], stack: list[int], pad: int, blank: bool) -> bool:
    """A bullet opens a reply when it is set off by a blank line and stands at or beyond its parent's text.

    Bullets that follow a line directly are a list inside the body.
    """
    current = done[stack[-1]]
    siblings = {done[index].pad for index in stack[1:]}
    return blank and (pad in siblings or pad >= current.column or (len(stack) > 1 and pad > done[stack[0]].pad))


def _continue(done: list[_Open], stack: list[int], row: str, pad: int) -> None:
    if not row.strip():
        if done[stack[-1]].paragraphs[-1]:
            done[stack[-1]].paragraphs.append([])
        return
    # a paragraph set back to the column of an outer comment belongs to that one only if the inner is closed by it
    done[stack[-1]].paragraphs[-1].append(row.strip())


def _reading(one: _Open) -> Reading:
    text = "\n".join(" ".join(run) for run in one.paragraphs if run)
    ping = _PING.match(text)
    return Reading(
        text=text,
        kind=("trackback" if ping["kind"].lower() == "trackback" else "pingback") if ping else "comment",
        links=tuple(dict.fromkeys(_URL.findall(text))),
        parent=one.parent,
        parent_source="indent" if one.parent is not None else None,
    )
