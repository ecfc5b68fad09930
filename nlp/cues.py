"""Cues: spans of a sentence that speak for an act, found by rules that are data (``nlp/cues.toml``).

``chorus_cues`` is a spaCy component; it leaves its spans in ``doc.spans["chorus"]``, labelled with the cue's type.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlp.light import import_spacy
from nlp.segment import COMPONENT as SENTENCES
from nlp.segment import register_component
from store.records import ConfigError, Cue

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

__all__ = ["COMPONENT", "SPANS_KEY", "cue_acts", "cue_pipeline", "cue_types", "find_cues", "find_cues_in", "readable"]

COMPONENT = "chorus_cues"
SPANS_KEY = "chorus"
RULES = Path(__file__).with_name("cues.toml")

#: Cues are sought in this many characters of a sentence; nobody reads an explanation beyond.
MAX_CHARACTERS = 2_000

_SURROGATE = re.compile(r"[\ud800-\udfff]")

_CLASSES: dict[str, dict[str, Any]] = {
    "_": {},
    "<url>": {"LIKE_URL": True},
    "<num>": {"LIKE_NUM": True},
    "<name>": {"IS_TITLE": True, "IS_SENT_START": False},
    "<at>": {"TEXT": {"REGEX": r"^@\w"}},
}


@lru_cache(maxsize=1)
def _rules() -> dict[str, dict[str, Any]]:
    return tomllib.loads(RULES.read_text(encoding="utf-8"))


def cue_types() -> tuple[str, ...]:
    """Every type of cue, in the order of the rules."""
    return tuple(_rules())


def cue_acts() -> dict[str, str]:
    """What each type of cue speaks for: ``promo``, ``share``, ``meta`` or ``none``."""
    return {name: rule["act"] for name, rule in _rules().items()}


def compile_pattern(pattern: str) -> list[dict[str, Any]]:
    """Turn one line of the rules into a spaCy token pattern. Raises ``ConfigError`` for an empty one."""
    tokens = [_token(word) for word in pattern.split()]
    if not tokens:
        raise ConfigError("an empty cue pattern", hint=str(RULES))
    return tokens


def _token(word: str) -> dict[str, Any]:
    optional = len(word) > 1 and word.endswith("?")
    word = word.removesuffix("?") if optional else word
    opens = len(word) > 1 and word.startswith("^")
    word = word.removeprefix("^") if opens else word
    token: dict[str, Any] = dict(_CLASSES.get(word, {"LOWER": {"IN": [w for w in word.split("|") if w] or ["|"]}}))
    if opens:
        token["IS_SENT_START"] = True
    if optional:
        token["OP"] = "?"
    return token


def anchor(pattern: list[dict[str, Any]]) -> frozenset[str]:
    """Words of which a text must hold one for the pattern to match; empty if there are none such.

    Of the tokens that may not be missing it is the one with the rarest words: long words are rare ones.
    """
    sets = [token["LOWER"]["IN"] for token in pattern if "LOWER" in token and token.get("OP") != "?"]
    return frozenset(max(sets, key=lambda words: min(map(len, words)), default=()))


#: Texts after which spaCy forgets the words it met, else its vocabulary grows with every new one (47 MB on 60,000 sentences of
#: two new words each). Fewer at a time cost time: it has to learn the common words again.
ZONE = 1_024


class CueFinder:
    """The component: a matcher for each token pattern, run only where a word that it needs is there, and one for phrases.

    spaCy's matcher tries every pattern at every token; asking for the words first makes it five times as fast.
    """

    def __init__(self, pipeline: Language) -> None:
        from spacy.matcher import Matcher, PhraseMatcher

        self._always: list[Matcher] = []
        self._by_word: dict[str, list[Matcher]] = {}
        self._phrases = PhraseMatcher(pipeline.vocab, attr="LOWER")
        for name, rule in _rules().items():
            for line in rule.get("patterns", ()):
                pattern, matcher = compile_pattern(line), Matcher(pipeline.vocab)
                matcher.add(name, [pattern])
                for word in (needed := anchor(pattern)):
                    self._by_word.setdefault(word, []).append(matcher)
                if not needed:
                    self._always.append(matcher)
            if rule.get("phrases"):
                self._phrases.add(name, [pipeline.make_doc(phrase) for phrase in rule["phrases"]])

    def _matchers(self, doc: Doc) -> list[Any]:
        """Those that can match, each once."""
        found = {id(one): one for word in {token.lower_ for token in doc} for one in self._by_word.get(word, ())}
        return [*self._always, *found.values(), self._phrases]

    def __call__(self, doc: Doc) -> Doc:
        """Set ``doc.spans["chorus"]``: for each type the longest spans that do not overlap, by place."""
        from spacy.util import filter_spans

        by_type: dict[str, list[Span]] = {}
        for matcher in self._matchers(doc):
            for span in matcher(doc, as_spans=True):
                by_type.setdefault(span.label_, []).append(span)
        spans = [span for found in by_type.values() for span in filter_spans(found)]
        doc.spans[SPANS_KEY] = sorted(spans, key=lambda span: (span.start, span.end, span.label_))
        return doc


def chorus_cues(nlp: Language, name: str) -> CueFinder:  # spaCy passes its pipeline by this name
    """spaCy factory of the cue component."""
    return CueFinder(nlp)


@lru_cache(maxsize=1)
def cue_pipeline() -> Language:
    """Blank English with ``chorus_sentences`` and ``chorus_cues``; made once a process."""
    spacy = import_spacy()
    register_component()
    spacy.Language.factory(COMPONENT, assigns=["doc.spans"], func=chorus_cues)
    pipeline: Language = spacy.blank("en")
    pipeline.max_length = 10_000_000
    pipeline.add_pipe(SENTENCES)
    pipeline.add_pipe(COMPONENT)
    return pipeline


def find_cues(doc: Doc) -> tuple[Cue, ...]:
    """The cues that the component left in ``doc``, with character offsets into its text."""
    return tuple(
        Cue(type=span.label_, text=span.text, start=span.start_char, end=span.end_char)
        for span in doc.spans.get(SPANS_KEY, ())
    )


def find_cues_in(texts: Iterable[str]) -> Iterator[tuple[Cue, ...]]:
    """The cues of each text, in order. Offsets count the characters of the text as it is given."""
    pipeline = cue_pipeline()
    waiting = iter(texts)
    while batch := list(islice(waiting, ZONE)):
        with pipeline.memory_zone():
            found = [find_cues(pipeline(readable(text[:MAX_CHARACTERS]))) for text in batch]
        yield from found


def readable(text: str) -> str:
    """The text with marks for lone surrogates, which spaCy cannot take. Same length in, same offsets out."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
