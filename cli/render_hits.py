"""Search hits as text for a terminal: who, when, where, what was said, and where it is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cli.output import printable, shorten

if TYPE_CHECKING:
    from store.hits import ContextEntry, Hit, ThreadHit

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"

#: Private-use characters that stand for the beginning and end of a match until the text is wrapped.
OPEN, CLOSE = "\ue000", "\ue001"

#: A passage up to this long is shown whole; of a longer one the best sentences, up to this length.
SHOWN_CHARACTERS = 420

INDENT = "    "


def hits_text(hits: Sequence[Hit], *, explain: bool = False) -> str:
    """Each hit as a small block, numbered, best first."""
    return "\n\n".join(hit_text(n, hit, explain=explain) for n, hit in enumerate(hits, 1))


def hit_text(number: int, hit: Hit, *, explain: bool = False) -> str:
    """One hit: who, when, label; what it answers; the passage with the match; where it stands and is kept."""
    passage = hit.passage
    lines = [
        f"{number:>2}. {_bold(passage.author or '(no name)')} · {_when(passage.published)} · {passage.kind} · {_label(hit)}"
    ]
    lines += [INDENT + line for line in _reply_to(hit)]
    lines += [INDENT + line for line in _around(hit.context, "parent")]
    lines += [INDENT + line for line in _body(hit)]
    lines += [INDENT + line for line in _around(hit.context, "reply")]
    where = [passage.title or "(no title)", passage.site, f"thread {passage.thread_id[:10]}"]
    lines += [
        INDENT + _dim(line) for line in (" · ".join(part for part in where if part), passage.url or "no permalink")
    ]
    lines += [INDENT + _dim(line) for line in _kept(hit, explain)]
    return "\n".join(lines)


def threads_text(found: Sequence[ThreadHit]) -> str:
    """Each thread with its best passages, one line each."""
    return "\n\n".join(_thread(n, thread) for n, thread in enumerate(found, 1))


def _thread(number: int, thread: ThreadHit) -> str:
    head = f"{number:>2}. {_bold(thread.title or '(no title)')} · {thread.site} · thread {thread.thread_id[:10]}"
    rows = [
        f"{hit.passage.author or '(no name)'}, {_when(hit.passage.published)}: {shorten(_excerpt(hit)[0], 300)}"
        for hit in thread.hits
    ]
    lines = [line for row in rows for line in textwrap.wrap(row, _width(), subsequent_indent="  ")]
    more = thread.passages - len(thread.hits)
    lines += [_dim(f"{more} more passages")] if more > 0 else []
    return "\n".join([head, *(INDENT + line for line in lines)])


# -- lines -----------------------------------------------------------------------------------------------------


def _when(published: str | None) -> str:
    return printable(published or "no date")[:10]


def _label(hit: Hit) -> str:
    passage = hit.passage
    if not passage.labels:
        return "not classified"
    sure = f" {passage.label_probability:.0%}" if passage.label_probability is not None else ""
    return passage.labels[0] + sure + "".join(f", {name}" for name in passage.labels[1:])


def _reply_to(hit: Hit) -> list[str]:
    """What the entry answers, unless the entries above it are shown anyway."""
    if hit.context and hit.context[0].relation == "parent":
        return []
    if hit.passage.parent_author or hit.place.parent_id:
        return [_dim(f"↳ in reply to {printable(hit.passage.parent_author or '(no name)')}")]
    return []


def _around(context: Sequence[ContextEntry], relation: str) -> list[str]:
    mark = "↑" if relation == "parent" else "↳"
    lines = []
    for entry in context:
        if entry.relation == relation:
            said = shorten(entry.text, 2 * _width())
            row = f"{mark} {entry.author or '(no name)'}, {_when(entry.published)}: {said}"
            lines += [_dim(line) for line in textwrap.wrap(printable(row), _width(), subsequent_indent="  ")]
    return lines


def _kept(hit: Hit, explain: bool) -> list[str]:
    evidence = hit.place.evidence
    lines = [f"warc/{evidence.warc} offset {evidence.offset} · entry {hit.passage.entry_id[:10]}"] if evidence else []
    if hit.duplicates:
        lines.append(
            f"{len(hit.duplicates)} near-duplicate{'s' * (len(hit.duplicates) > 1)} folded (--copies shows them)"
        )
    if explain:
        lines.append(explanation(hit))
    return lines


def explanation(hit: Hit) -> str:
    """Which part the score came from: each half that ranks it adds 1 / (60 + rank), words by what they say."""
    parts = [f"score {hit.score:.4f}"]
    if hit.vector_rank is not None:
        parts.append(f"meaning rank {hit.vector_rank} (distance {hit.vector_distance:.3f})")
    if hit.text_rank is not None:
        parts.append(
            f"words rank {hit.text_rank} (BM25 {hit.text_score:.2f}, {hit.text_share:.0%} of the query's weight)"
        )
    if hit.vector_rank is None and hit.text_rank is None:
        parts.append("no words to rank by: newest first")
    return " · ".join(parts)


# -- the passage -----------------------------------------------------------------------------------------------


def _body(hit: Hit) -> list[str]:
    """The passage, wrapped, matched words in bold."""
    text, spans = _excerpt(hit)
    text = printable(_marked(text, spans))
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, _width())]
    return [line.replace(OPEN, _code(BOLD)).replace(CLOSE, _code(PLAIN)) for line in _balanced(lines)]


def _excerpt(hit: Hit) -> tuple[str, list[tuple[int, int]]]:
    """The passage, or its best sentences if it is long, with the spans that match."""
    text = hit.passage.text
    if len(text) <= SHOWN_CHARACTERS:
        return text, list(hit.highlights)
    start, end = _best_stretch(text, hit.highlights)
    before, after = "… " if start else "", " …" if end < len(text) else ""
    shift = len(before) - start
    spans = [(a + shift, b + shift) for a, b in hit.highlights if start <= a and b <= end]
    return before + text[start:end] + after, spans


def _best_stretch(text: str, highlights: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Neighbouring sentences that hold the most different matched words, within the length that is shown."""
    from nlp.segment import split_sentences

    sentences = split_sentences(text)
    best, choice = -1, (0, SHOWN_CHARACTERS)
    for n, first in enumerate(sentences):
        end = min(first.end, first.start + SHOWN_CHARACTERS)
        for following in sentences[n + 1 :]:
            if following.end - first.start > SHOWN_CHARACTERS:
                break
            end = following.end
        inside = {text[a:b].lower() for a, b in highlights if first.start <= a and b <= end}
        if len(inside) > best:
            best, choice = len(inside), (first.start, end)
    return choice


