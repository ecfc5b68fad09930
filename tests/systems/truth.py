"""What a database says a thread is, in the terms of a thread as JSON, and how a harvested one differs from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import unescape
from typing import Any

from bs4 import BeautifulSoup, NavigableString, Tag

_BLOCKS = frozenset(
    [
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "h1",
        "h2",
        "h3",
        "h4",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "td",
        "tr",
        "ul",
    ]
)


@dataclass(frozen=True, slots=True)
class Truth:
    """One comment as its database holds it. ``moment`` is an aware time; ``text`` has all white space as one space."""

    native_id: str
    kind: str
    parent: str | None
    author: str | None
    author_url: str | None
    moment: datetime
    text: str
    state: str = "visible"


def flat(text: str) -> str:
    """All white space to one space."""
    return " ".join(re.sub("[\u200b\ufeff]", "", text).split())


def text_of(html: str) -> str:
    """The words of a piece of markup as a reader sees them, found another way than the project does."""
    parts: list[str] = []

    def walk(node: Tag) -> None:
        for child in node.children:
            if isinstance(child, NavigableString):
                parts.append(str(child))
            elif isinstance(child, Tag):
                edge = "\n" if child.name in _BLOCKS else ""
                parts.append(edge)
                walk(child)
                parts.append(edge)

    walk(BeautifulSoup(html, "html.parser"))
    return flat("".join(parts))


def from_wordpress(rows: Iterable[Mapping[str, Any]]) -> dict[str, Truth]:
    """What a reader should have of the rows that ``WordPress.php("comments")`` gave, by native id.

    That is all approved comments; and, without author or text, those held back that an approved one answers.
    """
    known = {row["comment_ID"]: row for row in rows}
    shown = [row for row in known.values() if row["comment_approved"] == "1"]
    answered = {row["comment_parent"] for row in shown} - {row["comment_ID"] for row in shown} - {"0"}
    found = [_wordpress_comment(row) for row in shown]
    found += [
        replace(_wordpress_comment(known[number]), parent=None, author=None, author_url=None, text="", state="hidden")
        for number in sorted(answered)
    ]
    return {one.native_id: one for one in found}


def _wordpress_comment(row: Mapping[str, Any]) -> Truth:
    local, utc = (datetime.fromisoformat(row[name]) for name in ("comment_date", "comment_date_gmt"))
    return Truth(
        native_id=f"comment-{row['comment_ID']}",
        kind=row["comment_type"],
        parent=f"comment-{row['comment_parent']}" if row["comment_parent"] != "0" else None,
        author=flat(unescape(row["comment_author"])),
        author_url=unescape(row["comment_author_url"]) or None,
        moment=datetime.fromisoformat(f"{local.isoformat()}{_offset((local - utc).total_seconds())}"),
        text=text_of(row["html"]),
    )


def from_isso(rows: Iterable[Mapping[str, Any]]) -> dict[str, Truth]:
    """What a reader should have of Isso's rows: all but those that wait; deleted ones are there because of their answers."""
    found = {}
    for row in rows:
        if row["mode"] == 2:
            continue
        found[f"isso-{row['id']}"] = Truth(
            native_id=f"isso-{row['id']}",
            kind="comment",
            parent=f"isso-{row['parent']}" if row["parent"] else None,
            author=unescape(row["author"] or "Anonymous"),  # as Isso prints it
            author_url=unescape(row["website"] or "") or None,
            moment=datetime.fromtimestamp(int(row["created"]), tz=UTC),
            text=text_of(row["html"]),
            state="deleted" if row["mode"] == 4 else "visible",
        )
    return found


def _offset(seconds: float) -> str:
    sign, minutes = ("-" if seconds < 0 else "+"), int(abs(seconds)) // 60
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def differences(comments: Iterable[Mapping[str, Any]], truth: Mapping[str, Truth]) -> list[str]:
    """Every way in which ``comments`` (as in a thread's JSON) differ from ``truth``; an empty list when they do not.

    A date must be the same moment where an offset was printed, the same wall clock where not, as far as it is precise.
    """
    rows = list(comments)
    by_id = {row["id"]: row for row in rows}
    seen = [row["native_id"] for row in rows]
    found = [f"{key}: missing" for key in truth if key not in seen]
    found += [f"{key}: invented" for key in seen if key not in truth]
    found += [f"{key}: twice" for key in sorted({key for key in seen if seen.count(key) > 1})]
    for row in rows:
        if wanted := truth.get(row["native_id"]):
            parent = by_id[row["parent_id"]]["native_id"] if row["parent_id"] else None
            found += _unlike(row, parent, wanted)
    return found


def _unlike(row: Mapping[str, Any], parent: str | None, wanted: Truth) -> list[str]:
    pairs = {
        "kind": (row["kind"], wanted.kind),
        "state": (row["state"], wanted.state),
        "parent": (parent, wanted.parent),
        "author": (row["author"], wanted.author),
        "author_url": (row["author_url"], wanted.author_url),
        "text": (flat(row["text"]), wanted.text),
    }
    found = [f"{wanted.native_id}: {name} {got!r}, not {true!r}" for name, (got, true) in pairs.items() if got != true]
    if wanted.state == "hidden":  # nobody shows when it was written
        return found
    if not same_moment(row["published"], row["published_precision"], wanted.moment):
        found.append(f"{wanted.native_id}: date {row['published']!r}, not {wanted.moment.isoformat()!r}")
    return found


def same_moment(published: str | None, precision: str | None, moment: datetime) -> bool:
    """Whether a printed date is ``moment``, as far as it is precise."""
    if published is None:
        return False
    read = datetime.fromisoformat(published)
    wall = moment if read.tzinfo is None else moment.astimezone(read.tzinfo)
    names = ("year", "month", "day", "hour", "minute", "second")
    kept = names[: names.index(precision or "day") + 1]
    return all(getattr(read, name) == getattr(wall, name) for name in kept)
