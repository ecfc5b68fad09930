"""Classifying sentences and entries with the trained model. Needs numpy, onnxruntime and spaCy; neither torch nor sklearn."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from nlp.attention import Attention, Reader
from nlp.cache import CachedEncoder, EmbeddingStore
from nlp.codebook import DEFAULT, Codebook, load_codebook
from nlp.corpus import text_keys
from nlp.cues import cue_types, find_cues_in
from nlp.encoder import Encoder, OnnxEncoder, acts_encoder, default_encoder, load_encoder, quick_encoder
from nlp.features import EMBEDDING_WEIGHT, VERSION, Sentence, base_of, blocks, complete, read, rules_digest
from nlp.heads import Heads
from nlp.judgement import (
    ACTS,
    Classification,
    Item,
    SentenceLabel,
    at_least_one,
    chances_of,
    cheapest,
    cost_place,
    costs_of,
)
from nlp.look import Key, Look, LookStore, key_of
from nlp.page import in_pages, on_one_page, starts_of
from nlp.plain import plain
from nlp.segment import Span, split_sentences
from nlp.signs import sign_names
from nlp.unlike import UNLIKE, distances, other_language
from store.records import ChorusError, Cue, ModelUnavailable, UsageError

__all__ = ["FAST", "MODEL", "Classification", "Classifier", "Item", "sentences_of", "softmax"]

#: The classifiers that are shipped: the one that is used unless another is named, and one with a
#: smaller encoder that learned to say what the former says, several times as fast and somewhat less good (``nlp.distil``).
MODEL, FAST = Path(__file__).with_name("model"), Path(__file__).with_name("fast")

#: Names that stand for a classifier's directory.
NAMED = {"fast": FAST}

#: A classifier that brings its own codebook has it under this name.
CODEBOOK_FILE = "codebook.toml"

#: Sentences judged at a time: small enough for flat memory.
BATCH = 256

#: Sentences looked at together: long enough lists for batches of like length, small enough for flat memory.
TOGETHER = 2_048

#: Raised when a ``Look`` comes to hold something else.
LOOK_VERSION = 1

#: The model's own name, before the fingerprint.
NAME = "chorus-acts"

_WORD = re.compile(r"[^\W\d_]")


class Classifier:
    """The trained model with its encoder. ``name`` is ``chorus-acts@fingerprint``; ``codebook`` the codebook's hash.

    ``place`` is the directory that it was loaded from. ``recalled`` counts the sentences whose judgement came from ``store``.
    ``look_space`` names all that a look at a sentence follows from; ``look_elsewhere``, if set, looks at many for this
    classifier (``nlp.cluster``).
    """

    def __init__(
        self,
        heads: Heads,
        info: dict[str, Any],
        encoder: Encoder,
        centres: NDArray[np.float32],
        store: EmbeddingStore | None = None,
    ) -> None:
        self._heads, self._info, self._encoder, self._centres = heads, info, encoder, centres
        self.look_space = _space(heads, info, centres)
        self._looks = LookStore(store, self.look_space) if store is not None else None
        self.place: Path | None = None
        self.look_elsewhere: Callable[[Sequence[Key]], list[Look]] | None = None
        self._held: dict[Key, Look] = {}
        self.recalled = 0
        self._costs = costs_of(info.get("costs", {}), info["labels"])
        self._follows = np.array(info["follows"])
        self.labels: tuple[str, ...] = tuple(info["labels"])
        self.codebook: str = info["codebook"]
        self.name = f"{NAME}@{_fingerprint(heads, info)}"

    @property
    def held_out(self) -> list[list[int]] | None:
        """Truth (rows) against calls on held-out threads of the training texts, in counts; ``None`` if not known."""
        return self._info.get("confusion")

    @classmethod
    def load(
        cls,
        folder: Path | None = None,
        encoder: Encoder | None = None,
        costs: Mapping[str, float] | None = None,
        store: EmbeddingStore | None = None,
    ) -> Classifier:
        """The classifier in ``folder``, else in ``CHORUS_CLASSIFIER``, else the one that is shipped (never by pickle).

        ``costs`` says for a label how many times as bad it is to give it wrongly as it is for the others (1), or for
        ``TRUTH:LABEL`` how bad it is to give it to what is another; the label with the least expected cost is given then, and the
        classifier's name is another. In ``store`` it keeps what it found of each sentence. Raises ``ModelUnavailable`` if there
        is no classifier or it does not fit this version, its codebook or the encoder, ``UsageError`` for costs of other labels.
        """
        place = classifier_folder(folder)
        try:
            info = _info(place)
            with np.load(place / "weights.npz", allow_pickle=False) as arrays:
                heads, centres = Heads.from_arrays(arrays), arrays["centres"].astype(np.float32)
            codebook = codebook_of(place)
        except (OSError, ValueError, KeyError) as error:
            raise _no_classifier(place, error) from error
        chosen = encoder or encoder_of(place)
        here = {
            "features": VERSION,
            "rules": rules_digest(),
            "encoder": chosen.fingerprint,
            "codebook": codebook.digest,
        }
        for name, value in here.items():
            if info.get(name) != value:
                raise ModelUnavailable(
                    f"{place}: trained for {name} {info.get(name)}, here it is {value}",
                    hint="train it anew: `chorus train`",
                )
        found = cls(heads, _with_costs(info, costs), chosen, centres, store)
        found.place = place
        return found

    def learned_from(self, texts: Iterable[str]) -> int | None:
        """How many of these sentences are among those that it was trained on; ``None`` where it does not know them."""
        if self.place is None:
            return None
        with np.load(self.place / "weights.npz", allow_pickle=False) as arrays:
            known = arrays.get("texts")
        return None if known is None else sum(bool(np.isin(text_keys([text]), known).any()) for text in texts)

    def hold(self, items: Iterable[Item]) -> None:
        """Look at these sentences together and keep what was found at hand until the next call.

        Many at once are sorted by length and padded less, and what the store has is not computed again.
        """
        keys = list(dict.fromkeys(map(key_of, items)))
        self._held = self._looks.get(keys) if self._looks is not None else {}
        self.recalled += len(self._held)
        missing = [key for key in keys if key not in self._held]
        for start in range(0, len(missing), TOGETHER):
            part = missing[start : start + TOGETHER]
            found = dict(zip(part, (self.look_elsewhere or self.look)(part), strict=True))
            self._held |= found
            if self._looks is not None:
                self._looks.put(found)

    def classify(self, items: Iterable[Item]) -> Iterator[Classification]:
        """Judge each item as one sentence; results come in order, with flat memory."""
        failed: list[ChorusError] = []
        for page in in_pages(_until_error(items, failed), BATCH):
            yield from self._judge(page)
        if failed:
            raise failed[0]

    def classify_entries(self, items: Iterable[Item]) -> Iterator[Classification]:
        """Judge each item as a whole comment or post, sentence by sentence."""
        waiting: deque[tuple[Item, list[Span]]] = deque()

        def sentences() -> Iterator[Item]:
            for item in items:
                spans = split_sentences(item.text)
                waiting.append((item, spans))
                yield from _as_items(item, spans)

        found: list[Classification] = []
        for one in self.classify(sentences()):
            yield from self._silent(waiting)
            found.append(one)
            if len(found) == len(waiting[0][1]):
                yield self._roll_up(*waiting.popleft(), found)
                found = []
        yield from self._silent(waiting)

    def _silent(self, waiting: deque[tuple[Item, list[Span]]]) -> Iterator[Classification]:
        """Entries without a sentence, as far as they are next."""
        while waiting and not waiting[0][1]:
            yield self._roll_up(*waiting.popleft(), [])

    def _judge(self, items: list[Item]) -> Iterator[Classification]:
        missing = list(dict.fromkeys(key for item in items if (key := key_of(item)) not in self._held))
        own = dict(zip(missing, self.look(missing), strict=True)) if missing else {}
        looks = [self._held.get(key) or own[key] for key in map(key_of, items)]
        rows = self._in_view_of(np.array([look.chances for look in looks]), items)
        calls = cheapest(rows, self._costs).tolist()
        for item, row, best, look in zip(items, rows.tolist(), calls, looks, strict=True):
            if not _WORD.search(item.text):
                yield self._nothing(item)
            else:
                yield self._result(item, row, best, look.cues, look.warnings)

    def look(self, keys: Sequence[Key]) -> list[Look]:
        """What is to be seen in each sentence."""
        with _linear_algebra().limit(limits=1):
            return list(self._see([Sentence(*key) for key in keys]))

    def _see(self, sentences: Sequence[Sentence]) -> Iterator[Look]:
        """The encoder is at work while the words are looked at."""
        with ThreadPoolExecutor(1) as pool:
            encoded = pool.submit(self._encode, sentences)
            cues = list(find_cues_in(sentence.text for sentence in sentences))
            reading = read(sentences, cues, context_vector=self._looks_back)
            languages = [_language(sentence) for sentence in sentences]
            encoded.result()
        for start in range(0, len(sentences), BATCH):
            rows = slice(start, start + BATCH)
            x = complete(reading.part(rows), self._encoder)
            chances = softmax(self._heads.log_probabilities(x) / self._info["temperature"])
            for row, own, language, far in zip(chances, cues[rows], languages[rows], self._unlike(x), strict=True):
                yield Look(tuple(row.tolist()), own, (*language, *((UNLIKE,) if far else ())))

    def _encode(self, sentences: Sequence[Sentence]) -> None:
        """Have a cached encoder hold all that will be asked of it; any other is asked when it comes to that."""
        if isinstance(self._encoder, CachedEncoder):
            texts = (text for s in sentences for text in ((s.text, s.context) if self._looks_back else (s.text,)))
            self._encoder.hold(filter(None, (plain(text or "") for text in texts)))

    @property
    def _looks_back(self) -> bool:
        """Whether the vector of the sentence before is among the features."""
        return bool(self._info.get("context_vector", True))

    def _in_view_of(self, chances: NDArray[np.float64], items: list[Item]) -> NDArray[np.float64]:
        """Probabilities for the mix of labels on the items' page, or for the natural one."""
        mix = softmax(np.array([self._info["prior_shift"]]))[0]
        if items[0].page is not None:
            said = [(n, item) for n, item in enumerate(items) if _WORD.search(item.text)]
            if said:
                rows = [n for n, _ in said]
                starts = starts_of([item.text for _, item in said], [item.context for _, item in said])
                out = chances.copy()  # of what says nothing nobody asks
                out[rows] = on_one_page(chances[rows], mix, self._follows, starts)
                return out
        weighed = chances * mix
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))

    def _unlike(self, x: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which sentences lie beyond the limit that training found."""
        vectors = x[:, : base_of(self._encoder)] / EMBEDDING_WEIGHT
        return np.asarray(distances(vectors, self._centres) > self._info["unlike_beyond"])

    def explain(self, item: Item) -> list[dict[str, Any]]:
        """What each block of features adds to each label's score in the regression, against the mean over the labels.

        Rows with ``part`` (``embedding``, ``context``, ``words``, ``cues``, ``signs``, ``surface``), ``names`` of the cues or
        signs that are there, and a number a label. The networks, which have most of the say, cannot be taken apart so.
        """
        cues = next(iter(find_cues_in([item.text])))
        sentence = Sentence(item.text, item.context, item.role)
        row = complete(read([sentence], [cues], context_vector=self._looks_back), self._encoder)[0]
        found, start = [], 0
        for part, width in blocks(base_of(self._encoder)):
            inside = slice(start, start + width)
            added = row[inside] @ self._heads.weights[inside]
            numbers = zip(self.labels, (added - added.mean()).tolist(), strict=True)
            present = [name for name, value in zip(_names(part), row[inside], strict=False) if value]
            found.append({"part": part, "names": present, **{label: round(value, 4) for label, value in numbers}})
            start += width
        return found

    def _result(
        self, item: Item, row: list[float], best: int, cues: tuple[Cue, ...] = (), warnings: tuple[str, ...] = ()
    ) -> Classification:
        chances = dict(zip(self.labels, row, strict=True))
        unread = any(warning != UNLIKE for warning in warnings)  # in a language that the model does not read
        return Classification(
            id=item.id,
            label=self.labels[best],
            promo=chances.get(ACTS["promo"]),
            share=chances.get(ACTS["share"]),
            meta=chances.get(ACTS["meta"]),
            probabilities=chances_of(chances),
            abstain=unread or max(row) < self._info["abstain_below"],
            cues=cues,
            warnings=warnings,
            model=self.name,
            codebook=self.codebook,
        )

    def _nothing(self, item: Item) -> Classification:
        """A text without a letter says nothing: what remains in the codebook (neither), by rule and not by the model."""
        certain = [float(label == self.labels[-1]) for label in self.labels]
        return replace(self._result(item, certain, len(certain) - 1), abstain=False)

    def _roll_up(self, item: Item, spans: list[Span], found: list[Classification]) -> Classification:
        if not found:
            return replace(self._nothing(item), sentences=(), shares=chances_of(dict.fromkeys(self.labels, 0.0)))
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
            promo=at_least_one(one.promo for one in found),
            share=at_least_one(one.share for one in found),
            meta=at_least_one(one.meta for one in found),
            probabilities=decisive.probabilities,
            abstain=all(one.abstain for one in found),
            cues=cues,
            warnings=tuple(sorted({warning for one in found for warning in one.warnings})),
            model=self.name,
            codebook=self.codebook,
            sentences=tuple(
                SentenceLabel(s.start, s.end, s.text, one.label, one.probabilities, one.abstain, one.warnings)
                for s, one in pairs
            ),
            shares=chances_of(shares),
        )


def _with_costs(info: dict[str, Any], costs: Mapping[str, float] | None) -> dict[str, Any]:
    """``info`` with these costs in the place of its own. Raises ``UsageError`` for those of a label that there is not."""
    labels = info["labels"]
    unknown = {name for name in costs or () if cost_place(name, labels) is None}
    if unknown:
        raise UsageError(f"no label {min(unknown)!r} to set a cost for", hint="labels: " + ", ".join(labels))
    return {**info, "costs": dict(sorted({**info.get("costs", {}), **costs}.items()))} if costs else info


def classifier_folder(folder: Path | None = None) -> Path:
    """``folder``, else what ``CHORUS_CLASSIFIER`` names, else where the shipped classifier is; ``fast`` is the fast one."""
    place = folder or Path(os.environ.get("CHORUS_CLASSIFIER") or MODEL).expanduser()
    return NAMED.get(str(place), place)


def codebook_of(folder: Path | None = None) -> Codebook:
    """The codebook of the classifier in ``folder`` (default as in ``classifier_folder``): its own, or the shipped one."""
    return load_codebook(codebook_file(folder))


def codebook_file(folder: Path | None = None) -> Path:
    """Where that codebook is."""
    own = classifier_folder(folder) / CODEBOOK_FILE
    return own if own.exists() else DEFAULT


def encoder_of(folder: Path | None = None, configured: str | None = None) -> Encoder:
    """The encoder that the classifier in ``folder`` was trained on: chorus's own, the configured one, the one where its own
    lay, or the default one. Raises ``ModelUnavailable`` if none of them is it.
    """
    place = classifier_folder(folder)
    try:
        info = _info(place)
        wanted = info["encoder"]
    except (OSError, ValueError, KeyError) as error:
        raise _no_classifier(place, error) from error
    tries: tuple[Callable[[], Encoder], ...] = (
        acts_encoder,
        quick_encoder,
        lambda: load_encoder(configured),
        lambda: load_encoder(info.get("encoder_path")),
        default_encoder,
    )
    for find in tries:
        try:
            found = reading(find(), place)
            if found.fingerprint == wanted:
                return found
        except ModelUnavailable:
            continue
    raise ModelUnavailable(
        f"{place}: its encoder {wanted} is not to be found", hint="set CHORUS_MODEL to the directory that holds it"
    )


def reading(encoder: Encoder, place: Path) -> Encoder:
    """The encoder as the classifier in ``place`` reads with it: compact, and with its attention, where both can be had."""
    with np.load(place / "weights.npz", allow_pickle=False) as arrays:
        attention = Attention.from_arrays(arrays)
    if attention is None or not isinstance(encoder, OnnxEncoder):
        return encoder
    return Reader(encoder.compact(), attention)


def _info(place: Path) -> dict[str, Any]:
    info: dict[str, Any] = json.loads((place / "model.json").read_text(encoding="utf-8"))
    return info


def _no_classifier(place: Path, error: Exception) -> ModelUnavailable:
    return ModelUnavailable(f"{place}: no classifier ({error})", hint="`chorus train` makes one")


def _language(sentence: Sentence) -> tuple[str, ...]:
    """A warning if the sentence is not in English."""
    language = other_language(sentence.text, sentence.context)
    return (f"language:{language}",) if language else ()


@cache
def _linear_algebra() -> ThreadpoolController:
    """To hold numpy's own threads back: on small matrices they wait for each other, and the encoder has the cores."""
    return ThreadpoolController()


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Row-wise softmax."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _until_error(items: Iterable[Item], failed: list[ChorusError]) -> Iterator[Item]:
    """The items; an error in their source goes to ``failed``, so that what stood before it is judged first."""
    try:
        yield from items
    except ChorusError as error:
        failed.append(error)


def sentences_of(item: Item) -> Iterator[Item]:
    """The sentences of an entry, as they are judged."""
    return _as_items(item, split_sentences(item.text))


def _as_items(item: Item, spans: list[Span]) -> Iterator[Item]:
    before = item.context
    for span in spans:
        yield Item(item.id, span.text, before, item.role, item.page)
        before = span.text


def _chance(one: Classification) -> float:
    return one.chance(one.label) or 0.0


def _names(part: str) -> tuple[str, ...]:
    return {"cues": cue_types, "signs": sign_names}.get(part, tuple)()


def _space(heads: Heads, info: dict[str, Any], centres: NDArray[np.float32]) -> str:
    """Names everything that a ``Look`` follows from; costs come later."""
    own = {name: value for name, value in info.items() if name != "costs"}
    familiar = hashlib.sha256(centres.astype(np.float16).tobytes() + str(info["unlike_beyond"]).encode()).hexdigest()
    tools = " ".join(f"{name}-{version(name)}" for name in ("spacy", "pycld2"))
    return f"{_fingerprint(heads, own)}/{familiar[:12]}/{tools}/look{LOOK_VERSION}"


def _fingerprint(heads: Heads, info: dict[str, Any]) -> str:
    """12 hex digits over everything that decides a label."""
    digest = hashlib.sha256()
    for name, array in sorted(heads.arrays().items()):
        digest.update(name.encode() + np.ascontiguousarray(array, np.float32).tobytes())
    names = [
        "labels",
        "features",
        "rules",
        "encoder",
        "codebook",
        "temperature",
        "prior_shift",
        "follows",
        "abstain_below",
    ]
    digest.update(json.dumps([info[name] for name in names], sort_keys=True).encode())
    if "costs" in info:
        digest.update(json.dumps(info["costs"], sort_keys=True).encode())
    return digest.hexdigest()[:12]
