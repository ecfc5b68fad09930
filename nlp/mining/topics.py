"""Topics: clusters of passages by their vectors, named by the words that set each apart from the others.

Mini-batch k-means (Sculley 2010) on unit vectors; names by class-based tf-idf (Grootendorst 2022, "BERTopic"): a word's share of
a topic's words times ``ln(1 + A / f)``, with ``f`` how often it stands in all topics and ``A`` the mean number of words of a
topic. A word counts once a passage here, so that nobody names a topic by repeating himself.

The same vectors and seed give the same topics on the same machine: one thread computes, and nothing depends on the order in which
passages come.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlp.mining.words import words

__all__ = ["Sample", "TopicCollector", "choose_number", "class_tf_idf", "find_centres", "nearest_centre"]

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]

#: Passages that the centres are found on; more move them little.
FITTED = 50_000

#: Numbers of topics that ``choose_number`` tries, as far as each topic has ``LEAST`` passages on average.
TRIED = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50)
LEAST = 8

#: Passages that silhouettes are computed on: 16 million similarities, 64 MB.
JUDGED = 4_000

#: Most of a passage's words stand in few passages; one that stands in a single one of its topic says nothing of the topic.
LEAST_PASSAGES = 2


class Sample:
    """Takes vectors with the ids of their passages and keeps ``many`` of them: those with the lowest ids.

    Ids are digests, so these are as good as drawn by lot, and the same ones however the passages are ordered.
    """

    def __init__(self, many: int = FITTED) -> None:
        self._many = many
        self._ids: list[bytes] = []
        self._vectors: list[Floats] = []
        self.seen = 0

    def add(self, ids: Sequence[bytes], vectors: Floats) -> None:
        """Take a batch: one vector (a row) for each id."""
        self.seen += len(ids)
        self._ids += ids
        self._vectors.append(np.array(vectors, np.float32))
        if len(self._ids) >= 2 * self._many:
            self._cut()

    def _cut(self) -> None:
        order = sorted(range(len(self._ids)), key=self._ids.__getitem__)[: self._many]
        self._vectors = [np.concatenate(self._vectors)[order]]
        self._ids = [self._ids[n] for n in order]

    def vectors(self) -> Floats:
        """The vectors kept, by id, each of length 1."""
        if not self._ids:
            return np.zeros((0, 1), np.float32)
        self._cut()
        return unit(self._vectors[0])


def unit(vectors: Floats) -> Floats:
    """Each row at length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _one_thread() -> AbstractContextManager[object]:
    """Several threads add in another order each time, and round otherwise. Comes with scikit-learn."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def find_centres(vectors: Floats, number: int, *, seed: int = 0) -> Floats:
    """At most ``number`` centres of length 1 for unit vectors (rows)."""
    from sklearn.cluster import MiniBatchKMeans

    number = min(number, len(np.unique(vectors, axis=0)))
    with _one_thread():
        model = MiniBatchKMeans(number, random_state=seed, n_init=5, batch_size=2048, max_iter=200)
        centres = model.fit(vectors).cluster_centers_
    return unit(centres)


def nearest_centre(vectors: Floats, centres: Floats) -> tuple[Whole, Floats]:
    """For each unit vector the number of its centre, and the cosine with it."""
    cosines = vectors @ centres.T
    nearest = cosines.argmax(axis=1)
    return nearest.astype(np.int64), cosines[np.arange(len(vectors)), nearest]


def choose_number(vectors: Floats, *, seed: int = 0) -> tuple[int, dict[int, float]]:
    """The number of topics with the best mean silhouette (Rousseeuw 1987, by cosine), and the silhouette of each tried.

    Silhouettes of text are low and flat: the number is a place to begin at, not a finding.
    """
    from sklearn.metrics import silhouette_score

    judged = vectors[:JUDGED]
    found: dict[int, float] = {}
    for number in (n for n in TRIED if n * LEAST <= len(vectors)):
        with _one_thread():
            of, _ = nearest_centre(judged, find_centres(vectors, number, seed=seed))
            if 1 < len(np.unique(of)) < len(judged):
                found[number] = round(float(silhouette_score(judged, of, metric="cosine")), 4)
    return (max(found, key=lambda n: (found[n], -n)) if found else 1), found


def class_tf_idf(counts: Sequence[Counter[str]], *, without: Iterable[str] = ()) -> list[list[tuple[str, float]]]:
    """For each class its words with their weights, heaviest first, from how often each stands in it.

    ``without`` leaves words out of the answer, not out of the sums. Words that stand once in a class are left out too.
    """
    left_out = frozenset(without)
    in_all: Counter[str] = Counter()
    for count in counts:
        in_all.update(count)
    mean = sum(in_all.values()) / max(1, len(counts))
    weighted = []
    for count in counts:
        total = max(1, sum(count.values()))
        rows = [
            (word, often / total * math.log(1 + mean / in_all[word]))
            for word, often in count.items()
            if often >= LEAST_PASSAGES and word not in left_out
        ]
        weighted.append(sorted(rows, key=lambda row: (-row[1], row[0])))
    return weighted


@dataclass(frozen=True, slots=True)
class Near:
    """A passage near its topic's centre: its cosine and its key."""

    cosine: float
    key: str
    text: str


