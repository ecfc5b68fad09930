"""Search hits as text for a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from cli.output import printable

if TYPE_CHECKING:
    from store.search import Hit

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def hits_text(hits: list[Hit], *, explain: bool = False) -> str:
    """Each hit as a small block: who, when, label; the passage with the match; where it stands."""
    return "\n\n".join(_block(n, hit, explain) for n, hit in enumerate(hits, 1))


def _block(number: int, hit: Hit, explain: bool) -> str:
    passage = hit.passage
    label = ", ".join(passage.labels) if passage.labels else "not classified"
    if passage.label_probability is not None:
        label += f" ({passage.label_probability:.2f})"
    reply = f" → {passage.parent_author}" if passage.parent_author else ""
    when = (passage.published or "no date")[:10]
    lines = [
        f"{number:>2}. {passage.author or '(no name)'}{reply} · {when} · {passage.kind} · {label}",
        *_body(hit),
        f"    {passage.title or '(no title)'} · thread {passage.thread_id[:10]}",
        f"    {passage.url}",
    ]
    if explain:
        lines.append("    " + explanation(hit))
    head, *rest = lines
    return "\n".join([printable(head), *rest[:-1], printable(rest[-1])])


def _body(hit: Hit) -> list[str]:
    """The passage, wrapped, matched words in bold on a terminal."""
    width = max(min(shutil.get_terminal_size((100, 24)).columns, 110) - 4, 40)
    text = printable(_marked(hit) if sys.stdout.isatty() else hit.passage.text)
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, width)]
    return ["    " + line.replace("\ue000", BOLD).replace("\ue001", PLAIN) for line in lines]


def _marked(hit: Hit) -> str:
    """The text with private-use characters around each match (turned into colour after wrapping)."""
    text, out, at = hit.passage.text.replace("\ue000", "").replace("\ue001", ""), "", 0
    if text != hit.passage.text:
        return text
    for start, end in hit.highlights:
        out += text[at:start] + "\ue000" + text[start:end] + "\ue001"
        at = end
    return out + text[at:]


def explanation(hit: Hit) -> str:
    """Which part the score came from."""
    parts = [f"score {hit.score:.4f}"]
    if hit.vector_rank is not None:
        parts.append(f"meaning rank {hit.vector_rank} (distance {hit.vector_distance:.3f})")
    if hit.text_rank is not None:
        parts.append(f"words rank {hit.text_rank} (BM25 {hit.text_score:.2f})")
    return " · ".join(parts)
