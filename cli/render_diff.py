"""A thread's changes as text for a terminal: what was added and taken away within the words themselves."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from cli.output import printable, shorten

if TYPE_CHECKING:
    from cli.jobs.diff import ThreadHistory
    from store.history import Change, Side

#: Marks of removed and added words: with colours on a terminal, with signs anywhere (as wdiff has them).
_PLAIN = ("[-", "-]", "{+", "+}")
_COLOUR = ("\x1b[9;31m", "\x1b[0m", "\x1b[4;32m", "\x1b[0m")

_SIGNS = {"added": "+", "removed": "-", "edited": "~", "re-parented": ">", "returned": "+"}


def history_text(history: ThreadHistory, *, colour: bool = False) -> str:
    """Every change with its date, author, words, and the WARC record of each side."""
    thread = history.thread
    lines = [printable(thread.title or "(no title)"), thread.url, _summary(history)]
    for change in history.changes:
        lines += ["", *_change_lines(change, _COLOUR if colour else _PLAIN)]
    return "\n".join(lines)


def _summary(history: ThreadHistory) -> str:
    counts = {kind: sum(change.kind == kind for change in history.changes) for kind in _SIGNS}
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "nothing changed"
    return f"{len(history.visits)} visits from {history.visits[0]} to {history.visits[-1]}: {told}"


def _change_lines(change: Change, marks: tuple[str, str, str, str]) -> Iterator[str]:
    side = change.after or change.before
    if side is None:
        return
    entry = side.entry
    who = printable(entry.author or "(no author)")
    yield f"{_SIGNS[change.kind]} {change.kind} by {change.at}: {entry.kind} of {who} ({change.entry_id[:12]})"
    width = max(shutil.get_terminal_size((100, 24)).columns - 4, 40)
    for paragraph in _words(change, marks).split("\n"):
        yield from ("    " + line for line in textwrap.wrap(paragraph, width) or [""])
    if change.kind == "re-parented" and change.before and change.after:
        yield f"    parent {_parent(change.before)} -> {_parent(change.after)}"
    for label, one in (("before", change.before), ("after", change.after)):
        if one is not None:
            yield f"    {label}: {_record(one)}"


def _words(change: Change, marks: tuple[str, str, str, str]) -> str:
    if change.kind == "edited" and change.before and change.after:
        return inline_diff(printable(change.before.entry.text), printable(change.after.entry.text), marks)
    side = change.after or change.before
    return printable(side.entry.text) if side else ""


def inline_diff(before: str, after: str, marks: tuple[str, str, str, str] = _PLAIN) -> str:
    """One text with the words that went and came marked in place."""
    old, new = re.findall(r"\s+|\S+", before), re.findall(r"\s+|\S+", after)
    out: list[str] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            out += old[a:b]
            continue
        if b > a:
            out.append(marks[0] + "".join(old[a:b]) + marks[1])
        if d > c:
            out.append(marks[2] + "".join(new[c:d]) + marks[3])
    return "".join(out)


def _parent(side: Side) -> str:
    return side.entry.parent_id[:12] if side.entry.parent_id else "the post"


def _record(side: Side) -> str:
    evidence = side.dom or side.entry.evidence
    if evidence is None:
        return f"seen {side.captured_at}"
    return f"seen {side.captured_at} in {evidence.warc} at {evidence.offset}, {shorten(evidence.record_id, 60)}"
