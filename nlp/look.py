"""What the classifier sees in a sentence by itself, before its page is taken into account; kept, so that nobody looks twice.

A ``Look`` follows from the sentence, the one before it, its role and the classifier, nothing else. ``LookStore`` keeps looks in
the embeddings' file under the classifier's fingerprint and the SHA-256 of text, context and role; the texts are not kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from nlp.cache import EmbeddingStore, text_key
from nlp.cues import readable
from nlp.judgement import Item
from store.records import Cue

__all__ = ["Key", "Look", "LookStore", "key_of"]

#: Text, context, role.
Key = tuple[str, str | None, str]


@dataclass(frozen=True, slots=True)
class Look:
    """Probabilities of the labels, all being equally frequent; the cues in the text; and ``Classification.warnings``."""

    chances: tuple[float, ...]
    cues: tuple[Cue, ...]
    warnings: tuple[str, ...]


def key_of(item: Item) -> Key:
    """What a look at the item depends on."""
    return item.text, item.context, item.role


class LookStore:
    """Looks of one classifier, on disk. ``space`` names the classifier and everything else that a look depends on."""

    def __init__(self, store: EmbeddingStore, space: str) -> None:
        self._store, self._space = store, space

    def get(self, keys: Sequence[Key]) -> dict[Key, Look]:
        """The looks that are there."""
        digests = {key: _digest(key) for key in keys}
        known = self._store.get(self._space, list(digests.values()))
        found = {key: _unpacked(key, known[digest]) for key, digest in digests.items() if digest in known}
        return {key: look for key, look in found.items() if look is not None}

    def put(self, looks: Mapping[Key, Look]) -> None:
        """Keep looks; those already there stay."""
        self._store.put(self._space, [(_digest(key), _packed(look)) for key, look in looks.items()])


def _digest(key: Key) -> bytes:
    """The text's digest first, so that a text can be forgotten in every context."""
    text, context, role = key
    rest = f"{role}\0{'-' if context is None else '+' + context}"
    return text_key(text) + hashlib.sha256(rest.encode("utf-8", "surrogatepass")).digest()[:16]


def _packed(look: Look) -> bytes:
    cues = [(cue.type, cue.start, cue.end) for cue in look.cues]
    return orjson.dumps((look.chances, cues, look.warnings))


def _unpacked(key: Key, value: bytes) -> Look | None:
    """A look as it was; ``None`` for what cannot be read, which is then made anew."""
    try:
        chances, cues, warnings = orjson.loads(value)
        text = readable(key[0])
        found = tuple(Cue(type=name, text=text[start:end], start=start, end=end) for name, start, end in cues)
        return Look(tuple(map(float, chances)), found, tuple(warnings))
    except (ValueError, TypeError):
        return None
