"""Classifying sentences and entries with the trained model. Needs numpy, onnxruntime and spaCy; neither torch nor sklearn."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.codebook import load_codebook
from nlp.cues import cue_types, find_cues_in
from nlp.encoder import Encoder, load_encoder
from nlp.features import VERSION, Sentence, blocks, features, rules_digest
from nlp.heads import Heads
from nlp.segment import Span, split_sentences
from nlp.signs import sign_names
from store.records import ChorusError, Cue, LabelProbability, ModelUnavailable

MODEL = Path(__file__).with_name("model")

#: Sentences judged at a time: long enough lists for good batches, small enough for flat memory.
BATCH = 256

#: The model's own name, before the fingerprint.
NAME = "chorus-acts"

_WORD = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Item:
    """One unit to judge; ``role`` is ``post`` or ``comment``, ``context`` the sentence before or ``None``."""

    id: str
    text: str
    context: str | None
    role: str


@dataclass(frozen=True, slots=True)
class SentenceLabel:
    """One sentence of an entry, with its place in the entry's text."""

    start: int
    end: int
    text: str
    label: str
    probabilities: tuple[LabelProbability, ...]
    abstain: bool


@dataclass(frozen=True, slots=True)
class Classification:
    """What the model says of one item. ``promo``, ``share``, ``meta`` and the probabilities lie between 0 and 1.

    For an entry the three are the probabilities that at least one of its sentences does it, ``label`` is the first in
    decision order that a sentence bears without abstaining, ``probabilities`` those of the sentence that decided, and
    ``shares`` the part of the sentences that bear each label.
    """

    id: str
    label: str
    promo: float
    share: float
    meta: float
    probabilities: tuple[LabelProbability, ...]
    abstain: bool
    cues: tuple[Cue, ...]
    model: str
    codebook: str
    sentences: tuple[SentenceLabel, ...] | None = None
    shares: tuple[LabelProbability, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """The line that the command line promises."""
        row: dict[str, Any] = {
            "id": self.id,
            "label": self.label,
            "promo": _round(self.promo),
            "share": _round(self.share),
            "meta": _round(self.meta),
            "probabilities": _as_dict(self.probabilities),
            "abstain": self.abstain,
            "cues": [{"type": c.type, "text": c.text, "start": c.start, "end": c.end} for c in self.cues],
            "model": self.model,
            "codebook": self.codebook,
        }
        if self.sentences is not None:
            row["sentences"] = [_sentence_json(sentence) for sentence in self.sentences]
            row["shares"] = _as_dict(self.shares or ())
        return row


def _round(value: float) -> float:
    return round(value, 6)


def _as_dict(probabilities: Iterable[LabelProbability]) -> dict[str, float]:
    return {p.label: _round(p.probability) for p in probabilities}


def _sentence_json(sentence: SentenceLabel) -> dict[str, Any]:
    return {
        "start": sentence.start,
        "end": sentence.end,
        "text": sentence.text,
        "label": sentence.label,
        "probabilities": _as_dict(sentence.probabilities),
        "abstain": sentence.abstain,
    }


class Classifier:
    """The trained model with its encoder. ``name`` is ``chorus-acts@fingerprint``; ``codebook`` the codebook's hash."""

    def __init__(self, heads: Heads, info: dict[str, Any], encoder: Encoder) -> None:
        self._heads, self._info, self._encoder = heads, info, encoder
        self.labels: tuple[str, ...] = tuple(info["labels"])
        self.codebook: str = info["codebook"]
        self.name = f"{NAME}@{_fingerprint(heads, info)}"

    @property
    def held_out(self) -> list[list[int]] | None:
        """Truth (rows) against calls on held-out threads of the training corpus, in counts; ``None`` if not known."""
        return self._info.get("confusion")

    @classmethod
    def load(cls, folder: Path | None = None, encoder: Encoder | None = None) -> Classifier:
        """Load weights (never by pickle). Raises ``ModelUnavailable`` if they do not fit this version or encoder."""
        place = folder or MODEL
        try:
            info = json.loads((place / "model.json").read_text(encoding="utf-8"))
            with np.load(place / "weights.npz", allow_pickle=False) as arrays:
                heads = Heads.from_arrays(arrays)
        except (FileNotFoundError, ValueError, KeyError) as error:
            raise ModelUnavailable(f"{place}: no classifier ({error})", hint="python -m nlp.train makes it") from error
        chosen = encoder or load_encoder()
        found = {
            "features": VERSION,
            "rules": rules_digest(),
            "encoder": chosen.fingerprint,
            "codebook": load_codebook().digest,
        }
        for name, value in found.items():
            if info.get(name) != value:
                raise ModelUnavailable(
                    f"the classifier was trained for {name} {info.get(name)}, here it is {value}",
                    hint="unset CHORUS_MODEL, or train anew: python -m nlp.train",
                )
        return cls(heads, info, chosen)

    def classify(self, items: Iterable[Item]) -> Iterator[Classification]:
        """Judge each item as one sentence; results come in order, with flat memory."""
        for batch in _batches(items):
            yield from self._judge(batch)

    def classify_entries(self, items: Iterable[Item]) -> Iterator[Classification]:
        """Judge each item as a whole comment or post, sentence by sentence."""
        for item in items:
            spans = split_sentences(item.text)
            found = list(self.classify(_as_items(item, spans)))
            yield self._roll_up(item, spans, found)

    def _judge(self, items: list[Item]) -> Iterator[Classification]:
        cues = list(find_cues_in(item.text for item in items))
        probabilities = self.probabilities([Sentence(i.text, i.context, i.role) for i in items], cues)
        for item, row, found in zip(items, probabilities, cues, strict=True):
            yield self._nothing(item) if not _WORD.search(item.text) else self._result(item, row, found)

    def probabilities(self, sentences: list[Sentence], cues: list[tuple[Cue, ...]]) -> NDArray[np.float64]:
        """Calibrated probabilities, shape (sentences, labels); rows sum to 1."""
        scores = self._heads.log_probabilities(features(sentences, cues, self._encoder))
        return softmax(scores / self._info["temperature"] + np.array(self._info["prior_shift"]))

    def explain(self, item: Item) -> list[dict[str, Any]]:
        """What each block of features adds to each label's score in the regression, against the mean over the labels.

        Rows with ``part`` (``embedding``, ``context``, ``words``, ``cues``, ``signs``, ``surface``), ``names`` of the cues or
        signs that are there, and a number a label. The networks, which have half the say, cannot be taken apart so.
        """
        cues = next(iter(find_cues_in([item.text])))
        row = features([Sentence(item.text, item.context, item.role)], [cues], self._encoder)[0]
        found, start = [], 0
        for part, width in blocks(self._encoder.dimensions):
            inside = slice(start, start + width)
            added = row[inside] @ self._heads.weights[inside]
            numbers = zip(self.labels, (added - added.mean()).tolist(), strict=True)
            present = [name for name, value in zip(_names(part), row[inside], strict=False) if value]
            found.append({"part": part, "names": present, **{label: round(value, 4) for label, value in numbers}})
            start += width
        return found

    def _result(self, item: Item, row: NDArray[np.float64], cues: tuple[Cue, ...]) -> Classification:
        best = int(np.argmax(row))
        chances = dict(zip(self.labels, map(float, row), strict=True))
        return Classification(
            id=item.id,
            label=self.labels[best],
            promo=chances["self-promotion"],
            share=chances["community-sharing"],
            meta=chances["meta-talk"],
            probabilities=_tuple(chances),
            abstain=bool(row[best] < self._info["abstain_below"]),
            cues=cues,
            model=self.name,
            codebook=self.codebook,
        )

    def _nothing(self, item: Item) -> Classification:
        """A text without a letter says nothing: neither (N3), by rule and not by the model."""
        chances = {label: float(label == self.labels[-1]) for label in self.labels}
        return Classification(
            item.id, self.labels[-1], 0.0, 0.0, 0.0, _tuple(chances), False, (), self.name, self.codebook
        )

    def _roll_up(self, item: Item, spans: list[Span], found: list[Classification]) -> Classification:
        if not found:
            return replace(self._nothing(item), sentences=(), shares=_tuple(dict.fromkeys(self.labels, 0.0)))
        sure = [one for one in found if not one.abstain] or found
        decisive = min(sure, key=lambda one: (self.labels.index(one.label), -_chance(one)))
        pairs = list(zip(spans, found, strict=True))
        cues = tuple(
            replace(cue, start=cue.start + span.start, end=cue.end + span.start)
            for span, one in pairs
            for cue in one.cues
        )
        shares = {label: sum(one.label == label for one in found) / len(found) for label in self.labels}
        return Classification(
            id=item.id,
            label=decisive.label,
            promo=_at_least_one(one.promo for one in found),
            share=_at_least_one(one.share for one in found),
            meta=_at_least_one(one.meta for one in found),
            probabilities=decisive.probabilities,
            abstain=all(one.abstain for one in found),
            cues=cues,
            model=self.name,
            codebook=self.codebook,
            sentences=tuple(
                SentenceLabel(s.start, s.end, s.text, one.label, one.probabilities, one.abstain) for s, one in pairs
            ),
            shares=_tuple(shares),
        )


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row-wise softmax."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Batches of items. An error in their source comes up only after what stood before it has been judged."""
    batch: list[Item] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except ChorusError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _as_items(item: Item, spans: list[Span]) -> Iterator[Item]:
    before = item.context
    for span in spans:
        yield Item(item.id, span.text, before, item.role)
        before = span.text


def _chance(one: Classification) -> float:
    return next(p.probability for p in one.probabilities if p.label == one.label)


def _tuple(chances: dict[str, float]) -> tuple[LabelProbability, ...]:
    return tuple(LabelProbability(label=label, probability=value) for label, value in chances.items())


def _at_least_one(chances: Iterable[float]) -> float:
    none = 1.0
    for chance in chances:
        none *= 1.0 - chance
    return 1.0 - none


def _names(part: str) -> tuple[str, ...]:
    return {"cues": cue_types, "signs": sign_names}.get(part, tuple)()


def _fingerprint(heads: Heads, info: dict[str, Any]) -> str:
    """12 hex digits over everything that decides a label."""
    digest = hashlib.sha256()
    for name, array in sorted(heads.arrays().items()):
        digest.update(name.encode() + np.ascontiguousarray(array, np.float32).tobytes())
    names = ("labels", "features", "encoder", "codebook", "temperature", "prior_shift", "abstain_below")
    digest.update(json.dumps([info[name] for name in names], sort_keys=True).encode())
    return digest.hexdigest()[:12]
