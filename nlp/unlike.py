"""Where the classifier should not be trusted: other languages, and texts unlike everything it learned from.

A warning is a word that a program can test for: ``language:de`` (the text reads as German), ``unlike`` (its embedding lies
farther from the training texts than all but a hundredth of those do from one another).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNLIKE", "distances", "familiar_centres", "other_language"]

UNLIKE = "unlike"

#: The language that the shipped corpus and cues are in.
LANGUAGE = "en"

#: Texts below so many letters are not judged: "merci" and "lol" are anything to an identifier. Texts in another script say
#: more in fewer.
LETTERS, FOREIGN_LETTERS = 24, 4

#: How sure the identifier must be. On 6,400 English sentences with the sentence before, short ones left out, none reached it
#: wrongly but a list of foreign names.
SURE = 0.75

#: English is plain where so large a part of the words are these: such texts need no identifier, which takes a second to load.
PLAIN_ENGLISH = 0.12
#: None of them is frequent in another language.
_COMMON_WORDS = """the and of to is it i you that this for my your we our they with are be have not but at what if or from by just
can there would about more like when some out get which how who has had were"""
_COMMON = frozenset(_COMMON_WORDS.split())

#: Regions that the training texts are told apart into. More of them changed neither limit nor what lies beyond it by much.
CENTRES = 128

#: The part of held-out training texts that counts as unlike the others.
RARE = 0.01

_WORD = re.compile(r"[^\W\d_]+")
_ADDRESS = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|@\w+")

Floats = NDArray[np.float32]


def other_language(text: str, context: str | None = None) -> str | None:
    """The ISO 639 code of the language of ``text`` if that is plainly not English; the sentence before helps to tell.

    ``None`` for English, and wherever it cannot be told.
    """
    own = _ADDRESS.sub(" ", text[:2000])
    letters = sum(map(str.isalpha, own))
    foreign = sum(c.isalpha() and ord(c) > 0x24F for c in own)
    if letters < LETTERS and foreign < FOREIGN_LETTERS:
        return None
    words = [word.lower() for word in _WORD.findall(own)]
    if words and sum(word in _COMMON for word in words) / len(words) >= PLAIN_ENGLISH:
        return None
    language, sure = _identifier().classify(own)
    if language != LANGUAGE and context and sure < 1.0:
        language, sure = _identifier().classify(f"{_ADDRESS.sub(' ', context[:500])} {own}")
    return str(language) if language != LANGUAGE and sure >= SURE else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def familiar_centres(vectors: Floats, groups: Sequence[str], *, seed: int = 0) -> tuple[Floats, float]:
    """Centres of the training texts' embeddings, and the distance beyond which a text is unlike them.

    ``vectors`` (texts, dimensions) have length 1. The distance is the one that a hundredth of texts exceed from centres that
    were made without their group: new texts are by others again.
    """
    from sklearn.model_selection import GroupKFold

    folds = min(5, len(set(groups)))
    if folds < 2:
        return _centres(vectors, seed), 2.0
    held_out = np.zeros(len(vectors), np.float32)
    for train, test in GroupKFold(folds).split(vectors, groups=groups):
        held_out[test] = distances(vectors[test], _centres(vectors[train], seed))
    return _centres(vectors, seed), float(np.quantile(held_out, 1.0 - RARE))


def _centres(vectors: Floats, seed: int) -> Floats:
    from sklearn.cluster import KMeans

    count = max(1, min(CENTRES, len(vectors) // 8))
    found: Floats = KMeans(count, n_init=1, max_iter=30, random_state=seed).fit(vectors).cluster_centers_
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12), np.float32)


def distances(vectors: Floats, centres: Floats) -> Floats:
    """Cosine distance of each vector from its nearest centre, between 0 and 2; texts without one (zeros) are at 0."""
    nearest = np.asarray(1.0 - (vectors @ centres.T).max(axis=1), np.float32)
    return np.where(np.any(vectors, axis=1), nearest, np.float32(0.0))
