"""Where the classifier should not be trusted: other languages, and texts unlike everything it learned from.

A warning is a word that a program can test for: ``language:de`` (the text reads as German), ``unlike`` (its embedding lies
farther from the training texts than all but a hundredth of those do from one another).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNLIKE", "distances", "familiar_centres", "other_language"]

UNLIKE = "unlike"

#: The language that the shipped corpus and cues are in.
LANGUAGE = "en"

#: Texts below so many letters are not judged: "merci" and "lol" are anything to an identifier. Texts in another script say
#: more in fewer.
LETTERS, FOREIGN_LETTERS = 24, 4

#: With fewer letters the sentence before is read, too: a list of names or of ingredients can look like any language.
SHORT = 60

#: English is plain where so large a part of the words are these: such texts need no identifier.
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
#: What CLD2 refuses.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
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
    language = _identified(own)
    if language not in (LANGUAGE, None) and context and letters < SHORT:
        language = _identified(f"{_ADDRESS.sub(' ', context[:500])} {own}")
    return None if language == LANGUAGE else language


def _identified(text: str) -> str | None:
    """The language that CLD2 is sure of. Of 51 sentences in 36 languages, written for this, it found all (py3langid 46, in
    97 MB for 3), and of the corpus' 561 English ones that get so far it took 2 for another's."""
    import pycld2

    try:
        sure, _, languages = pycld2.detect(_CONTROL.sub(" ", text).encode("utf-8", "replace"))
    except pycld2.error:  # other characters that it does not read
        return None
    code = str(languages[0][1])
    return code.partition("-")[0] if sure and code != "un" else None


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