class TopicCollector:
    """Takes every passage, with its vector, once the centres are known; keeps counts, not passages."""

    def __init__(self, centres: Floats, samples: int) -> None:
        self._centres, self._samples = centres, samples
        self.sizes = [0] * len(centres)
        self.counts: list[Counter[str]] = [Counter() for _ in centres]
        self._cosines = [0.0] * len(centres)
        self._near: list[list[tuple[float, str, str]]] = [[] for _ in centres]

    def add(self, keys: Sequence[str], texts: Sequence[str], vectors: Floats) -> Whole:
        """Take a batch; returns the topic of each passage. ``keys`` name the passages."""
        of, cosines = nearest_centre(unit(vectors), self._centres)
        for key, text, topic, cosine in zip(keys, texts, of.tolist(), cosines.tolist(), strict=True):
            self.sizes[topic] += 1
            self._cosines[topic] += cosine
            self.counts[topic].update(set(words(text)))
            self._offer(topic, round(cosine, 5), key, text)
        return of

    def _offer(self, topic: int, cosine: float, key: str, text: str) -> None:
        """Keep the passage if it is among the nearest; of the same texts the one with the lowest key stands for all."""
        near = self._near[topic]
        if len(near) >= self._samples and cosine < near[0][0]:
            return
        same = " ".join(text.split())
        for n, (_, other_key, other) in enumerate(near):
            if " ".join(other.split()) == same:
                if key < other_key:
                    near[n] = (cosine, key, text)
                    heapq.heapify(near)
                return
        heapq.heappush(near, (cosine, key, text))
        if len(near) > self._samples:
            heapq.heappop(near)

    def cohesion(self, topic: int) -> float:
        """Mean cosine of the topic's passages with its centre."""
        return self._cosines[topic] / max(1, self.sizes[topic])

    def nearest(self, topic: int) -> list[Near]:
        """The passages nearest to the centre, nearest first."""
        return [Near(*row) for row in sorted(self._near[topic], key=lambda row: (-row[0], row[1]))]

    def names(self, many: int, *, without: Iterable[str] = ()) -> list[list[tuple[str, float]]]:
        """For each topic up to ``many`` words that set it apart, with their weights. Numbers are no names."""
        rows = class_tf_idf(self.counts, without=without)
        return [[row for row in words if not row[0].isdigit() and len(row[0]) > 1][:many] for words in rows]


def stop_words_of(languages: Iterable[str | None]) -> frozenset[str]:
    """Stop words of the languages that the texts are said to be in."""
    from nlp.mining.words import stop_words

    return stop_words(tuple(sorted({language for language in languages if language})))
