"""``chorus search -i``: question after question, with the model and the index kept in memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cli.output import emit, note
from cli.render_hits import hits_text
from store.records import ChorusError, UsageError

if TYPE_CHECKING:
    from cli.jobs.search import Searcher, SearchRequest

PROMPT = "search> "

HELP = """Type a question; "a phrase", author: site: label: kind: thread: before: after: and - narrow it.
:k N (hits) · :mode hybrid|vector|text · :context N · :like ID · :quit (or Ctrl-D)"""

#: Settings that a line beginning with a colon changes, and how their value is read.
SETTINGS = {"k": int, "mode": str, "context": int}
MODES = ("hybrid", "vector", "text")


def converse(searcher: Searcher, request: SearchRequest, fmt: str, *, explain: bool = False) -> None:
    """Answer each line of stdin until it ends or says ``:quit``. What cannot be answered is one line on stderr.

    A query or ``--like`` on the command line is answered first. Other options hold for every question.
    """
    searcher.prepare()
    if request.query is not None or request.like is not None:
        _answer(searcher, request, fmt, explain)
    base = replace(request, query=None, like=None)
    for line in _lines():
        if line == ":quit":
            break
        try:
            base = _obey(searcher, base, line, fmt, explain)
        except ChorusError as error:
            note(f"{error}" + (f" - {error.hint}" if error.hint else ""))


def _obey(searcher: Searcher, base: SearchRequest, line: str, fmt: str, explain: bool) -> SearchRequest:
    """Answer a question, or change a setting; returns the settings from now on."""
    name, _, value = line.removeprefix(":").partition(" ")
    if not line.startswith(":"):
        _answer(searcher, replace(base, query=line), fmt, explain)
    elif name == "like":
        _answer(searcher, replace(base, like=value.strip()), fmt, explain)
    elif name == "help":
        note(HELP)
    elif name in SETTINGS:
        return replace(base, **_setting(name, value.strip()))
    else:
        raise UsageError(f":{name}: not known", hint=":help")
    return base


def _setting(name: str, value: str) -> dict[str, Any]:
    if name == "mode":
        if value not in MODES:
            raise UsageError(f":mode {value}: not known", hint="one of " + ", ".join(MODES))
        return {"mode": value}
    if not value.isdecimal() or not (name == "k") <= int(value) <= 1000:
        raise UsageError(f":{name} {value}: not a number that can be used")
    return {name: int(value)}


def _answer(searcher: Searcher, request: SearchRequest, fmt: str, explain: bool) -> None:
    start = time.perf_counter()
    try:
        hits = searcher.hits(request)
    except ChorusError as error:
        note(f"{error}" + (f" - {error.hint}" if error.hint else ""))
        return
    took = time.perf_counter() - start
    if fmt == "table":
        sys.stdout.write(hits_text(hits, explain=explain) + "\n")
    else:
        asked = {"query": request.query, "like": request.like}
        emit(({**asked, **hit.to_json()} for hit in hits), ("query", "score", "author", "text", "url"), fmt)
    sys.stdout.flush()
    note(f"{len(hits)} hit{'s' * (len(hits) != 1)} in {took * 1000:.0f} ms")


def _lines() -> Iterator[str]:
    """Questions, one a line, stripped; empty ones are left out. On a terminal with a prompt and a history."""
    if sys.stdin.isatty():
        import readline  # noqa: F401 - gives input() line editing

        note(HELP)
        source: Iterator[str] = iter(_prompted, None)
    else:
        source = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
    return (line.strip() for line in source if line.strip())


def _prompted() -> str | None:
    try:
        return input(PROMPT)
    except EOFError:
        return None
