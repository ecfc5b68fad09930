"""Sentences of real comments: what counts as one, and where it starts and ends.

One orthographic sentence; every line break ends one (comments put list items, sign-offs and bare links on lines of their
own); a sentence ends after ``. ! ? …`` and closing quotes or brackets, unless what comes before is an abbreviation, an
initial or a number, or what follows does not look like a beginning. Links are never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from nlp.light import import_spacy

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

__all__ = ["COMPONENT", "Span", "register_component", "sentence_pipeline", "split_sentences"]

COMPONENT = "chorus_sentences"

#: Longer lines are read in pieces of about this many characters: a wall of text without one full stop must not make
#: one sentence that no model can read.
MAX_SENTENCE = 2_000

#: A list's number stands this close to the line's beginning.
MAX_LIST_NUMBER = 12

_ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "sr",
        "jr",
        "rev",
        "hon",
        "gen",
        "col",
        "sgt",
        "capt",
        "lt",
        "gov",
        "sen",
        "rep",
        "pres",
        "messrs",
        "mme",
        "mlle",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "eg",
        "ie",
        "cf",
        "al",
        "approx",
        "dept",
        "est",
        "fig",
        "figs",
        "inc",
        "ltd",
        "co",
        "corp",
        "vol",
        "no",
        "nos",
        "pp",
        "ed",
        "eds",
        "ch",
        "sec",
        "art",
        "para",
        "ver",
        "tel",
        "ext",
        "ave",
        "blvd",
        "rd",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "mon",
        "tue",
        "tues",
        "wed",
        "thu",
        "thur",
        "thurs",
        "fri",
        "sat",
        "sun",
        "a.m",
        "p.m",
        "u.s",
        "u.k",
        "u.n",
        "d.c",
        "ph.d",
        "b.a",
        "m.a",
        "m.d",
        "a.k.a",
        "w.r.t",
        "min",
        "max",
        "incl",
        "resp",
        "viz",
        "ft",
        "lb",
        "lbs",
        "oz",
        "tbsp",
        "tsp",
        "hr",
        "hrs",
        "mins",
        "secs",
        "wk",
        "yr",
        "yrs",
    ]
)

#: Those that often close a sentence too: a capital after them begins a new one.
_MAY_CLOSE = frozenset(
    [
        "etc",
        "a.m",
        "p.m",
        "u.s",
        "u.k",
        "u.n",
        "d.c",
        "ph.d",
        "inc",
        "ltd",
        "co",
        "corp",
        "al",
        "jr",
        "sr",
        "est",
        "hrs",
        "mins",
        "yrs",
        "lbs",
        "oz",
        "min",
        "max",
    ]
)

_LINK = re.compile(r"(?:https?://|www\.)\S+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}", re.IGNORECASE)
_MARK = re.compile(r"(?:[.!?…。！？؟]+)[\"'”’»)\]}*_]*")
_LINE = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]+")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘]+$")
_LIST_NUMBER = re.compile(r"\s*[(\[]?(?:\d{1,3}|[a-zA-Z]|[ivx]{1,4})$")
_OPENERS = "\"'“”‘’«([{*_¿¡-–—•#@>~"
_EMOTICON = re.compile(r"[:;=8xX][-o^']?[)(DPpOo/\\|*3\]\[](?=\s|$)|<3+|\^_?\^|xx+\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` to ``end`` of a text, and what they say."""

    start: int
    end: int
    text: str


def chorus_sentences(doc: Doc) -> Doc:
    """spaCy component: set where sentences start, for texts that came from anywhere."""
    starts = [span.start for span in _spans(doc.text)]
    waiting = iter(starts)
    following = next(waiting, None)
    for token in doc:
        begins = following is not None and token.idx + len(token) > following
        token.is_sent_start = token.i == 0 or (begins and not token.is_space)
        while begins and following is not None and following < token.idx + len(token):
            following = next(waiting, None)
    return doc


@lru_cache(maxsize=1)
def register_component() -> None:
    """Make ``chorus_sentences`` known to spaCy. Here and not at import: cutting sentences alone needs no spaCy."""
    component = import_spacy().Language.component
    component(COMPONENT, assigns=["token.is_sent_start"], func=chorus_sentences)


@lru_cache(maxsize=1)
def sentence_pipeline() -> Language:
    """A blank English pipeline with ``chorus_sentences``; made once a process."""
    register_component()
    pipeline: Language = import_spacy().blank("en")
    pipeline.max_length = 10_000_000
    pipeline.add_pipe(COMPONENT)
    return pipeline


