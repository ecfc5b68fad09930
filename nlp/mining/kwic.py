"""Keyword in context: every place where a word or phrase stands, with the words around it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nlp.mining.words import Token, tokens, words
from store.records import UsageError

__all__ = ["Keyword", "Line", "compile_keyword", "concordance", "left_key", "right_key"]

#: Stands for ``*`` while a phrase is cut into words: a letter, so that it stays in its word, that no language writes.
_STAR = "\ua66e"

#: A query of more words is a text, not a phrase.
MAX_WORDS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """One place: the words on the left, the keyword as written, the words on the right; white space is one space.

    ``start`` and ``end`` are the keyword's offsets in the text, in characters.
    """

    left: str
    keyword: str
    right: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Keyword:
    """What to look for: ``find`` gives the spans ``(start, end)`` in a text, given its tokens, none overlapping another.

    ``needle`` is a plain ASCII string that every text with a hit contains (in any letter case unless ``case``), or ``None``
    where none is known: a reader may skip texts without it. ``pattern`` is the expression where the query is one.
    """

    find: Callable[[str, list[Token]], Iterator[tuple[int, int]]]
    case: bool
    needle: str | None
    pattern: re.Pattern[str] | None = None


def compile_keyword(query: str, *, regex: bool = False, case: bool = False) -> Keyword:
    """Understand a query: words that follow one another, each with ``*`` for any letters (alone: any word); or a regex.

    Raises ``UsageError`` for a query without words, or a pattern that is none.
    """
    if regex:
        return _compile_regex(query, case)
    cut = [word for word, _, _ in tokens(query.replace("*", _STAR), case=case, links=True)]
    slots = [word.replace(_STAR, "*") for word in cut]
    if not any(slot.strip("*") for slot in slots):
        raise UsageError(
            f"{query}: no word to look for", hint='a word, "a phrase", promot*; anything else with --regex'
        )
    if len(slots) > MAX_WORDS:
        raise UsageError(f"{len(slots)} words are no keyword", hint=f"{MAX_WORDS} at most")
    tests = [_word_test(slot) for slot in slots]
    needles = [part for slot in slots for part in re.split(r"[*']", slot) if part.isascii()]

    def find(_text: str, found: list[Token]) -> Iterator[tuple[int, int]]:
        at = 0
        while at <= len(found) - len(tests):
            if all(test(found[at + n][0]) for n, test in enumerate(tests)):
                yield found[at][1], found[at + len(tests) - 1][2]
                at += len(tests)
            else:
                at += 1

    return Keyword(find, case, max(needles, key=len, default="") or None)


def _word_test(slot: str) -> Callable[[str], bool]:
    if "*" not in slot:
        return slot.__eq__
    if slot.count("*") == 1 and slot.endswith("*"):
        stem = slot[:-1]
        return lambda word: word.startswith(stem)
    pattern = re.compile(".*".join(map(re.escape, re.split(r"\*+", slot))), re.DOTALL)
    return lambda word: pattern.fullmatch(word) is not None


def _compile_regex(query: str, case: bool) -> Keyword:
    try:
        pattern = re.compile(query, 0 if case else re.IGNORECASE)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(f"{query}: not a regular expression ({error})", hint="Python's re syntax") from error

    def find(text: str, _found: list[Token]) -> Iterator[tuple[int, int]]:
        return (match.span() for match in pattern.finditer(text) if match.end() > match.start())

    return Keyword(find, case, None, pattern)


def concordance(text: str, keyword: Keyword, window: int) -> Iterator[Line]:
    """Every place in ``text`` where the keyword stands, in order, with up to ``window`` words on each side."""
    if keyword.pattern is not None and not keyword.pattern.search(text):
        return  # most texts: not worth cutting into words
    found = list(tokens(text, case=keyword.case, links=True))
    starts, ends = [token[1] for token in found], [token[2] for token in found]
    for start, end in keyword.find(text, found):
        before = bisect_left(starts, start)
        after = bisect_right(ends, end)
        left = text[starts[max(0, before - window)] : start] if before and window else ""
        last = min(len(found), after + window) - 1
        right = text[end : ends[last]] if window and last >= after else ""
        yield Line(_line(left), _line(text[start:end]), _line(right), start, end)


def _line(text: str) -> str:
    return " ".join(text.split())


def left_key(line: Line) -> tuple[list[str], list[str]]:
    """Sorts by the words on the left, from the keyword outwards, then by those on the right."""
    return words(line.left)[::-1], words(line.right)


def right_key(line: Line) -> tuple[list[str], list[str]]:
    """Sorts by the words on the right, then by those on the left from the keyword outwards."""
    return words(line.right), words(line.left)[::-1]
