"""The training corpus: discussion threads of our own writing, every sentence coded with the codebook.

Each ``nlp/corpus/*.txt`` holds threads. ``# thread: slug | voice | register`` starts one, ``## post`` or
``## comment`` (``## comment reply`` under another comment) starts a contribution, and every other line is
``CODE| sentence``. ``nlp/corpus/README.md`` tells how the threads were written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from store.records import ConfigError

__all__ = ["CODES", "CodedSentence", "code_label", "corpus_digest", "load_corpus", "text_keys"]

CORPUS = Path(__file__).parent / "corpus"

#: Second-level codes, in the order of the model's outputs. B does both promotion and sharing.
CODES = (
    *("P1", "P2", "P3", "P4", "P5", "P6", "B"),
    *("C1", "C2", "C3", "C4", "C5", "C6"),
    *("M1", "M2"),
    *("N1", "N2", "N3", "N4"),
)

_LABEL_OF_LETTER = {
    "P": "self-promotion",
    "B": "self-promotion",
    "C": "community-sharing",
    "M": "meta-talk",
    "N": "neither",
}

_LINE = re.compile(r"(?P<code>[A-Z][0-9]?)\|\s?(?P<text>.*)")

Role = Literal["post", "comment"]

#: Shorter sentences people write twice by chance: that one of them is in a training text says nothing.
TELLING_WORDS = 5


@dataclass(frozen=True, slots=True)
class CodedSentence:
    """One sentence with its second-level ``code`` (may be empty) and the ``label`` that follows from it.

    ``context`` is the sentence before it in the same contribution, ``None`` for the first. ``thread`` names the group
    that cross-validation must not split, ``writer`` the larger one by which it is told how sure one may be on new pages.
    """

    id: str
    thread: str
    role: Role
    context: str | None
    text: str
    code: str
    label: str
    writer: str


def code_label(code: str) -> str:
    """The first-level label of a second-level code; B counts as self-promotion (codebook, section 4, rule 4)."""
    return _LABEL_OF_LETTER[code[0]]


def load_corpus(folder: Path | None = None, *, strict: bool = True) -> tuple[CodedSentence, ...]:
    """Read every coded sentence below ``folder`` (default: the corpus that is shipped), in file order.

    Raises ``ConfigError`` naming file and line for a line that cannot be read; with ``strict=False`` skips it.
    """
    paths = sorted((folder or CORPUS).glob("*.txt"))
    return tuple(sentence for path in paths for sentence in _read(path, strict))


def corpus_digest(sentences: Iterable[CodedSentence]) -> str:
    """SHA-256 (hex) over everything that training sees."""
    digest = hashlib.sha256()
    for s in sentences:
        digest.update("\x1f".join((s.thread, s.role, s.context or "", s.text, s.code)).encode() + b"\x1e")
    return digest.hexdigest()


def text_keys(texts: Iterable[str]) -> NDArray[np.uint64]:
    """What sentences can be known again by, sorted and each once; none for short ones. Letter case and spaces do not count."""
    words = (text.casefold().split() for text in texts)
    digests = {
        hashlib.blake2b(" ".join(one).encode("utf-8", "replace"), digest_size=8).digest()
        for one in words
        if len(one) >= TELLING_WORDS
    }
    return np.sort(np.frombuffer(b"".join(digests), "<u8"))


def _read(path: Path, strict: bool) -> Iterator[CodedSentence]:
    thread = path.stem
    role: Role = "comment"
    context: str | None = None
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = raw.strip()
        if line.startswith("##"):
            role, context = ("post" if "post" in line.lower() else "comment"), None
        elif line.startswith("# "):
            thread, context = f"{path.stem}/{line.removeprefix('# ').split('|')[0].strip()}", None
        elif line:
            match = _LINE.fullmatch(line)
            if match is None or match["code"] not in CODES or not match["text"].strip():
                if strict:
                    raise ConfigError(
                        f"{path.name}, line {number}: not 'CODE| sentence'", hint=f"codes: {', '.join(CODES)}"
                    )
                continue
            code, text = match["code"], match["text"].strip()
            label, writer = code_label(code), path.stem[0]
            yield CodedSentence(f"{path.stem}:{number}", thread, role, context, text, code, label, writer)
            context = text
