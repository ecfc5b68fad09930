"""What goes into the classifier and what comes out of it: items, and what is said of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.records import Cue, LabelProbability

#: The columns of the contract, and the labels of the default codebook that they stand for. Another codebook's are null.
ACTS = {"promo": "self-promotion", "share": "community-sharing", "meta": "meta-talk"}


def cost_place(name: str, labels: Sequence[str]) -> tuple[str | None, str] | None:
    """What a cost is named after: a label that is given wrongly, ``LABEL``, or given to what is another, ``TRUTH:LABEL``. The
    truth (``None``: any) and the label; ``None`` for a name that is neither."""
    if name in labels:
        return None, name
    pairs = ((name[:at], name[at + 1 :]) for at, letter in enumerate(name) if letter == ":")
    return next((pair for pair in pairs if pair[0] in labels and pair[1] in labels and pair[0] != pair[1]), None)


def costs_of(costs: Mapping[str, float], labels: Sequence[str]) -> NDArray[np.float64]:
    """What giving each label (column) costs where each is the truth (row): 1 where nothing is said, 0 where it is right.

    What is said of a pair counts before what is said of a label.
    """
    out, place = 1.0 - np.eye(len(labels)), {label: n for n, label in enumerate(labels)}
    named = [(*pair, value) for name, value in costs.items() if (pair := cost_place(name, labels))]
    for truth, given, value in sorted(named, key=lambda one: one[0] is not None):
        out[[n for n in range(len(labels)) if n != place[given]] if truth is None else place[truth], place[given]] = (
            value
        )
    return out


def cheapest(probabilities: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of each row the label with the least expected cost (``costs_of``): the likeliest where all cost the same."""
    return np.asarray(np.argmin(probabilities @ costs, axis=1))


@dataclass(frozen=True, slots=True)
class Item:
    """One unit to judge; ``role`` is ``post`` or ``comment``, ``context`` the sentence before or ``None``.

    Consecutive items of one ``page`` (any name; ``None``: not known) are judged in view of one another (``nlp.page``).
    """

    id: str
    text: str
    context: str | None
    role: str
    page: str | None = None


@dataclass(frozen=True, slots=True)
class SentenceLabel:
    """One sentence of an entry, with its place in the entry's text."""

    start: int
    end: int
    text: str
    label: str
    probabilities: tuple[LabelProbability, ...]
    abstain: bool
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One of an entry's ``sentences``."""
        return {
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "label": self.label,
            "probabilities": _as_dict(self.probabilities),
            "abstain": self.abstain,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What the model says of one item. ``promo``, ``share``, ``meta`` and the probabilities lie between 0 and 1.

    For an entry the three are the probabilities that at least one of its sentences does it, ``label`` is the first in
    decision order that a sentence bears without abstaining, ``probabilities`` those of the sentence that decided, and
    ``shares`` the part of the sentences that bear each label. The three are ``None`` under a codebook without their labels.
    ``warnings`` say why the model should not be trusted here: see ``nlp.unlike``.
    """

    id: str
    label: str
    promo: float | None
    share: float | None
    meta: float | None
    probabilities: tuple[LabelProbability, ...]
    abstain: bool
    cues: tuple[Cue, ...]
    model: str
    codebook: str
    warnings: tuple[str, ...] = ()
    sentences: tuple[SentenceLabel, ...] | None = None
    shares: tuple[LabelProbability, ...] | None = None

    def chance(self, label: str) -> float | None:
        """The probability of a label; ``None`` for one that the codebook does not have."""
        return next((p.probability for p in self.probabilities if p.label == label), None)

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
            "warnings": list(self.warnings),
            "model": self.model,
            "codebook": self.codebook,
        }
        if self.sentences is not None:
            row["sentences"] = [sentence.to_json() for sentence in self.sentences]
            row["shares"] = _as_dict(self.shares or ())
        return row


def chances_of(values: Mapping[str, float]) -> tuple[LabelProbability, ...]:
    """Probabilities by label as the records have them."""
    return tuple([LabelProbability(label=label, probability=value) for label, value in values.items()])


def at_least_one(chances: Iterable[float | None]) -> float | None:
    """The probability that at least one of independent acts is there; ``None`` if one is not known."""
    none = 1.0
    for chance in chances:
        if chance is None:
            return None
        none *= 1.0 - chance
    return 1.0 - none


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _as_dict(probabilities: Iterable[LabelProbability]) -> dict[str, float]:
    return {p.label: round(p.probability, 6) for p in probabilities}
