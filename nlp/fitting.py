"""Fitting the classifier's heads to coded sentences: weights, a regression, networks, and what they say of held-out groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.attend import Attentive, States, joined, learn
from nlp.attention import Attention
from nlp.heads import DEEP_PART, Heads, Network, join

#: Networks that pool by attention (``nlp.attend``), where all learn from the same sentences. More changed nothing on held-out
#: threads. Where there are further sentences, so many for each lot.
NETWORKS, NETWORKS_A_LOT = 4, 2

#: The plain networks that stand in for them where an encoder shows no token states: how wide, how long they learn.
HIDDEN, EPOCHS = 64, 12
DROPOUT_IN, DROPOUT, SMOOTHING, RATE, DECAY, BATCH = 0.2, 0.4, 0.1, 2e-3, 0.05, 64

#: Networks in cross-validation: enough to see what they add and how sure they are.
FOLD_NETWORKS = 1

FOLDS = 5

#: Sentence lengths (words) that divide the corpus, and the part that each class of length has in training within every
#: label: how long a sentence is must not tell its label, and in the corpus neutral ones are shorter than in nature.
LENGTHS, LENGTH_MIX = (4, 8, 13, 19, 26), (0.06, 0.14, 0.20, 0.22, 0.20, 0.18)

#: No sentence weighs more than so many times the median one.
MAX_WEIGHT = 6.0

Matrix = NDArray[np.float32]


def sample_weights(lengths: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """A weight a sentence: labels weigh alike, and within each the lengths have the mix ``LENGTH_MIX``. The mean is 1."""
    bins = np.digitize(lengths, LENGTHS)
    out = np.zeros(len(y))
    for label in range(int(y.max()) + 1):
        for number, part in enumerate(LENGTH_MIX):
            inside = (y == label) & (bins == number)
            if inside.any():
                out[inside] = part / inside.sum()
    out = np.minimum(out, MAX_WEIGHT * np.median(out))
    for label in range(int(y.max()) + 1):
        out[y == label] /= out[y == label].sum()
    return np.asarray(out / out.mean())


def regression(x: Matrix, y: NDArray[np.int64], weights: NDArray[np.float64], strength: float) -> Heads:
    """A fitted logistic regression."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=500, tol=1e-3).fit(x, y, sample_weight=weights)
    return Heads(model.coef_.T.astype(np.float32), model.intercept_.astype(np.float32), ())


def network(x: Matrix, y: NDArray[np.int64], weights: NDArray[np.float64], seed: int) -> Network:
    """One trained network."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    labels = int(y.max()) + 1
    inner, outer = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, labels)
    model = nn.Sequential(nn.Dropout(DROPOUT_IN), inner, nn.GELU("tanh"), nn.Dropout(DROPOUT), outer)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    inputs, truth, weight = torch.tensor(x), torch.tensor(y), torch.tensor(weights, dtype=torch.float32)
    loss_of = nn.CrossEntropyLoss(reduction="none", label_smoothing=SMOOTHING)
    for _ in range(EPOCHS):
        order = torch.randperm(len(truth))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            loss = (loss_of(model(inputs[chosen]), truth[chosen]) * weight[chosen]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        return Network(*(t.numpy().copy() for t in (inner.weight.T, inner.bias, outer.weight.T, outer.bias)))


@dataclass(frozen=True, slots=True)
class Data:
    """The sentences as numbers: features, labels, weights, and token states where the encoder shows them."""

    x: Matrix
    y: NDArray[np.int64]
    weights: NDArray[np.float64]
    states: States | None

    def part(self, rows: NDArray[np.int64]) -> Data:
        """Some of the sentences."""
        states = None if self.states is None else [self.states[n] for n in rows]
        return Data(self.x[rows], self.y[rows], self.weights[rows], states)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A regression and networks, attentive ones where there are token states; ``deep_part`` is the networks' say."""

    linear: Heads
    attentive: tuple[Attentive, ...]
    plain: tuple[Network, ...]
    deep_part: float = DEEP_PART

    def log_probabilities(self, data: Data) -> NDArray[np.float64]:
        """Shape (sentences, labels), not normalised."""
        if not self.attentive:
            return self._heads(self.plain).log_probabilities(data.x)
        deep = [network.log_probabilities(data.states or (), data.x) for network in self.attentive]
        return join(self.linear.log_probabilities(data.x), deep, self.deep_part)

    def parts(self) -> tuple[Heads, Attention | None]:
        """What is kept of it."""
        if not self.attentive:
            return self._heads(self.plain), None
        attention, networks = joined(self.attentive)
        return self._heads(networks), attention

    def _heads(self, networks: tuple[Network, ...]) -> Heads:
        return Heads(self.linear.weights, self.linear.bias, networks, self.deep_part)


def fit(
    data: Data,
    strength: float,
    networks: int = NETWORKS,
    further: Sequence[Data] = (),
    deep_part: float = DEEP_PART,
) -> Fitted:
    """Regression and networks. With ``further`` lots of sentences (each holds ``data``'s, too) every lot has networks of its
    own: those that differ in what they learned from err in different places."""
    labels, linear = int(data.y.max()) + 1, regression(data.x, data.y, data.weights, strength)
    if data.states is None:
        plain = tuple(network(data.x, data.y, data.weights, n) for n in range(networks))
        return Fitted(linear, (), plain, deep_part)
    each = NETWORKS_A_LOT if further else networks
    lots = [(lot, n) for lot in (data, *further) for n in range(each)]
    learned = (learn(lot.states or (), lot.x, lot.y, lot.weights, labels, n) for lot, n in lots)
    return Fitted(linear, tuple(learned), (), deep_part)


def cross_validate(
    data: Data, groups: Sequence[str], strength: float, *, deep: bool, deep_part: float = DEEP_PART
) -> NDArray[np.float64]:
    """Log probabilities of every sentence by a model that saw nothing of its group; shape (sentences, labels)."""
    from sklearn.model_selection import GroupKFold

    scores = np.zeros((len(data.y), int(data.y.max()) + 1))
    folds = min(FOLDS, len(set(groups)))
    for train, test in GroupKFold(folds).split(data.x, data.y, groups):
        fitted = fit(data.part(train), strength, FOLD_NETWORKS if deep else 0, deep_part=deep_part)
        scores[test] = (
            fitted.log_probabilities(data.part(test)) if deep else fitted.linear.log_probabilities(data.x[test])
        )
    return scores
