"""What the classifier sees of a sentence: its embedding, its context's, its words, its cues, its signs, its surface."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlp.cues import cue_types
from nlp.encoder import Encoder
from nlp.plain import plain
from nlp.signs import sign_columns, sign_names
from store.records import Cue

#: Raised with every change of what a column means; a model made for another version is refused.
VERSION = 4

#: Word n-grams are hashed into so many columns. 4,096 kept collisions from costing anything measurable on the corpus.
HASH_COLUMNS = 4096

#: How the blocks are weighed against each other. Embeddings are unit vectors; the others were brought to a like length,
#: chosen by grouped cross-validation on the training corpus (docs/model.md).
EMBEDDING_WEIGHT = 1.5
CONTEXT_WEIGHT = 0.3
NGRAM_WEIGHT = 0.8
CUE_WEIGHT = 0.8
SIGN_WEIGHT = 0.5
SURFACE_WEIGHT = 0.4

Matrix = NDArray[np.float32]

_WORD = re.compile(r"https?://\S+|www\.\S+|@\w+|[\w'’]+|[?!.…]+", re.IGNORECASE)

#: Surface features, as patterns whose presence is a column.
SURFACE: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("question", r"\?\s*[\"')]*$"),
        ("exclamation", r"!"),
        ("url", r"https?://|www\.|\w\.(com|org|net|example|info|co\.uk|de)\b"),
        ("handle", r"(^|\s)@\w"),
        ("first_singular", r"\b(i|i'm|i’m|i've|me|my|mine|myself)\b"),
        ("first_plural", r"\b(we|us|our|ours|we're|we've)\b"),
        ("second", r"\b(you|your|yours|you're|you've|u|ur|y'all)\b"),
        ("third", r"\b(he|she|they|his|her|their|them)\b"),
        ("starts_you", r"^\W*you\b"),
        ("starts_i", r"^\W*i\b"),
        ("starts_we", r"^\W*(we|our)\b"),
        ("addressed", r"^\W*@?[A-Z]\w+,\s"),
        ("number", r"\d"),
        ("money", r"[$£€]\s?\d|\d\s?(dollars|quid|euros)"),
        ("ellipsis", r"\.\.\.|…"),
        ("quote", r"[\"“”«»]"),
        ("emoji", r"[\U0001F300-\U0001FAFF\u2600-\u27BF]|[:;]-?[)D(]"),
        ("lower_start", r"^[a-z]"),
        ("date", r"\b(monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|today|next week)\b"),
        ("negation", r"\b(not|n't|never|no|nobody|don't|doesn't)\b"),
        ("past", r"\b(was|were|had|did|went|used to)\b"),
        ("modal", r"\b(should|must|ought|need to|could|would|might)\b"),
        ("generic", r"\b(people|everyone|everybody|nobody|most|some|those who|bloggers|users|folks)\b"),
    )
)


#: Columns behind the patterns: see ``surface``. Whether there is a sentence before is left out: that says how a text was cut.
SURFACE_NUMBERS = 4


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence to judge: its text, the one before (or ``None``), and ``post`` or ``comment``."""

    text: str
    context: str | None
    role: str


def columns(dimensions: int) -> int:
    """How many columns ``complete`` makes for an encoder of so many dimensions."""
    return sum(width for _, width in blocks(dimensions))


def blocks(dimensions: int) -> tuple[tuple[str, int], ...]:
    """The blocks of columns in their order, each with its width."""
    return (
        ("embedding", dimensions),
        ("context", dimensions),
        ("words", HASH_COLUMNS),
        ("cues", len(cue_types())),
        ("signs", len(sign_names())),
        ("surface", len(SURFACE) + SURFACE_NUMBERS),
    )


@cache
def rules_digest() -> str:
    """SHA-256 over the rules that columns come from: a model made with other cues or signs is refused."""
    folder = Path(__file__).parent
    data = b"\0".join((folder / name).read_bytes() for name in ("cues.toml", "signs.toml"))
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Reading:
    """What is seen of sentences without an encoder: their texts and contexts as ``plain`` leaves them, the columns of each
    one's words, and the other columns (cues, signs, surface) as a matrix."""

    texts: list[str]
    contexts: list[str]
    words: list[list[int]]
    rest: Matrix

    def part(self, rows: slice) -> Reading:
        """Some of the sentences."""
        return Reading(self.texts[rows], self.contexts[rows], self.words[rows], self.rest[rows])

    def needed(self) -> list[str]:
        """Every text that an encoder will be asked for, once."""
        return sorted({text for text in (*self.texts, *self.contexts) if text})


