"""What several sources say about one thread, made one: by the comments' own ids, the best source for each value.

The place of a comment is told best by an API, then a feed, then the page's own nesting, an indent, a quote. Where two
sources differ, the better one is believed and the difference is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harvest.extract.items import Reading
from harvest.sources.items import Source, parent_source
from harvest.sources.order import arrange
from harvest.sources.values import Note, Voice, by_key, combine
from store.records import ParentSource

_PLACE_RANK: dict[ParentSource | None, int] = {"api": 0, "feed": 1, "dom": 2, "indent": 3, "quote": 4, None: 5}


@dataclass(frozen=True, slots=True)
class Merged:
    """One thread. ``origins`` names for each reading the address that it was first read from.

    ``disagreements`` are plain rows: ``native_id``, ``field``, ``chosen`` and ``source``, ``other`` and ``other_source``.
    ``unseen`` counts readings that stand for comments which nobody shows, but which somebody answers.
    """

    readings: tuple[Reading, ...]
    origins: tuple[str, ...]
    disagreements: tuple[dict[str, Any], ...]
    unseen: int = 0


def merge(sources: Sequence[Source], *, whole: bool) -> Merged:
    """Make one thread of what ``sources`` say. Pages come in the order in which they are shown.

    ``whole`` says that nothing is left to be read: a parent that is named but nowhere to be seen is then hidden.
    """
    voices = by_key(sources)
    notes: list[Note] = []
    writers = _post_writers(sources, voices)
    readings = {key: combine(heard, writers, notes) for key, heard in voices.items()}
    parents = {key: _place(heard, notes) for key, heard in voices.items()}
    unseen = _add_unseen(readings, parents) if whole else 0
    for key, (parent, source) in parents.items():
        if parent is not None and parent not in readings:
            notes.append(Note(readings[key].native_id, "parent", None, None, parent, source))
            parents[key] = (None, None)
    shown = [key for key, heard in voices.items() if any(source.name == "page" for source, _ in heard)]
    order = arrange(shown, readings, {key: parent for key, (parent, _) in parents.items()})
    index = {key: n for n, key in enumerate(order.keys)}
    placed = [_placed(key, readings[key], parents[key], index, order.cut) for key in order.keys]
    origins = tuple(voices[key][0][0].url if key in voices else sources[0].url for key in order.keys)
    names = {key: one.native_id for key, one in readings.items()}
    return Merged(tuple(placed), origins, tuple(note.row(names) for note in notes), unseen)


def _placed(
    own: str,
    one: Reading,
    parent: tuple[str | None, ParentSource | None],
    index: dict[str, int],
    cut: frozenset[str],
) -> Reading:
    key, source = parent
    if key is None or own in cut:
        return replace(one, parent=None, parent_source=None)
    return replace(one, parent=index[key], parent_source=source)


def _post_writers(sources: Iterable[Source], voices: Mapping[str, list[Voice]]) -> frozenset[str]:
    """The site's ids of the post's author: told by the API, or carried by a comment that the page marks as theirs."""
    known = {source.post_writer for source in sources if source.post_writer}
    for heard in voices.values():
        if any(said.reading.is_post_author for _, said in heard):
            known |= {said.writer for _, said in heard if said.writer}
    return frozenset(known)


def _place(heard: list[Voice], notes: list[Note]) -> tuple[str | None, ParentSource | None]:
    """The parent's key as the best source tells it; ``None`` for an answer to the post."""
    told = [(said.parent, parent_source(source.name, said)) for source, said in heard if said.placed]
    if not told:
        return None, None
    parent, source = min(told, key=lambda one: _PLACE_RANK[one[1]])
    for other, other_source in told:
        if other != parent and (other or other_source):
            notes.append(Note(heard[0][1].reading.native_id, "parent", parent, source, other, other_source))
    return parent, source


def _add_unseen(readings: dict[str, Reading], parents: dict[str, tuple[str | None, ParentSource | None]]) -> int:
    """Stand-ins for parents that an API or feed names and nobody shows: held back, or taken away. Returns their number.

    Without them a child would lose its parent. Their own place is unknown.
    """
    named = {parent for parent, source in parents.values() if parent and source in ("api", "feed")}
    unseen = sorted(named - set(readings), key=lambda key: (len(key), key))
    for key in unseen:
        child = next(readings[one] for one, (parent, _) in parents.items() if parent == key)
        native = re.sub(r"\d+$", key, child.native_id or key)
        readings[key] = Reading(text="", native_id=native, state="hidden")
        parents[key] = (None, None)
    return len(unseen)
