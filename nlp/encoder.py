"""Sentence embeddings: texts in, unit vectors out.

``python -m nlp.encoder`` makes the default model ready and says what it is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nlp.onnx_model import OnnxModel, clean_text
from nlp.weights import ModelFiles, find_weights
from store.records import ModelUnavailable

__all__ = ["Encoder", "OnnxEncoder", "load_encoder"]

#: Texts tokenised at a time, so that a long list costs no second copy of itself in word pieces.
CHUNK = 4_096


class Encoder(Protocol):
    """What search and indexing need of an embedding model."""

    @property
    def fingerprint(self) -> str:
        """Names the model and its weights; vectors of different fingerprints must not be compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector of length 1 for each text, in the same order: shape (texts, dimensions)."""
        ...


class OnnxEncoder:
    """A sentence-transformers model (BERT, mean pooling, normalised) through onnxruntime, without torch."""

    def __init__(self, files: ModelFiles) -> None:
        self._files = files

    @cached_property
    def _model(self) -> OnnxModel:
        return OnnxModel(self._files)

    @property
    def fingerprint(self) -> str:
        """The model's name and the first 12 hex digits over its weights and tokenizer."""
        return f"{self._files.name}@{self._files.digest[:12]}"

    @property
    def dimensions(self) -> int:
        """Length of a vector (384 for the default model)."""
        return self._files.dimensions

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimensions). Texts beyond the model's 256 word pieces are cut, as it was trained."""
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), CHUNK):
            part = [self._tokens(text) for text in texts[start : start + CHUNK]]
            out[start : start + len(part)] = self._model.pooled(part)
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return out

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._model.tokenizer.encode(clean_text(text)).ids
        if len(ids) > self._files.max_tokens:
            ids = [*ids[: self._files.max_tokens - 1], ids[-1]]
        return ids


def load_encoder(path: str | Path | None = None) -> Encoder:
    """The embedding model at ``path``, else at ``CHORUS_MODEL``, else the default one. Loads nothing heavy yet.

    Raises ``ModelUnavailable`` when there is none or its weights are not the ones they should be.
    """
    return OnnxEncoder(find_weights(path))


def main() -> int:
    """Make the default model ready: export it unless that was done, run it once, say its fingerprint."""
    try:
        encoder = load_encoder()
        length = float(np.linalg.norm(encoder.encode(["ready"])[0]))
    except ModelUnavailable as error:
        sys.stderr.write(f"{error}; {error.hint}\n")
        return error.exit_code
    sys.stdout.write(f"{encoder.fingerprint} {encoder.dimensions} {length:.3f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
