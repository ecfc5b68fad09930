"""Whether two sources speak of the same comments: by id, by the form of their ids, else by what is said and by whom.

A blog may keep comments of its own beside those that another system draws on the page: they must not be poured together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harvest.sources.items import Said, Source
from harvest.sources.values import flat

#: Characters of a text that tell it from others by the same author.
OPENING = 80
#: Of the fewer of two lists this share must be the same comments, else they are two threads.
SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Aligned:
    """Pages and other sources whose keys mean the same; ``strangers`` are sources that speak of something else."""

    pages: list[Source]
    others: list[Source]
    strangers: list[Source]


def align(pages: Sequence[Source], others: Sequence[Source]) -> Aligned:
    """Bring the keys of pages and other sources together, and sort out what is no part of the thread."""
    shown, kept, strangers = list(pages), list[Source](), list[Source]()
    for source in others:
        there = [said for page in shown for said in page.items]
        if not there or not source.items or _related(there, source):
            kept.append(source)
            continue
        names = _same_words(there, source)
        if len(names) >= SHARE * min(len(there), len(source.items)):
            shown = [_renamed(page, names) for page in shown]
            kept.append(source)
        else:
            strangers.append(source)
    return Aligned(shown, kept, strangers)


def _related(there: Sequence[Said], source: Source) -> bool:
    """Whether a key is shared, or the ids are of one form, so that they would be if the comments were the same."""
    if {said.key for said in there} & {said.key for said in source.items}:
        return True
    return bool(_shapes(there) & _shapes(source.items))


def _shapes(items: Sequence[Said]) -> set[str]:
    return {re.sub(r"\d+", "", said.reading.native_id) for said in items if said.reading.native_id}


def _same_words(there: Sequence[Said], source: Source) -> dict[str, str]:
    """Keys of shown comments to keys of the source's, where author and opening words agree and are nobody else's."""
    words = {_words(said): said.key for said in source.items}
    clear = len(words) == len(source.items)
    return {said.key: words[_words(said)] for said in there if _words(said) in words} if clear else {}


def _words(said: Said) -> tuple[str, str]:
    return flat(said.reading.author or "").casefold(), flat(said.reading.text)[:OPENING]


def _renamed(page: Source, names: Mapping[str, str]) -> Source:
    items = tuple(
        replace(said, key=names.get(said.key, said.key), parent=names.get(said.parent or "", said.parent))
        for said in page.items
    )
    return replace(page, items=items)
