"""What stands on top of the features: a logistic regression and a few small networks, their log probabilities averaged.

The regression explains (its score is a sum over features); the networks see what features mean together. Plain numpy here;
``nlp.train`` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Network:
    """One hidden layer: ``x @ inner + inner_bias``, GELU, ``@ outer + outer_bias``."""

    inner: Floats
    inner_bias: Floats
    outer: Floats
    outer_bias: Floats

    def scores(self, x: Floats) -> Floats:
        """Unnormalised scores, shape (rows, labels)."""
        hidden = gelu(x @ self.inner + self.inner_bias)
        return np.asarray(hidden @ self.outer + self.outer_bias, np.float32)


@dataclass(frozen=True, slots=True)
class Heads:
    """``weights`` (columns, labels) and ``bias`` of the regression, and the networks."""

    weights: Floats
    bias: Floats
    networks: tuple[Network, ...]

    def log_probabilities(self, x: Floats) -> NDArray[np.float64]:
        """Half the regression's, half the networks' mean; shape (rows, labels), not normalised."""
        linear = log_softmax((x @ self.weights + self.bias).astype(np.float64))
        if not self.networks:
            return linear
        deep = [log_softmax(network.scores(x).astype(np.float64)) for network in self.networks]
        return np.asarray((linear + sum(deep) / len(deep)) / 2)

    def arrays(self) -> dict[str, NDArray[np.float16] | Floats]:
        """For ``numpy.savez``: matrices in half precision (no label of the corpus changes), biases whole."""
        found: dict[str, NDArray[np.float16] | Floats] = {"weights": self.weights.astype(np.float16), "bias": self.bias}
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
        return cls(arrays["weights"].astype(np.float32), arrays["bias"].astype(np.float32), networks)


def gelu(x: Floats) -> Floats:
    """The tanh form of the Gaussian error linear unit (Hendrycks and Gimpel 2016)."""
    return np.asarray(0.5 * x * (1.0 + np.tanh(0.7978845608 * (x + 0.044715 * x**3))), np.float32)


def log_softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row-wise log of the softmax."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
