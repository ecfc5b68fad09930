"""Signs: patterns of a sentence's form and turn, from ``signs.toml``. Features of the classifier; none decides alone."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Characters of a sentence that are looked at; longer ones are no sentences.
MAX_CHARACTERS = 2000


@cache
def _signs() -> tuple[tuple[str, re.Pattern[str]], ...]:
    with Path(__file__).with_name("signs.toml").open("rb") as handle:
        data = tomllib.load(handle)
    return tuple((name, re.compile(_filled(pattern, data["words"]))) for name, pattern in data["signs"].items())


def _filled(pattern: str, words: dict[str, str]) -> str:
    for name, alternatives in words.items():
        pattern = pattern.replace("{" + name + "}", alternatives)
    return pattern


def sign_names() -> tuple[str, ...]:
    """The signs, in the order of their columns."""
    return tuple(name for name, _ in _signs())


def sign_columns(texts: Sequence[str]) -> NDArray[np.float32]:
    """1 where a sign is there, else 0; float32, shape (texts, signs)."""
    out = np.zeros((len(texts), len(_signs())), np.float32)
    for row, text in zip(out, texts, strict=True):
        low = text[:MAX_CHARACTERS].lower().replace("’", "'")
        row[:] = [pattern.search(low) is not None for _, pattern in _signs()]
    return out
