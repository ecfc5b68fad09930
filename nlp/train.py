"""Training the classifier from the corpus: ``python -m nlp.train [--out DIR] [--report]``.

One multinomial logistic regression over the features of ``nlp.features``. Its strength of regularisation and its
temperature come from cross-validation in which no thread is split; nothing of any benchmark is read. The same corpus,
codebook, encoder and library versions give the same weights.
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
from nlp.features import VERSION, Sentence, features

#: Inverse strengths of regularisation that cross-validation chooses from.
STRENGTHS = (0.1, 0.3, 1.0)

FOLDS = 5

#: The mix of labels that probabilities are given for. The corpus is written to be balanced; in nature most sentences are
#: neither (in comments: promotion 4 %, sharing 25 %, as counted when the codebook was made).
NATURAL_MIX = {"self-promotion": 0.05, "community-sharing": 0.22, "meta-talk": 0.06, "neither": 0.67}

#: The model abstains below this best probability: with four labels, anything under it is closer to a coin toss.
ABSTAIN_BELOW = 0.45


@dataclass(frozen=True, slots=True)
class Report:
    """What cross-validation found on the corpus: macro-F1 and log loss per strength, and the choice."""

    macro_f1: dict[float, float]
    log_loss: dict[float, float]
    strength: float
    temperature: float


def matrix(sentences: Sequence[CodedSentence], encoder: Any) -> NDArray[np.float32]:
    """Features of coded sentences."""
    items = [Sentence(s.text, s.context, s.role) for s in sentences]
    return features(items, list(find_cues_in(s.text for s in sentences)), encoder)


def fit(x: NDArray[np.float32], y: NDArray[np.int64], strength: float) -> Any:
    """A fitted logistic regression; classes weigh alike however many sentences each has."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=400, tol=1e-3)
    return model.fit(x, y)


def cross_validate(
    x: NDArray[np.float32], y: NDArray[np.int64], groups: Sequence[str], strength: float
) -> NDArray[Any]:
    """Scores (log odds) of every sentence by a model that saw nothing of its thread; shape (sentences, labels)."""
    from sklearn.model_selection import GroupKFold

    scores = np.zeros((len(y), int(y.max()) + 1))
    for train, test in GroupKFold(FOLDS).split(x, y, groups):
        scores[test] = fit(x[train], y[train], strength).decision_function(x[test])
    return scores


def temperature_of(scores: NDArray[Any], y: NDArray[np.int64]) -> float:
    """The temperature with the least log loss on held-out scores."""
    candidates = np.geomspace(0.4, 4.0, 47)
    return float(min(candidates, key=lambda t: log_loss(scores / t, y)))


def log_loss(scores: NDArray[Any], y: NDArray[np.int64]) -> float:
    """Mean negative log probability of the truth."""
    return float(-np.log(softmax(scores)[np.arange(len(y)), y] + 1e-12).mean())


def choose(x: NDArray[np.float32], y: NDArray[np.int64], groups: Sequence[str]) -> Report:
    """Pick strength by macro-F1 and temperature by log loss, both on held-out threads."""
    from sklearn.metrics import f1_score

    scores = {strength: cross_validate(x, y, groups, strength) for strength in STRENGTHS}
    f1 = {s: float(f1_score(y, found.argmax(1), average="macro")) for s, found in scores.items()}
    best = max(f1, key=lambda s: (round(f1[s], 3), -s))
    losses = {s: log_loss(found, y) for s, found in scores.items()}
    return Report(f1, losses, best, temperature_of(scores[best], y))


def train(out: Path = MODEL) -> Report:
    """Train on the shipped corpus and write ``weights.npz`` and ``model.json`` to ``out``."""
    sentences, encoder, codebook = load_corpus(), load_encoder(), load_codebook()
    labels = list(codebook.order)
    x = matrix(sentences, encoder)
    y = np.array([labels.index(s.label) for s in sentences])
    report = choose(x, y, [s.thread for s in sentences])
    model = fit(x, y, report.strength)
    natural = np.log([NATURAL_MIX[label] for label in labels])
    shift = natural - natural.mean()  # class weights made the model's own prior uniform
    info = {
        "labels": labels,
        "features": VERSION,
        "encoder": encoder.fingerprint,
        "codebook": codebook.digest,
        "temperature": round(report.temperature, 6),
        "prior_shift": [round(float(value), 6) for value in shift],
        "abstain_below": ABSTAIN_BELOW,
        "corpus": {"digest": corpus_digest(sentences), "sentences": len(sentences)},
        "cross_validation": {
            "folds": FOLDS,
            "macro_f1": {str(s): round(f1, 4) for s, f1 in report.macro_f1.items()},
            "strength": report.strength,
        },
        "versions": {name: version(name) for name in ("scikit-learn", "numpy", "spacy", "onnxruntime")},
    }
    _write(out, model, info)
    return report


def _write(out: Path, model: Any, info: dict[str, Any]) -> None:
    out.mkdir(exist_ok=True)
    weights = np.ascontiguousarray(model.coef_.T.astype(np.float16))  # half precision: no label on the corpus changes
    np.savez_compressed(out / "weights.npz", weights=weights, bias=model.intercept_.astype(np.float32))
    (out / "model.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Train and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m nlp.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=MODEL, help="where the weights go")
    report = train(parser.parse_args().out)
    sys.stdout.write(f"cross-validated macro-F1 by strength: {report.macro_f1}\n")
    sys.stdout.write(f"chosen: strength {report.strength}, temperature {report.temperature:.3f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
