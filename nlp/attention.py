"""Pooling by attention: which of a sentence's words say what it does.

Mean pooling of the last layer keeps what a text is about and washes out the small words that acts hide in ("my", "you", "do
check"). So each network of the classifier looks at the token states of a middle layer itself: a few queries, learned with the
network, weigh the tokens, and the weighed sums of projected states are what it goes on with. Plain numpy here;
``nlp.attend`` learns them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nlp.encoder import CHUNK, OnnxEncoder

Floats = NDArray[np.float32]

#: What marks padding before the softmax.
NOWHERE = np.float32(-1e4)


@dataclass(frozen=True, slots=True)
class Attention:
    """Queries and projections of all networks: shapes (networks, width, queries), (networks, queries), (networks, width,
    values), (networks, values)."""

    queries: Floats
    query_bias: Floats
    values: Floats
    value_bias: Floats

    @property
    def columns(self) -> int:
        """How many numbers a sentence gets: networks x queries x values."""
        return int(self.queries.shape[0] * self.queries.shape[2] * self.values.shape[2])

    def pool(self, states: Floats, mask: NDArray[np.int64]) -> Floats:
        """Of token states (texts, tokens, width) the pooled ones, shape (texts, columns); ``mask`` is 0 for padding."""
        parts = []
        for query, bias, value, more in zip(self.queries, self.query_bias, self.values, self.value_bias, strict=True):
            looks = states @ query + bias
            looks[mask == 0] = NOWHERE
            looks = np.exp(looks - looks.max(axis=1, keepdims=True))
            looks /= looks.sum(axis=1, keepdims=True)
            pooled = looks.transpose(0, 2, 1) @ (states @ value + more)
            parts.append(pooled.reshape(len(states), -1))
        return np.concatenate(parts, axis=1).astype(np.float32)

    def arrays(self) -> dict[str, NDArray[np.float16]]:
        """For ``numpy.savez``, in half precision."""
        return {f"attention_{one.name}": getattr(self, one.name).astype(np.float16) for one in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float16] | Floats]) -> Attention | None:
        """The inverse of ``arrays``; ``None`` where there are none."""
        names = [one.name for one in fields(cls)]
        if f"attention_{names[0]}" not in arrays:
            return None
        return cls(*(arrays[f"attention_{name}"].astype(np.float32) for name in names))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the parameters as they are kept."""
        found = hashlib.sha256()
        for name, array in sorted(self.arrays().items()):
            found.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return found.hexdigest()


class Reader:
    """An encoder that gives the classifier what it reads: the sentence's vector, then what its attention pooled.

    ``base`` is the length of the first part. Behind an embedding cache both are kept, so that a second run reads nothing.
    """

    def __init__(self, encoder: OnnxEncoder, attention: Attention) -> None:
        self._encoder, self._attention = encoder, attention

    @cached_property
    def fingerprint(self) -> str:
        """The encoder's, and the first 12 hex digits over the attention."""
        return f"{self._encoder.fingerprint}+{self._attention.digest[:12]}"

    @property
    def base(self) -> int:
        """Length of the sentence's vector."""
        return self._encoder.dimensions

    @property
    def dimensions(self) -> int:
        """Length of both parts together."""
        return self.base + self._attention.columns

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors and pooled states, shape (texts, dimensions)."""
        out = np.zeros((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), CHUNK):
            part = self._encoder.tokens(texts[start : start + CHUNK])
            for batch, pooled, states, mask in self._encoder.model.states(part):
                rows = batch + start
                out[rows, : self.base] = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
                out[rows, self.base :] = self._attention.pool(states, mask)
        return out
