"""Threads and search hits as text for a terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator

from cli.output import printable
from store.records import Entry, Evidence, ThreadDocument

#: Deeper replies are drawn at this depth, so that text keeps room on a narrow terminal.
MAX_INDENT_DEPTH = 8


def thread_tree(document: ThreadDocument, *, evidence: bool = False) -> str:
    """The whole thread as indented text: post, then comments under what they answer."""
    return "\n".join(printable(line) for line in _lines(document, evidence))


def _lines(document: ThreadDocument, evidence: bool) -> Iterator[str]:
    thread = document.thread
    announced = "not announced" if thread.announced_count is None else f"{thread.announced_count} announced"
    yield thread.title or "(no title)"
    yield f"{thread.url}"
    yield f"{thread.platform or 'unknown platform'} · {len(document.comments)} comments, {announced}: {thread.completeness}"
    if thread.completeness_reason:
        yield f"  {thread.completeness_reason}"
    yield f"thread {thread.thread_id} · captured {thread.captured_at}"
    for entry in _in_tree_order(document):
        yield ""
        yield from _entry_lines(entry, evidence)


def _in_tree_order(document: ThreadDocument) -> Iterator[Entry]:
    """Each entry followed by its replies, without recursion (threads may be nested without end)."""
    children: dict[str | None, list[Entry]] = {}
    known = {entry.entry_id for entry in document.comments}
    for entry in document.comments:
        children.setdefault(entry.parent_id if entry.parent_id in known else None, []).append(entry)
    if document.post:
        yield document.post
    stack = list(reversed(children.get(None, [])))
    while stack:
        entry = stack.pop()
        yield entry
        stack.extend(reversed(children.pop(entry.entry_id, [])))


def _entry_lines(entry: Entry, evidence: bool) -> Iterator[str]:
    pad = "  " * min(max(entry.depth - 1, 0), MAX_INDENT_DEPTH) + ("" if entry.kind == "post" else "│ ")
    width = max(shutil.get_terminal_size((100, 24)).columns - len(pad), 30)
    yield pad + _heading(entry)
    for paragraph in entry.text.split("\n"):
        yield from (pad + line for line in textwrap.wrap(paragraph, width) or [""])
    if evidence:
        yield pad + evidence_line(entry.evidence)


def _heading(entry: Entry) -> str:
    when = entry.published or entry.published_text or "no date"
    marks: list[str] = [] if entry.kind == "comment" else [entry.kind]
    marks += [entry.state] if entry.state != "visible" else []
    marks += ["post author"] if entry.is_post_author and entry.kind == "comment" else []
    return " · ".join([entry.author or "(no name)", when, *marks, entry.entry_id[:10]])


def evidence_line(evidence: Evidence | None) -> str:
    """Where the archive holds what an entry was read from."""
    if evidence is None:
        return "no WARC record (read outside an archive)"
    return f"warc/{evidence.warc} offset {evidence.offset} {evidence.record_id} {evidence.digest}"
