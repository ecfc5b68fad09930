"""Learning the networks that pool by attention (``nlp.attention``), with torch. Deterministic for a seed on one machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.attention import NOWHERE, Attention
from nlp.encoder import Encoder, OnnxEncoder
from nlp.heads import Network, log_softmax

#: Queries a network has, numbers in each projected state, hidden units over the other features. 12 queries and middle layers
#: around this one changed nothing on held-out writers (docs/model.md).
QUERIES, VALUES, HIDDEN = 6, 64, 64

EPOCHS, RATE, DECAY, BATCH = 8, 1e-3, 0.05, 64

#: What a network is in the end is the running mean of its weights over about the last 1 / (1 - KEPT) steps (fewer at the
#: start): a single moment of a training at a constant rate is off by chance. Six rounds without it: log loss .541 on seven unseen
#: writers; eight or ten with it .474, and on real pages .673 -> .664 (docs/model.md).
KEPT = 0.999

#: Of the inputs, and of what stands before the last layer; the truth is smoothed as for the other networks.
DROPOUT_IN, DROPOUT, SMOOTHING = 0.2, 0.4, 0.1

#: Sentences of the corpus are read to so many word pieces while learning: hardly one is longer.
TOKENS = 80

#: Batches of sentences of like length are cut from so many sentences at a time.
POOL = 1_024

States = Sequence[NDArray[np.float16]]
Floats = NDArray[np.float32]


def token_states(texts: Sequence[str], encoder: OnnxEncoder) -> tuple[list[NDArray[np.float16]], Floats]:
    """Of each text the middle layer's states, shape (tokens, width) each, and its unit vector, shape (texts, dimensions)."""
    out: list[NDArray[np.float16]] = [np.zeros((0, 0), np.float16)] * len(texts)
    vectors = np.zeros((len(texts), encoder.dimensions), np.float32)
    for batch, pooled, states, mask in encoder.model.states(encoder.tokens(texts)):
        vectors[batch] = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)
        for row, state, inside in zip(batch, states, mask, strict=True):
            out[row] = state[: min(TOKENS, int(inside.sum()))].astype(np.float16)
    return out, vectors


class Known:
    """An encoder that has read some texts already, with their ``vectors``, and asks ``encoder`` for others."""

    def __init__(self, encoder: Encoder, texts: Sequence[str], vectors: Floats) -> None:
        self._encoder, self._vectors = encoder, dict(zip(texts, vectors, strict=True))
        self.fingerprint, self.dimensions = encoder.fingerprint, encoder.dimensions

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, shape (texts, dimensions)."""
        missing = [text for text in texts if text not in self._vectors]
        self._vectors |= dict(zip(missing, self._encoder.encode(missing), strict=True))
        return np.stack([self._vectors[text] for text in texts])


@dataclass(frozen=True, slots=True)
class Attentive:
    """A network that has learned; ``module`` is torch's."""

    module: Any

    def log_probabilities(self, states: States, x: Floats) -> NDArray[np.float64]:
        """Shape (sentences, labels)."""
        import torch

        self.module.eval()
        found = np.zeros((len(x), self.module.labels))
        with torch.no_grad():
            for rows in batches(np.arange(len(x)), states, None):
                found[rows] = self.module(*_padded([states[n] for n in rows]), torch.from_numpy(x[rows])).numpy()
        return log_softmax(found)

    def parts(self) -> tuple[Attention, Network]:
        """What it has learned, as plain arrays: the attention of this one network, and what stands on it."""
        own = {name: value.detach().numpy().copy() for name, value in self.module.state_dict().items()}
        looks = (own["queries.weight"].T[None], own["queries.bias"][None])
        attention = Attention(*looks, own["values.weight"].T[None], own["values.bias"][None])
        network = Network(own["inner.weight"].T, own["inner.bias"], own["outer.weight"].T, own["outer.bias"])
        return attention, network