def read(sentences: Sequence[Sentence], cues: Sequence[tuple[Cue, ...]], *, context_vector: bool = True) -> Reading:
    """All of the features that need no encoder. Without ``context_vector`` no encoder will be asked for what stands before: half
    of what it has to read, where contexts are no sentences to be judged themselves."""
    own = [Sentence(plain(s.text), plain(s.context or ""), s.role) for s in sentences]
    texts = [sentence.text for sentence in own]
    rest = (cue_columns(cues) * CUE_WEIGHT, sign_columns(texts) * SIGN_WEIGHT, surface(own) * SURFACE_WEIGHT)
    words = [word_columns(text) for text in texts]
    contexts = [(sentence.context or "") if context_vector else "" for sentence in own]
    return Reading(texts, contexts, words, np.concatenate(rest, axis=1))


def complete(reading: Reading, encoder: Encoder) -> Matrix:
    """The feature matrix, float32, shape (sentences, ``columns(base)`` + what the encoder gives beyond a text's vector).

    ``base`` is the length of that vector: all that an encoder gives, but for ``nlp.attention.Reader``.
    """
    texts = reading.needed()
    vectors = dict(zip(texts, encoder.encode(texts), strict=True))
    zero, base = np.zeros(encoder.dimensions, np.float32), base_of(encoder)
    own = np.stack([vectors[text] if text.strip() else zero for text in reading.texts])
    before = np.stack([vectors[text] if text else zero for text in reading.contexts])
    parts = (
        own[:, :base] * EMBEDDING_WEIGHT,
        before[:, :base] * CONTEXT_WEIGHT,
        ngrams(reading.words),
        reading.rest,
        own[:, base:],
    )
    return np.concatenate(parts, axis=1)


def base_of(encoder: Encoder) -> int:
    """The length of a text's vector within what the encoder gives."""
    return int(getattr(encoder, "base", encoder.dimensions))


def ngrams(words: Sequence[Sequence[int]]) -> Matrix:
    """The columns of ``word_columns``, each row of length ``NGRAM_WEIGHT``."""
    out = np.zeros((len(words), HASH_COLUMNS), np.float32)
    for row, columns in zip(out, words, strict=True):
        row[columns] = NGRAM_WEIGHT / np.sqrt(max(len(columns), 1))
    return out


def word_columns(text: str) -> list[int]:
    """Words and pairs of words, hashed. Pairs keep what pooling washes out: "my new", "you should"."""
    return list({_column(gram) for gram in _grams(text)})


@lru_cache(maxsize=100_000)
def _column(gram: str) -> int:
    return zlib.crc32(gram.encode("utf-8", "replace")) % HASH_COLUMNS


def _grams(text: str) -> list[str]:
    words = [_normal(word) for word in _WORD.findall(text[:2000])]
    padded = ["<s>", *words, "</s>"]
    return words + [f"{a} {b}" for a, b in pairwise(padded)]


@lru_cache(maxsize=50_000)
def _normal(word: str) -> str:
    low = word.lower().replace("’", "'")
    if low.startswith(("http", "www.")):
        return "<url>"
    if low.startswith("@"):
        return "<handle>"
    if low.isdigit():
        return "<number>"
    return "<dots>" if set(low) <= {".", "…"} and len(low) > 1 else low


def cue_columns(cues: Sequence[tuple[Cue, ...]]) -> Matrix:
    """One column a cue type: 1 where it is there, a little more where it comes again."""
    names = {name: n for n, name in enumerate(cue_types())}
    out = np.zeros((len(cues), len(names)), np.float32)
    for row, found in zip(out, cues, strict=True):
        for cue in found:
            row[names[cue.type]] = min(row[names[cue.type]] + 1.0, 2.0)
    return np.sqrt(out)


def surface(sentences: Sequence[Sentence]) -> Matrix:
    """Pattern columns, then length (log), role, and shares of capitals and of non-letters."""
    out = np.zeros((len(sentences), len(SURFACE) + SURFACE_NUMBERS), np.float32)
    for row, sentence in zip(out, sentences, strict=True):
        text = sentence.text[:2000]
        row[: len(SURFACE)] = [pattern.search(text) is not None for _, pattern in SURFACE]
        letters = sum(map(str.isalpha, text))
        row[len(SURFACE) :] = (
            np.log1p(len(text.split())) / 3.0,
            sentence.role == "post",
            sum(map(str.isupper, text)) / max(letters, 1),
            1.0 - letters / max(len(text), 1),
        )
    return out
