"""What stands on top of the features: a logistic regression and a few small networks, their log probabilities averaged.

The regression explains (its score is a sum over features); the networks see what features mean together. Plain numpy here;
``nlp.train`` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: Networks see more than the regression does, which in turn keeps to what it has seen often. This is their say in classifiers
#: that keep none of their own (made before it was kept).
DEEP_PART = 0.65


@dataclass(frozen=True, slots=True)
class Network:
    """One hidden layer: what attention pooled beside ``x @ inner + inner_bias``, GELU, ``@ outer + outer_bias``."""

    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: Floats

    @property
    def pooled(self) -> int:
        """How many of its inputs come from attention."""
        return len(self.outer) - len(self.inner_bias)

    def scores(self, pooled: Floats, inside: Floats) -> Floats:
        """Unnormalised scores, shape (rows, labels), of what attention pooled and of ``x @ inner``."""
        hidden = gelu(np.concatenate([pooled, inside + self.inner_bias], axis=1))
        return np.asarray(hidden @ self.outer + self.outer_bias, np.float32)


@dataclass(frozen=True)
class Heads:
    """``weights`` (columns, labels) and ``bias`` of the regression, the networks, and their say (0 to 1) in what comes out.

    Behind the columns that the regression sees stand those that attention pooled, network by network.
    """

    weights: Floats
    bias: Floats
    networks: tuple[Network, ...]
    deep_part: float = DEEP_PART

    def log_probabilities(self, x: Floats) -> NDArray[np.float64]:
        """The regression's and the networks' mean, joined; shape (rows, labels), not normalised."""
        seen, start = len(self.weights), len(self.weights)
        parts = x[:, :seen] @ self._side_by_side  # once over the many columns, not once for each network
        done = len(self.bias)
        linear = log_softmax((parts[:, :done] + self.bias).astype(np.float64))
        deep = []
        for network in self.networks:
            inside = parts[:, done : done + len(network.inner_bias)]
            deep.append(log_softmax(network.scores(x[:, start : start + network.pooled], inside).astype(np.float64)))
            start, done = start + network.pooled, done + len(network.inner_bias)
        return join(linear, deep, self.deep_part)

    @cached_property
    def _side_by_side(self) -> Floats:
        """The regression's weights and the networks' inner ones, shape (columns, labels + hidden units of all)."""
        return np.concatenate([self.weights, *(network.inner for network in self.networks)], axis=1)

    def arrays(self) -> dict[str, NDArray[np.float16] | Floats]:
        """For ``numpy.savez``: matrices in half precision (no label of the corpus changes), biases whole."""
        found: dict[str, NDArray[np.float16] | Floats] = {"weights": self.weights.astype(np.float16), "bias": self.bias}
        found["deep_part"] = np.array(self.deep_part, np.float32)
        for number, network in enumerate(self.networks):
            found[f"inner{number}"] = network.inner.astype(np.float16)
            found[f"outer{number}"] = network.outer.astype(np.float16)
            found[f"inner_bias{number}"], found[f"outer_bias{number}"] = network.inner_bias, network.outer_bias
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float16] | Floats]) -> Heads:
        """The inverse of ``arrays``. Raises ``KeyError`` if one is missing."""
        count = sum(name.startswith("inner_bias") for name in arrays)
        parts = ("inner", "inner_bias", "outer", "outer_bias")
        networks = tuple(Network(*(arrays[f"{part}{n}"].astype(np.float32) for part in parts)) for n in range(count))
        say = round(float(arrays["deep_part"]), 6) if "deep_part" in arrays else DEEP_PART
        return cls(arrays["weights"].astype(np.float32), arrays["bias"].astype(np.float32), networks, say)


def join(linear: NDArray[np.float64], deep: Sequence[NDArray[np.float64]], deep_part: float) -> NDArray[np.float64]:
    """Log probabilities of the regression and of the networks as one: the networks together have ``deep_part`` of the say."""
    if not deep:
        return linear
    return np.asarray((1 - deep_part) * linear + deep_part * sum(deep) / len(deep))


def gelu(x: Floats) -> Floats:
    """The tanh form of the Gaussian error linear unit (Hendrycks and Gimpel 2016)."""
    cube = x * x * x  # numpy takes a hundred times as long over a power where x is negative
    return np.asarray(0.5 * x * (1.0 + np.tanh(0.7978845608 * (x + 0.044715 * cube))), np.float32)


def log_softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row-wise log of the softmax."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