def learn(
    states: States, x: Floats, y: NDArray[np.int64], weights: NDArray[np.float64], labels: int, seed: int
) -> Attentive:
    """One network: token states and features in, scores of labels out."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    module = new_network(states[0].shape[1], x.shape[1], labels)
    optimiser = torch.optim.AdamW(module.parameters(), lr=RATE, weight_decay=DECAY)
    loss_of = nn.CrossEntropyLoss(reduction="none", label_smoothing=SMOOTHING)
    truth, weight = torch.from_numpy(y), torch.from_numpy(weights.astype(np.float32))
    rng = np.random.default_rng(seed)
    mean, steps = {name: value.detach().clone() for name, value in module.state_dict().items()}, 0
    module.train()
    for _ in range(EPOCHS):
        for rows in batches(rng.permutation(len(y)), states, rng):
            scores = module(*_padded([states[n] for n in rows]), torch.from_numpy(x[rows]))
            loss = (loss_of(scores, truth[rows]) * weight[rows]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            steps += 1
            _towards(mean, module.state_dict(), steps)
    module.load_state_dict(mean)
    return Attentive(module)


def _towards(mean: dict[str, Any], now: Mapping[str, Any], steps: int) -> None:
    """Move the running mean of the weights, in place; the first steps count alike."""
    import torch

    kept = min(KEPT, steps / (9 + steps))
    with torch.no_grad():
        for name, value in now.items():
            mean[name].mul_(kept).add_(value, alpha=1 - kept)


def joined(networks: Sequence[Attentive]) -> tuple[Attention, tuple[Network, ...]]:
    """The attention of several networks in one, and what stands on it."""
    parts = [one.parts() for one in networks]
    names = ("queries", "query_bias", "values", "value_bias")
    arrays = (np.concatenate([getattr(attention, name) for attention, _ in parts]) for name in names)
    return Attention(*arrays), tuple(network for _, network in parts)


def new_network(width: int, columns: int, labels: int) -> Any:
    """A network that has learned nothing yet (torch): token states, their mask and features in, scores of labels out."""
    import torch
    from torch import nn

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.labels = labels
            self.queries, self.values = nn.Linear(width, QUERIES), nn.Linear(width, VALUES)
            self.inner, self.outer = nn.Linear(columns, HIDDEN), nn.Linear(QUERIES * VALUES + HIDDEN, labels)
            self.spare, self.drop, self.act = nn.Dropout(DROPOUT_IN), nn.Dropout(DROPOUT), nn.GELU("tanh")

        def forward(self, states: Any, mask: Any, x: Any) -> Any:
            states = self.spare(states)
            looks = self.queries(states).masked_fill(~mask[..., None], float(NOWHERE)).softmax(1)
            pooled = torch.einsum("btq,btv->bqv", looks, self.values(states)).flatten(1)
            hidden = torch.cat([pooled, self.inner(self.spare(x))], 1)
            return self.outer(self.drop(self.act(hidden)))

    return Module()


def batches(
    order: NDArray[np.int64], of: Sequence[Sized], rng: np.random.Generator | None, *, pool: int = POOL
) -> Iterator[NDArray[np.int64]]:
    """Rows in batches of like length, out of ``pool`` rows each; with ``rng`` the batches come in a random order."""
    found = []
    for start in range(0, len(order), pool):
        alike = np.array(sorted(order[start : start + pool], key=lambda n: len(of[n])))
        found += [alike[at : at + BATCH] for at in range(0, len(alike), BATCH)]
    yield from found if rng is None else (found[n] for n in rng.permutation(len(found)))


def _padded(states: States) -> tuple[Any, Any]:
    import torch

    longest, width = max(map(len, states)), states[0].shape[1]
    out = torch.zeros(len(states), longest, width)
    mask = torch.zeros(len(states), longest, dtype=torch.bool)
    for row, state in enumerate(states):
        out[row, : len(state)] = torch.from_numpy(state.astype(np.float32))
        mask[row, : len(state)] = True
    return out, mask
