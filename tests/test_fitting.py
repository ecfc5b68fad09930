"""Fitting heads: lots of sentences with networks of their own, their say beside the regression, vectors left out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nlp.attention import Attention
from nlp.features import Sentence, read
from nlp.fitting import NETWORKS_A_LOT, Data, Fitted, fit
from nlp.heads import DEEP_PART, Heads

WIDTH, COLUMNS = 8, 5


def _data(seed: int, count: int = 160) -> Data:
    """Sentences of two labels that one token in each tells apart; the features say nothing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, count)
    states = []
    for label in y:
        tokens = rng.normal(size=(int(rng.integers(3, 9)), WIDTH)).astype(np.float16)
        tokens[rng.integers(len(tokens)), 0] = 6.0 if label else -6.0
        states.append(tokens)
    x = rng.normal(size=(count, COLUMNS)).astype(np.float32)
    return Data(x, y, np.ones(count), states)


def _right(fitted: Fitted, data: Data) -> float:
    return float((fitted.log_probabilities(data).argmax(axis=1) == data.y).mean())


@pytest.fixture(scope="module")
def lots() -> tuple[Data, Data]:
    one, two = _data(1), _data(2)
    both = Data(
        np.concatenate([one.x, two.x]),
        np.concatenate([one.y, two.y]),
        np.ones(len(one.y) + len(two.y)),
        [*(one.states or ()), *(two.states or ())],
    )
    return one, both


def test_every_lot_of_sentences_has_networks_of_its_own(lots: tuple[Data, Data]) -> None:
    core, both = lots
    alone = fit(core, 0.1, networks=NETWORKS_A_LOT)
    fitted = fit(core, 0.1, further=[both])
    assert len(fitted.attentive) == 2 * NETWORKS_A_LOT
    held_out = _data(3)
    one, same = (n.attentive[0].log_probabilities(held_out.states or (), held_out.x) for n in (alone, fitted))
    assert np.array_equal(one, same)  # the first lot's learn as they would without the others
    assert _right(fitted, held_out) > 0.9  # what only one token tells is seen


def test_networks_are_the_same_for_a_seed_and_differ_between_seeds(lots: tuple[Data, Data]) -> None:
    core, _ = lots
    first, again = fit(core, 0.1, networks=2), fit(core, 0.1, networks=2)

    def scores(fitted: Fitted, number: int) -> NDArray[np.float64]:
        return fitted.attentive[number].log_probabilities(core.states or (), core.x)

    assert np.array_equal(scores(first, 0), scores(again, 0))
    assert not np.array_equal(scores(first, 0), scores(first, 1))


def test_what_is_kept_says_what_was_fitted(lots: tuple[Data, Data]) -> None:
    core, both = lots
    fitted = fit(core, 0.1, further=[both], deep_part=0.9)
    heads, attention = fitted.parts()
    assert attention is not None
    kept = Heads.from_arrays(heads.arrays())
    looks = Attention.from_arrays(attention.arrays())
    assert looks is not None
    pooled = [
        looks.pool(state.astype(np.float32)[None], np.ones((1, len(state)), np.int64)) for state in core.states or ()
    ]
    x = np.concatenate([core.x, np.concatenate(pooled)], axis=1)
    assert kept.deep_part == pytest.approx(0.9)
    assert np.abs(kept.log_probabilities(x) - fitted.log_probabilities(core)).max() < 0.05  # kept in half precision


def test_classifiers_that_keep_no_say_have_the_former_one(lots: tuple[Data, Data]) -> None:
    heads, _ = fit(lots[0], 0.1, networks=1).parts()
    arrays = {name: array for name, array in heads.arrays().items() if name != "deep_part"}
    assert Heads.from_arrays(arrays).deep_part == DEEP_PART


def test_a_reading_alone_needs_no_context() -> None:
    sentences = [Sentence("See my shop.", "It rained.", "comment"), Sentence("It rained.", None, "comment")]
    reading = read(sentences, [(), ()])
    assert reading.needed() == ["It rained.", "See my shop."]
    alone = read(sentences[:1], [()], context_vector=False)
    assert alone.needed() == ["See my shop."]
    assert np.array_equal(alone.rest, reading.rest[:1])  # what else was seen stays
