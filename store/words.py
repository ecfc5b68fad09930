"""Words as the full-text index has them: split, lower-cased, stemmed, folded to ASCII.

LanceDB's full-text index cuts text so (its "simple" tokenizer, English stemmer, ASCII folding, words of 40 bytes or more
dropped); ``tests/test_search.py`` holds this module against it word by word, so that the light index and LanceDB rank alike.
The stemmer follows the published description of Porter's second English algorithm (snowballstem.org, "english").
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["Word", "raw_words", "stem", "words"]

#: A word and where it stands in the text: ``(stem, start, end)``.
Word = tuple[str, int, int]

#: Longer words (in bytes) are no words: links, keyboards, hex.
MAX_WORD_BYTES = 39

_WORD = re.compile(r"[^\W_]+")

#: Letters that do not come apart into a base letter and a mark.
_FOLDED = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ı": "i",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
    }
)

_VOWELS = frozenset("aeiouy")
_DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_LI_ENDINGS = frozenset("cdeghkmnrt")
_R1_PREFIXES = ("gener", "commun", "arsen", "past", "univers", "later", "emerg", "organ", "inter")

_IRREGULAR = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
    **{word: word for word in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")},
}
_KEPT_AFTER_PLURAL = frozenset(
    ("inning", "outing", "canning", "herring", "earring", "evening", "proceed", "exceed", "succeed")
)

#: Suffix -> replacement, longest first; all must lie in R1.
_STEP_2 = (
    *(("ational", "ate"), ("fulness", "ful"), ("iveness", "ive"), ("ization", "ize"), ("ousness", "ous")),
    *(("biliti", "ble"), ("lessli", "less"), ("tional", "tion")),
    *(("alism", "al"), ("aliti", "al"), ("ation", "ate"), ("entli", "ent"), ("fulli", "ful"), ("iviti", "ive")),
    *(("ousli", "ous"), ("abli", "able"), ("alli", "al"), ("anci", "ance"), ("ator", "ate"), ("enci", "ence")),
    *(("izer", "ize"), ("ogist", "og"), ("bli", "ble"), ("ogi", "og"), ("li", "")),
)
_STEP_3 = (
    *(("ational", "ate"), ("tional", "tion"), ("alize", "al"), ("icate", "ic"), ("iciti", "ic")),
    *(("ative", ""), ("ical", "ic"), ("ness", ""), ("ful", "")),
)
_STEP_4 = (
    *("ement", "able", "ance", "ence", "ible", "ment", "ant", "ate", "ent", "ion", "ism", "iti", "ive", "ize"),
    *("ous", "al", "er", "ic"),
)


def words(text: str) -> list[Word]:
    """The words of ``text`` with their offsets, in order; words too long to be any are left out."""
    found = ((_normal(match.group()), match) for match in _WORD.finditer(text))
    return [(word, *match.span()) for word, match in found if word]


def raw_words(text: str) -> list[str]:
    """The normal forms alone, in order."""
    return [word for word in map(_normal, _WORD.findall(text)) if word]


@lru_cache(maxsize=262_144)
def _normal(token: str) -> str:
    """What the index calls ``token``; empty if it is left out."""
    token = token.lower()
    if token.isascii():
        return stem(token) if len(token) <= MAX_WORD_BYTES else ""
    return _fold(stem(token)) if len(token.encode("utf-8", "replace")) <= MAX_WORD_BYTES else ""


def _fold(word: str) -> str:
    parts = unicodedata.normalize("NFKD", word).replace("\N{FRACTION SLASH}", "")  # one half is 12 in the index
    bare = "".join(c for c in parts if not "\u0300" <= c <= "\u036f").translate(_FOLDED)
    return bare if bare.isascii() else unicodedata.normalize("NFC", word)


def stem(word: str) -> str:
    """The English stem of a lower-case word."""
    if len(word) <= 2:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    word = _mark_y(word)
    r1, r2 = _regions(word)
    word = _step_1a(word)
    if word in _KEPT_AFTER_PLURAL:
        return word
    word = _step_1c(_step_1b(word, r1))
    word = _step_4(_step_3(_step_2(word, r1), r1, r2), r2)
    return _step_5(word, r1, r2).replace("Y", "y")


def _mark_y(word: str) -> str:
    """A ``y`` that is no vowel becomes ``Y``: at the beginning and after a vowel."""
    if "y" not in word:
        return word
    out = list(word)
    for n, letter in enumerate(out):
        if letter == "y" and (n == 0 or out[n - 1] in _VOWELS):
            out[n] = "Y"
    return "".join(out)


def _regions(word: str) -> tuple[int, int]:
    """Where R1 and R2 begin: each after the first consonant that follows a vowel."""
    r1 = next((len(p) for p in _R1_PREFIXES if word.startswith(p)), None)
    if r1 is None:
        r1 = _after_vowel_consonant(word, 0)
    return r1, _after_vowel_consonant(word, r1)


def _after_vowel_consonant(word: str, start: int) -> int:
    for n in range(start + 1, len(word)):
        if word[n] not in _VOWELS and word[n - 1] in _VOWELS:
            return n + 1
    return len(word)


def _has_vowel(part: str) -> bool:
    return not _VOWELS.isdisjoint(part)


def _ends_short(word: str) -> bool:
    """Whether the word ends in a short syllable."""
    if len(word) == 2:
        return word[0] in _VOWELS and word[1] not in _VOWELS
    if len(word) < 3 or word.endswith("past"):
        return len(word) >= 3
    before, vowel, last = word[-3], word[-2], word[-1]
    return before not in _VOWELS and vowel in _VOWELS and last not in _VOWELS and last not in "wxY"


def _step_1a(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _has_vowel(word[:-2]):
        return word[:-1]
    return word


def _step_1b(word: str, r1: int) -> str:
    for suffix in ("eedly", "eed"):
        if word.endswith(suffix):
            return word[: -len(suffix)] + "ee" if len(word) - len(suffix) >= r1 else word
    for suffix in ("ingly", "edly", "ing", "ed"):
        if word.endswith(suffix):
            base = word[: -len(suffix)]
            return _mended(base, r1) if _has_vowel(base) else word
    return word


def _mended(base: str, r1: int) -> str:
    """What is left of ``hop(ping)``, ``hop(ing)``, ``conflat(ed)`` as the word that it came from."""
    if base.endswith(("at", "bl", "iz")):
        return base + "e"
    if base.endswith(_DOUBLES):
        return base if len(base) == 3 and base[0] in "aeo" else base[:-1]  # add, egg, odd
    return base + "e" if len(base) <= r1 and _ends_short(base) else base


def _step_1c(word: str) -> str:
    if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS:
        return word[:-1] + "i"
    return word


def _step_2(word: str, r1: int) -> str:
    for suffix, new in _STEP_2:
        if word.endswith(suffix):
            base = word[: -len(suffix)]
            fits = {"ogi": base.endswith("l"), "li": base[-1:] in _LI_ENDINGS}.get(suffix, True)
            return base + new if len(base) >= r1 and fits else word
    return word


def _step_3(word: str, r1: int, r2: int) -> str:
    for suffix, new in _STEP_3:
        if word.endswith(suffix):
            base = word[: -len(suffix)]
            return base + new if len(base) >= (r2 if suffix == "ative" else r1) else word
    return word


def _step_4(word: str, r2: int) -> str:
    for suffix in _STEP_4:
        if word.endswith(suffix):
            base = word[: -len(suffix)]
            fits = suffix != "ion" or base[-1:] in ("s", "t")
            return base if len(base) >= r2 and fits else word
    return word


def _step_5(word: str, r1: int, r2: int) -> str:
    base = word[:-1]
    if word.endswith("e") and (len(base) >= r2 or (len(base) >= r1 and not _ends_short(base))):
        return base
    if word.endswith("ll") and len(base) >= r2:
        return base
    return word
