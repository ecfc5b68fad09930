"""Texts made of coded sentences, for a small encoder to hear what the classifier says of them (``nlp.distil``).

Nobody wrote them and nobody coded them: sentences joined with the next one, cut at a comma, spliced with a part of another,
with words left out or replaced by words that an encoder takes for similar (Jiao et al. 2020, TinyBERT). What they say is often
nonsense. They show how labels follow from words, in far more constellations than anyone writes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nlp.corpus import CodedSentence
from nlp.features import Sentence

#: Variants of a sentence, and of one whose label is among the ``rare``: acts hide in few words, so more of what surrounds them.
EACH, EACH_RARE = 3, 4

#: Part of the words replaced (a little, much), and left out.
LITTLE, MUCH, LEFT_OUT = 0.15, 0.35, 0.12

#: A replacement is drawn from so many nearest words.
NEAREST = 8

#: A part of a sentence has as many words, and a variant no more than the other.
PART_WORDS, MOST_WORDS = 3, 59

_WORD = re.compile(r"[A-Za-z]+")
_CUT = re.compile(r"(?<=[,;:])\s+|\s+(?=(?:and|but|so|because|which|that|if|when|since|though)\s)|\s+[-–—]\s+")
_BETWEEN = (", ", " and ", ". ", " - ", "; ")


class Similar:
    """Words that an encoder's own table of words has near each other; ``vocabulary`` says which row is whose."""

    def __init__(self, table: NDArray[np.float32], vocabulary: dict[str, int]) -> None:
        words = sorted(
            word for word in vocabulary if word.isalpha() and len(word) > 2
        )  # shorter ones are hardly ever alike
        rows = table[[vocabulary[word] for word in words]]
        rows = rows - rows.mean(axis=0)
        self._words, self._place = words, {word: n for n, word in enumerate(words)}
        self._rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        self._found: dict[str, list[str]] = {}

    def to(self, word: str) -> list[str]:
        """The nearest words, nearest first; none for a word that the table has not."""
        if word not in self._place:
            return []
        if word not in self._found:
            own = self._place[word]
            near = np.argsort(-(self._rows @ self._rows[own]), kind="stable")[: NEAREST + 1]
            self._found[word] = [self._words[n] for n in near if n != own][:NEAREST]
        return self._found[word]


@dataclass
class Maker:
    """Makes variants of ``sentences``, which are in the order of their threads. The same seed makes the same ones."""

    sentences: Sequence[CodedSentence]
    similar: Similar
    rare: frozenset[str] = frozenset()
    seed: int = 0
    _parts: list[str] = field(init=False)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # not a secret
        self._parts = [part for one in self.sentences if len(found := parts_of(one.text)) > 1 for part in found]

    def all(self) -> list[Sentence]:
        """Variants of every sentence, each with the sentence's own context and role."""
        kinds: list[Callable[[CodedSentence, CodedSentence | None], str]] = [
            self._joined,
            self._cut,
            self._spliced,
            lambda one, _: self._replaced(one.text, LITTLE),
            lambda one, _: self._replaced(one.text, MUCH),
            lambda one, _: self._shortened(one.text),
        ]
        found = []
        for one, following in zip(self.sentences, (*self.sentences[1:], None), strict=True):
            after = following if following is not None and following.context == one.text else None
            for make in self._random.sample(kinds, EACH_RARE if one.label in self.rare else EACH):
                text = make(one, after)
                if text != one.text and 1 < len(text.split()) <= MOST_WORDS:
                    found.append(Sentence(text, one.context, one.role))
        return found

    def _joined(self, one: CodedSentence, following: CodedSentence | None) -> str:
        if following is None:
            return one.text
        return one.text.rstrip(".") + self._random.choice(_BETWEEN) + following.text

    def _cut(self, one: CodedSentence, _: CodedSentence | None) -> str:
        parts = parts_of(one.text)
        return self._random.choice(parts) if len(parts) > 1 else self._replaced(one.text, LITTLE)

    def _spliced(self, one: CodedSentence, _: CodedSentence | None) -> str:
        parts = [self._random.choice(parts_of(one.text) or [one.text]).rstrip(".,"), self._random.choice(self._parts)]
        self._random.shuffle(parts)
        return self._random.choice((", ", " ")).join(parts)

    def _replaced(self, text: str, share: float) -> str:
        def other(match: re.Match[str]) -> str:
            word = match[0]
            near = self.similar.to(word.lower()) if self._random.random() < share else []
            if not near:
                return word
            new = self._random.choice(near)
            return new.capitalize() if word[0].isupper() else new

        return _WORD.sub(other, text)

    def _shortened(self, text: str) -> str:
        return " ".join(word for word in text.split() if self._random.random() > LEFT_OUT)


def parts_of(text: str) -> list[str]:
    """What is left of a sentence that is cut at its commas, dashes and conjunctions: parts of a few words at least."""
    return [part.strip() for part in _CUT.split(text) if len(part.split()) >= PART_WORDS]
