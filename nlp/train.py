"""Training a classifier: ``python -m nlp.train [--out DIR]`` makes the shipped one, ``chorus train`` one's own.

A logistic regression and a few small networks over the features of ``nlp.features``, their log probabilities averaged.
Strength of regularisation comes from cross-validation in which no thread is split, the temperature from one in which no
writer is: real pages are by other writers again. Nothing of any benchmark is read. The same sentences, codebook, encoder and
library versions give the same weights.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.classify import CODEBOOK_FILE, MODEL, softmax
from nlp.codebook import Codebook, load_codebook
from nlp.corpus import CodedSentence, corpus_digest, load_corpus
from nlp.cues import find_cues_in
from nlp.encoder import Encoder, default_encoder
from nlp.features import EMBEDDING_WEIGHT, VERSION, Sentence, features, rules_digest
from nlp.heads import Heads, Network
from nlp.unlike import familiar_centres
from store.records import UsageError

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

#: The model abstains when its best probability is not so far above what chance would give (with four labels: below 0.45).
ABSTAIN_MARGIN = 0.2

#: Less cannot be cross-validated: groups in all, and sentences of each label.
MIN_GROUPS, MIN_SENTENCES = 3, 5

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


@dataclass(frozen=True, slots=True)
class Material:
    """What to learn from: sentences, the codebook that they were coded with, and the mix of labels to expect (shares by
    label; ``None``: the sentences' own). ``codebook_text`` goes beside the weights; ``None`` for the shipped codebook."""

    sentences: Sequence[CodedSentence]
    codebook: Codebook
    mix: Mapping[str, float] | None = None
    codebook_text: str | None = None


def shipped_material() -> Material:
    """The corpus of the shipped classifier."""
    return Material(load_corpus(), load_codebook(), NATURAL_MIX)


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


def choose(x: Matrix, y: NDArray[np.int64], weights: NDArray[np.float64], sentences: Sequence[CodedSentence]) -> Report:
    """Strength by macro-F1 on held-out threads, temperature by log loss on held-out writers."""
    from sklearn.metrics import confusion_matrix, f1_score

    threads, writers = [s.thread for s in sentences], [s.writer for s in sentences]
    linear = {s: cross_validate(x, y, weights, threads, s, deep=False) for s in STRENGTHS}
    f1 = {s: float(f1_score(y, found.argmax(1), average="macro")) for s, found in linear.items()}
    best = max(f1, key=lambda s: (round(f1[s], 3), -s))
    deep = cross_validate(x, y, weights, threads, best, deep=True)
    apart = cross_validate(x, y, weights, writers, best, deep=True) if len(set(writers)) > 1 else deep
    return Report(
        macro_f1=f1,
        ensemble_f1=float(f1_score(y, deep.argmax(1), average="macro")),
        strength=best,
        # real pages are harder than held-out writers: never surer than the heads are
        temperature=max(1.0, temperature_of(apart, y, weights)),
        confusion=confusion_matrix(y, deep.argmax(1)).tolist(),
    )


def check(material: Material) -> None:
    """Raise ``UsageError`` for sentences that nothing can be learned from."""
    labels = set(material.codebook.order)
    odd = next((s for s in material.sentences if s.label not in labels), None)
    if odd is not None:
        raise UsageError(
            f"{odd.id}: label {odd.label!r} is not in the codebook",
            hint="labels: " + ", ".join(material.codebook.order),
        )
    counts = Counter(s.label for s in material.sentences)
    rare = min(material.codebook.order, key=lambda label: counts[label])
    if counts[rare] < MIN_SENTENCES:
        raise UsageError(
            f"{counts[rare]} sentences of label {rare!r}", hint=f"training needs {MIN_SENTENCES} of each label"
        )
    if len({s.thread for s in material.sentences}) < MIN_GROUPS:
        raise UsageError(f"the sentences come from fewer than {MIN_GROUPS} threads", hint="nothing could be held out")


def train(
    out: Path = MODEL,
    material: Material | None = None,
    encoder: Encoder | None = None,
    encoder_path: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Report:
    """Train and write ``weights.npz`` and ``model.json`` (and the codebook, if it is another) to ``out``.

    ``encoder_path`` is kept where the encoder is not the default one; ``tell`` hears what is being done. Raises
    ``UsageError`` for too little to learn from.
    """
    what, encoder = material or shipped_material(), encoder or default_encoder()
    check(what)
    labels = list(what.codebook.order)
    tell(f"encoding {len(what.sentences):,} sentences")
    x = matrix(what.sentences, encoder)
    y = np.array([labels.index(s.label) for s in what.sentences])
    weights = sample_weights(np.array([len(s.text.split()) for s in what.sentences]), y)
    tell("cross-validating")
    report = choose(x, y, weights, what.sentences)
    tell("training")
    heads = fit(x, y, weights, report.strength)
    centres, beyond = familiar_centres(
        x[:, : encoder.dimensions] / EMBEDDING_WEIGHT, [s.thread for s in what.sentences]
    )
    info = {
        "labels": labels,
        "features": VERSION,
        "rules": rules_digest(),
        "encoder": encoder.fingerprint,
        "encoder_path": encoder_path,
        "codebook": what.codebook.digest,
        "temperature": round(report.temperature, 6),
        "prior_shift": [round(float(value), 6) for value in prior_shift(what)],
        "abstain_below": round(ABSTAIN_MARGIN + 1 / len(labels), 6),
        "unlike_beyond": round(beyond, 6),
        "corpus": {"digest": corpus_digest(what.sentences), "sentences": len(what.sentences)},
        "cross_validation": {
            "folds": FOLDS,
            "macro_f1": {str(s): round(f1, 4) for s, f1 in report.macro_f1.items()},
            "ensemble_macro_f1": round(report.ensemble_f1, 4),
            "strength": report.strength,
        },
        "confusion": report.confusion,
        "versions": {name: version(name) for name in ("scikit-learn", "numpy", "spacy", "onnxruntime", "torch")},
    }
    arrays: dict[str, Any] = {**heads.arrays(), "centres": centres.astype(np.float16)}
    _write(out, info, arrays, what.codebook_text)
    return report


def prior_shift(material: Material) -> NDArray[np.float64]:
    """What is added to the log probabilities, by label: the weights made the model's own prior uniform."""
    counts = Counter(s.label for s in material.sentences)
    mix = material.mix or {label: counts[label] / len(material.sentences) for label in material.codebook.order}
    natural = np.log([max(mix[label], 1e-4) for label in material.codebook.order])
    return np.asarray(natural - natural.mean())


def _write(out: Path, info: dict[str, Any], arrays: dict[str, Any], codebook_text: str | None) -> None:
    """``model.json`` comes last: a classifier whose writing was cut short does not load."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.json").unlink(missing_ok=True)
    np.savez_compressed(out / "weights.npz", **arrays)
    if codebook_text is None:
        (out / CODEBOOK_FILE).unlink(missing_ok=True)
    else:
        (out / CODEBOOK_FILE).write_text(codebook_text, encoding="utf-8")
    (out / "model.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Train and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m nlp.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=MODEL, help="where the weights go")
    report = train(parser.parse_args().out, tell=lambda text: print(text, file=sys.stderr))  # noqa: T201
    sys.stdout.write(f"held-out threads, macro-F1 of the regression by strength: {report.macro_f1}\n")
    sys.stdout.write(f"with the networks: {report.ensemble_f1:.4f}\n")
    sys.stdout.write(f"chosen: strength {report.strength}, temperature {report.temperature:.3f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