def _marked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with marks around each match. A page's own private-use characters become spaces first: same length."""
    text, out, at = text.replace(OPEN, " ").replace(CLOSE, " "), "", 0
    for start, end in spans if _colours() else ():
        out += text[at:start] + OPEN + text[start:end] + CLOSE
        at = end
    return out + text[at:]


def _balanced(lines: list[str]) -> list[str]:
    """Marks closed at each line's end and opened again on the next: a pager may draw any line alone."""
    out, is_open = [], False
    for line in lines:
        whole = (OPEN if is_open else "") + line
        is_open = whole.rfind(OPEN) > whole.rfind(CLOSE)
        out.append(whole + (CLOSE if is_open else ""))
    return out


# -- the terminal ----------------------------------------------------------------------------------------------


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _code(code: str) -> str:
    return code if _colours() else ""


def _bold(text: str) -> str:
    return _code(BOLD) + printable(text) + _code(PLAIN)


def _dim(text: str) -> str:
    return _code(DIM) + printable(text) + _code(PLAIN)


def _width() -> int:
    return max(min(shutil.get_terminal_size((100, 24)).columns, 110) - len(INDENT), 40)


def page(text: str) -> None:
    """Write text to stdout, through the user's pager if it is longer than the terminal."""
    pager = shutil.which(os.environ.get("PAGER") or "less")
    if not sys.stdout.isatty() or pager is None or text.count("\n") < shutil.get_terminal_size((100, 24)).lines:
        sys.stdout.write(text + "\n")
        return
    environment = {"LESS": "-RFX", **os.environ}
    subprocess.run([pager], input=(text + "\n").encode("utf-8", "replace"), env=environment, check=False)  # noqa: S603 - the user's own pager
