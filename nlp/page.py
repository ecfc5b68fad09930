"""What a page is about tells what its sentences are likely to do: in a thread on self-promotion, talk about it is no longer rare.

The classifier's probabilities rest on how frequent each label is. That differs from page to page: the mix of a whole page is
estimated from the classifier's own scores for all of its sentences by expectation-maximisation (Saerens, Latinne and
Decaestecker 2002), held back by the natural mix, which counts like ``PSEUDO`` more sentences. And within a contribution like
follows like: the sentences are a hidden Markov chain (Rabiner 1989) whose steps come from the training corpus.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nlp.judgement import Item

#: How many sentences the natural mix is worth. On held-out threads of the corpus 10 to 40 are alike for pages that are nearly
#: all meta-talk (accuracy .49 to .67) and the others lose nothing from 20 on (docs/model.md).
PSEUDO = 20.0

ROUNDS = 30

#: How much of what the corpus says of the label after a label is believed (1: all), and how often mix and chain correct each
#: other. On held-out writers pages that are nearly all meta-talk gain .05 in accuracy, others .01; more belief gains no more.
BELIEF, CHAIN_ROUNDS = 0.5, 3

#: Sentences that a page's mix is estimated from at once; longer pages are taken in parts.
MAX_PAGE = 2_000

#: Rows of a file without a page of their own are one running text if so large a part of them gives the row before as context.
#: Threads have 0.4 and more, samples of single sentences nearly none.
RUNNING, MIN_RUNNING = 0.25, 20

Floats = NDArray[np.float64]


def page_mix(chances: Floats, natural: Floats) -> Floats:
    """The mix of labels on a page; ``chances`` (sentences, labels) are given every label being as frequent as the others."""
    mix = natural
    for _ in range(ROUNDS):
        weighed = chances * mix
        weighed /= weighed.sum(axis=1, keepdims=True)
        mix = (weighed.sum(axis=0) + PSEUDO * natural) / (len(chances) + PSEUDO)
    return np.asarray(mix)


def on_one_page(chances: Floats, natural: Floats, follows: Floats, starts: NDArray[np.bool_]) -> Floats:
    """Probabilities (sentences, labels) in view of the page.

    ``chances`` are given every label being as frequent as the others; ``follows`` (label before, label) says how many times as
    frequent a label is after another as it is at all; ``starts`` marks the sentences that follow none.
    """
    mix = page_mix(chances, natural)
    if np.all(follows == 1.0):
        weighed = chances * mix
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))
    found = _in_turn(chances, mix, follows, starts)
    for _ in range(CHAIN_ROUNDS):
        mix = (found.sum(axis=0) + PSEUDO * natural) / (len(chances) + PSEUDO)
        found = _in_turn(chances, mix, follows, starts)
    return found


def _in_turn(chances: Floats, mix: Floats, follows: Floats, starts: NDArray[np.bool_]) -> Floats:
    """Probabilities of the labels along chains, by the forward-backward algorithm; all chains at once."""
    steps = follows**BELIEF * mix
    steps /= steps.sum(axis=1, keepdims=True)
    chain = np.cumsum(starts) - 1
    place = np.arange(len(chances)) - np.flatnonzero(starts)[chain]
    shape = (int(chain[-1]) + 1, int(place.max()) + 1, len(mix))
    seen, forward, backward = np.ones(shape), np.empty(shape), np.ones(shape)
    seen[chain, place] = chances
    for at in range(shape[1]):
        forward[:, at] = seen[:, at] * (forward[:, at - 1] @ steps if at else mix)
        forward[:, at] /= forward[:, at].sum(axis=1, keepdims=True)
    for at in range(shape[1] - 2, -1, -1):
        backward[:, at] = (seen[:, at + 1] * backward[:, at + 1]) @ steps.T
        backward[:, at] /= backward[:, at].sum(axis=1, keepdims=True)
    found = (forward * backward)[chain, place]
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def starts_of(texts: Sequence[str], contexts: Sequence[str | None]) -> NDArray[np.bool_]:
    """Which of these sentences, in the page's order, do not stand right after the one before them."""
    return np.array([n == 0 or not own or own != texts[n - 1] for n, own in enumerate(contexts)], dtype=bool)


def in_pages(items: Iterable[Item], batch: int) -> Iterator[list[Item]]:
    """Consecutive items of one page, at most ``MAX_PAGE``; items without one in lists of ``batch``."""
    found: list[Item] = []
    for item in items:
        if found and (item.page != found[0].page or len(found) >= (batch if item.page is None else MAX_PAGE)):
            yield found
            found = []
        found.append(item)
    if found:
        yield found


def on_pages(items: Sequence[Item], name: str) -> list[Item]:
    """The items with their pages where they are running text, by ``name`` where they name none; else without pages.

    What is drawn from here and there, rare labels perhaps on purpose, says nothing about the mix of a page.
    """
    running = is_running_text(items)
    pages = [(item.page or name) if running else None for item in items]
    return [item if item.page == page else replace(item, page=page) for item, page in zip(items, pages, strict=True)]


def is_running_text(items: Sequence[Item]) -> bool:
    """Whether the items follow one another: a sample of sentences from here and there does not."""
    if len(items) < MIN_RUNNING:
        return False
    linked = sum(b.context is not None and b.context.strip() == a.text.strip() for a, b in pairwise(items))
    return linked >= RUNNING * (len(items) - 1)
