"""Training the classifier from the corpus: ``python -m nlp.train [--out DIR]``.

A logistic regression and a few small networks over the features of ``nlp.features``, their log probabilities averaged.
Strength of regularisation comes from cross-validation in which no thread is split, the temperature from one in which no
writer is: real pages are by other writers again. Nothing of any benchmark is read. The same corpus, codebook, encoder and
library versions give the same weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.classify import MODEL, softmax
from nlp.codebook import load_codebook
from nlp.corpus import CodedSentence, corpus_digest, load_corpus
from nlp.cues import find_cues_in
from nlp.encoder import load_encoder
from nlp.features import VERSION, Sentence, features, rules_digest
from nlp.heads import Heads, Network

#: Inverse strengths of regularisation that cross-validation chooses from. Weaker ones fit the corpus still better, held-out
#: writers included, and real pages worse (docs/model.md): the corpus is not the world.
STRENGTHS = (0.1, 0.3)

FOLDS = 5

#: The networks: how many, how wide, how long they learn. More of each changed nothing on held-out threads.
NETWORKS, HIDDEN, EPOCHS = 6, 64, 12
DROPOUT_IN, DROPOUT, SMOOTHING, RATE, DECAY, BATCH = 0.2, 0.4, 0.1, 2e-3, 0.05, 64

#: Networks in cross-validation: enough to see what they add and how sure they are.
FOLD_NETWORKS = 2

#: The mix of labels that probabilities are given for. The corpus is written to be balanced; in nature most sentences are
#: neither (in comments: promotion 4 %, sharing 25 %, as counted when the codebook was made).
NATURAL_MIX = {"self-promotion": 0.05, "community-sharing": 0.22, "meta-talk": 0.06, "neither": 0.67}

#: Sentence lengths (words) that divide the corpus, and the part that each class of length has in training within every
#: label: how long a sentence is must not tell its label, and in the corpus neutral ones are shorter than in nature.
LENGTHS, LENGTH_MIX = (4, 8, 13, 19, 26), (0.06, 0.14, 0.20, 0.22, 0.20, 0.18)

#: No sentence weighs more than so many times the median one.
MAX_WEIGHT = 6.0

#: The model abstains below this best probability: with four labels, anything under it is closer to a coin toss.
ABSTAIN_BELOW = 0.45

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Report:
    """What cross-validation found on the corpus, and the choice; ``confusion`` counts truth (rows) against labels as
    they are given in use, the natural mix included."""

    macro_f1: dict[float, float]
    ensemble_f1: float
    strength: float
    temperature: float
    confusion: list[list[int]]


def matrix(sentences: Sequence[CodedSentence], encoder: Any) -> Matrix:
    """Features of coded sentences."""
    items = [Sentence(s.text, s.context, s.role) for s in sentences]
    return features(items, list(find_cues_in(s.text for s in sentences)), encoder)


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


def fit(
    x: Matrix, y: NDArray[np.int64], weights: NDArray[np.float64], strength: float, networks: int = NETWORKS
) -> Heads:
    """Regression and networks."""
    linear = regression(x, y, weights, strength)
    return Heads(linear.weights, linear.bias, tuple(network(x, y, weights, seed) for seed in range(networks)))


def cross_validate(
    x: Matrix, y: NDArray[np.int64], weights: NDArray[np.float64], groups: Sequence[str], strength: float, *, deep: bool
) -> NDArray[np.float64]:
    """Log probabilities of every sentence by a model that saw nothing of its group; shape (sentences, labels)."""
    from sklearn.model_selection import GroupKFold

    scores = np.zeros((len(y), int(y.max()) + 1))
    folds = min(FOLDS, len(set(groups)))
    for train, test in GroupKFold(folds).split(x, y, groups):
        heads = fit(x[train], y[train], weights[train], strength, FOLD_NETWORKS if deep else 0)
        scores[test] = heads.log_probabilities(x[test])
    return scores


def temperature_of(scores: NDArray[np.float64], y: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """The temperature with the least log loss on held-out scores."""
    candidates = np.geomspace(0.4, 4.0, 47)
    return float(min(candidates, key=lambda t: log_loss(scores / t, y, weights)))


def log_loss(scores: NDArray[np.float64], y: NDArray[np.int64], weights: NDArray[np.float64]) -> float:
    """Weighted mean negative log probability of the truth."""
    return float(np.average(-np.log(softmax(scores)[np.arange(len(y)), y] + 1e-12), weights=weights))


def choose(
    x: Matrix,
    y: NDArray[np.int64],
    weights: NDArray[np.float64],
    sentences: Sequence[CodedSentence],
    shift: NDArray[np.float64],
) -> Report:
    """Strength by macro-F1 on held-out threads, temperature by log loss on held-out writers."""
    from sklearn.metrics import confusion_matrix, f1_score

    threads = [s.thread for s in sentences]
    writers = [s.thread.partition("/")[0][:1] for s in sentences]
    linear = {s: cross_validate(x, y, weights, threads, s, deep=False) for s in STRENGTHS}
    f1 = {s: float(f1_score(y, found.argmax(1), average="macro")) for s, found in linear.items()}
    best = max(f1, key=lambda s: (round(f1[s], 3), -s))
    deep = cross_validate(x, y, weights, threads, best, deep=True)
    apart = cross_validate(x, y, weights, writers, best, deep=True)
    return Report(
        macro_f1=f1,
        ensemble_f1=float(f1_score(y, deep.argmax(1), average="macro")),
        strength=best,
        temperature=max(
            1.0, temperature_of(apart, y, weights)
        ),  # real pages are harder: never surer than the heads are
        confusion=confusion_matrix(y, deep.argmax(1)).tolist(),
    )


def train(out: Path = MODEL) -> Report:
    """Train on the shipped corpus and write ``weights.npz`` and ``model.json`` to ``out``."""
    sentences, encoder, codebook = load_corpus(), load_encoder(), load_codebook()
    labels = list(codebook.order)
    x = matrix(sentences, encoder)
    y = np.array([labels.index(s.label) for s in sentences])
    weights = sample_weights(np.array([len(s.text.split()) for s in sentences]), y)
    natural = np.log([NATURAL_MIX[label] for label in labels])
    shift = natural - natural.mean()  # the weights made the model's own prior uniform
    report = choose(x, y, weights, sentences, shift)
    heads = fit(x, y, weights, report.strength)
    info = {
        "labels": labels,
        "features": VERSION,
        "rules": rules_digest(),
        "encoder": encoder.fingerprint,
        "codebook": codebook.digest,
        "temperature": round(report.temperature, 6),
        "prior_shift": [round(float(value), 6) for value in shift],
        "abstain_below": ABSTAIN_BELOW,
        "corpus": {"digest": corpus_digest(sentences), "sentences": len(sentences)},
        "cross_validation": {
            "folds": FOLDS,
            "macro_f1": {str(s): round(f1, 4) for s, f1 in report.macro_f1.items()},
            "ensemble_macro_f1": round(report.ensemble_f1, 4),
            "strength": report.strength,
        },
        "confusion": report.confusion,
        "versions": {name: version(name) for name in ("scikit-learn", "numpy", "spacy", "onnxruntime", "torch")},
    }
    out.mkdir(exist_ok=True)
    arrays: dict[str, Any] = dict(heads.arrays())
    np.savez_compressed(out / "weights.npz", **arrays)
    (out / "model.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    return report


def main() -> int:
    """Train and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m nlp.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=MODEL, help="where the weights go")
    report = train(parser.parse_args().out)
    sys.stdout.write(f"held-out threads, macro-F1 of the regression by strength: {report.macro_f1}\n")
    sys.stdout.write(f"with the networks: {report.ensemble_f1:.4f}\n")
    sys.stdout.write(f"chosen: strength {report.strength}, temperature {report.temperature:.3f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