def split_sentences(text: str) -> list[Span]:
    """The sentences of ``text`` with their character offsets, without the white space around them.

    The same rules as ``chorus_sentences`` sets, without the cost of tokens. Linear in the text's length; nothing in
    the text (nulls, lone surrogates, emoji) is an error. A text of white space only has none.
    """
    return list(_spans(text))


def _spans(text: str) -> Iterator[Span]:
    for line in _LINE.finditer(text):
        cuts = [0, *_cuts(line.group()), len(line.group())]
        for start, end in pairwise(cuts):
            yield from _pieces(text, line.start() + start, line.start() + end)


def _pieces(text: str, start: int, end: int) -> Iterator[Span]:
    """The stretch without its outer white space, in parts of bounded length."""
    while end - start > MAX_SENTENCE:
        space = text.rfind(" ", start + MAX_SENTENCE // 2, start + MAX_SENTENCE)
        stop = space if space > start else start + MAX_SENTENCE
        yield from _trimmed(text, start, stop)
        start = stop
    yield from _trimmed(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    part = text[start:end]
    inner = part.strip(" \t\x00\xa0\u200b\ufeff\u3000")
    inner = inner.strip()
    if inner:
        offset = start + part.index(inner)
        yield Span(offset, offset + len(inner), inner)


def _cuts(line: str) -> Iterator[int]:
    """Where in one line a new sentence begins."""
    links = [match.span() for match in _LINK.finditer(line)]
    covered = iter(links)
    link = next(covered, None)
    for mark in _MARK.finditer(line):
        while link is not None and link[1] <= mark.start():
            link = next(covered, None)
        if link is not None and link[0] <= mark.start() and mark.end() < link[1]:
            continue
        cut = _cut_after(line, mark)
        if cut is not None:
            yield cut


def _cut_after(line: str, mark: re.Match[str]) -> int | None:
    end = mark.end()
    rest = line[end : end + 80]
    if not rest.strip():
        return None
    if not rest[0].isspace():
        return end if _glued(line, mark) else None
    shift = _smiley(rest)
    follows = rest[shift:].lstrip()
    if not follows:
        return None
    return end + shift if _ends(line, mark, follows) else None


def _smiley(rest: str) -> int:
    """How far an emoticon or emoji right after the mark reaches: it belongs to the sentence that it comments on."""
    reach = 0
    while True:
        gap = len(rest[reach:]) - len(rest[reach:].lstrip())
        start = reach + gap
        match = _EMOTICON.match(rest, start)
        if match:
            reach = match.end()
        elif start < len(rest) and _is_emoji(rest[start]):
            reach = start + 1
        else:
            return reach


def _is_emoji(character: str) -> bool:
    code = ord(character)
    return 0x1F000 <= code <= 0x1FAFF or 0x2600 <= code <= 0x27BF or code in {0xFE0F, 0x200D, 0x2764}


def _glued(line: str, mark: re.Match[str]) -> bool:
    """ "great post!Thanks": a lower-case word, the mark, a capitalised word, and no file name or domain."""
    before, after = line[max(0, mark.start() - 2) : mark.start()], line[mark.end() : mark.end() + 2]
    return (
        len(before) == 2
        and before.isalpha()
        and before.islower()
        and len(after) == 2
        and after[0].isupper()
        and (after[1].islower() or after[1] in " '’")
    )


def _ends(line: str, mark: re.Match[str], follows: str) -> bool:
    sign = mark.group()
    if sign[0] in "!?。！？؟" or "!" in sign or "?" in sign:
        # '"What?" she said': after a closing quote a small letter goes on with the sentence.
        return not follows[0].islower() or sign[-1] in "!?."
    if sign.startswith(("..", "…")):
        return _looks_like_start(follows) and not follows.startswith(("I ", "I'", "I’"))
    if _is_abbreviated(line, mark, follows):
        return False
    # Many people never capitalise: after a full stop and a space, a lower-case word begins a sentence too.
    return _looks_like_start(follows) or sign == "."


def _looks_like_start(follows: str) -> bool:
    first = follows.lstrip(_OPENERS)[:1]
    return not first or not first.islower()


def _is_abbreviated(line: str, mark: re.Match[str], follows: str) -> bool:
    """Whether the full stop belongs to the word before it: abbreviation, initial, list number."""
    if mark.group() != ".":
        return False
    match = _LAST_WORD.search(line, max(0, mark.start() - 40), mark.start())
    word = (match.group() if match else "").lower()
    if mark.start() <= MAX_LIST_NUMBER and _LIST_NUMBER.fullmatch(line[: mark.start()]):
        return True
    if word == "no":
        return follows[0].isdigit()
    if len(word) == 1 and word.isalpha() and word != "i":
        return True
    if word not in _ABBREVIATIONS:
        return False
    return word not in _MAY_CLOSE or follows[0].islower() or follows[0].isdigit()
