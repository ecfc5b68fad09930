"""Words as text mining counts them: any script, lower-cased, apostrophes kept, marks on their letters.

Unlike ``store.words``, which cuts as the full-text index does, nothing is stemmed or folded here: a count must stand for what
people wrote. Chinese characters and hiragana, which are written without spaces, are a word each; a phrase finds them together.
Links and addresses are no words unless asked for.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["Token", "normal", "stop_words", "tokens", "words"]

#: A word and where it stands in the text: ``(word, start, end)``.
Token = tuple[str, int, int]

#: Characters that are words on their own: Han, with its extensions, and hiragana.
_ALONE = "\u3041-\u3096\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"

#: Both apostrophes that people type, and the letter apostrophe.
_APOSTROPHES = "'’ʼ"

#: Marks and joiners that Python's ``\w`` leaves out although words go on behind them.
_JOINERS = "\u200c\u200d"

_LINK = r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+\.[\w.-]+"

#: A longer "word" is none, but a key, a table rule or an attack; it is not counted.
MAX_CHARACTERS = 60

_STRAIGHT = str.maketrans(dict.fromkeys(_APOSTROPHES, "'") | {"\u00ad": None})


@cache
def _pattern(links: bool) -> re.Pattern[str]:
    letter = rf"[^\W_{_ALONE}]"
    rest = rf"(?:{letter}|[{_marks()}{_JOINERS}\u00ad])"
    word = rf"{letter}{rest}*(?:[{_APOSTROPHES}]{letter}{rest}*)*"
    found = rf"({word}|[{_ALONE}])"
    return re.compile(found if links else rf"{_LINK}|{found}")


@cache
def _marks() -> str:
    """All combining marks as ranges of a character class: about 250 ranges, found once in 0.1 s at most."""
    ranges: list[list[int]] = []
    for code in range(0x300, min(sys.maxunicode, 0x1FFFF)):
        if unicodedata.category(chr(code))[0] == "M":
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def normal(word: str, *, case: bool = False) -> str:
    """``word`` as it is counted: composed (NFC), straight apostrophes, lower case unless ``case``."""
    if not word.isascii():
        word = unicodedata.normalize("NFC", word.translate(_STRAIGHT))
    return word if case else word.lower()


def tokens(text: str, *, case: bool = False, links: bool = False) -> Iterator[Token]:
    """The words of ``text`` in order, with their offsets in characters. ``links`` cuts web addresses into words too."""
    for match in _pattern(links).finditer(text):
        if match[1]:
            yield normal(match[1], case=case), match.start(), match.end()


def words(text: str) -> list[str]:
    """The words of ``text`` that are counted: no links, none of over ``MAX_CHARACTERS``."""
    return [normal(word) for word in _pattern(False).findall(text) if word and len(word) <= MAX_CHARACTERS]


@cache
def stop_words(languages: tuple[str, ...]) -> frozenset[str]:
    """Words that say nothing of a topic, in these languages (``en``, ``pt-BR``); English where none of them is known."""
    import tomllib

    lists = tomllib.loads((Path(__file__).parent / "stopwords.toml").read_text(encoding="utf-8"))
    known = {language.lower().replace("_", "-").split("-")[0] for language in languages} & lists.keys()
    return frozenset(word for language in known or {"en"} for word in lists[language].split())
