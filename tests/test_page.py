"""Sentences judged in view of their page: the mix's arithmetic, what counts as running text, order and bounds."""

import json
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from nlp.classify import Classifier, Item
from nlp.page import BELIEF, MAX_PAGE, PSEUDO, in_pages, is_running_text, on_one_page, on_pages, page_mix, starts_of
from store.records import UsageError

NATURAL = np.array([0.05, 0.22, 0.06, 0.67])


def running(texts: list[str]) -> list[Item]:
    before = [None, *texts[:-1]]
    return [Item(str(n), text, context, "comment") for n, (text, context) in enumerate(zip(texts, before, strict=True))]


def test_sure_scores_give_their_own_frequencies_held_back_by_the_natural_mix() -> None:
    sure = np.full((80, 4), 1e-9)
    sure[:60, 2] = sure[60:, 3] = 1.0
    expected = (np.array([0, 0, 60, 20]) + PSEUDO * NATURAL) / (80 + PSEUDO)
    assert page_mix(sure, NATURAL) == pytest.approx(expected, abs=1e-4)


def test_scores_that_say_nothing_leave_the_natural_mix() -> None:
    assert page_mix(np.full((500, 4), 0.25), NATURAL) == pytest.approx(NATURAL)


def test_chains_have_the_probabilities_of_all_their_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlp.page.CHAIN_ROUNDS", 0)
    rng = np.random.default_rng(0)
    chances, follows = rng.dirichlet(np.ones(3), 6), rng.uniform(0.3, 3.0, (3, 3))
    natural, starts = np.array([0.2, 0.3, 0.5]), np.array([True, False, False, True, True, False])
    mix = page_mix(chances, natural)
    steps = follows**BELIEF * mix
    steps /= steps.sum(axis=1, keepdims=True)
    expected = np.zeros((6, 3))
    for chain in ((0, 1, 2), (3,), (4, 5)):
        for path in product(range(3), repeat=len(chain)):
            weight = mix[path[0]] * np.prod([steps[a, b] for a, b in pairwise(path)])
            weight *= np.prod([chances[row, label] for row, label in zip(chain, path, strict=True)])
            for row, label in zip(chain, path, strict=True):
                expected[row, label] += weight
    expected /= expected.sum(axis=1, keepdims=True)
    assert on_one_page(chances, natural, follows, starts) == pytest.approx(expected)


def test_a_doubtful_sentence_goes_with_its_neighbours_and_only_with_them() -> None:
    sure, doubtful = [0.0, 0.0, 1.0, 0.0], [0.02, 0.02, 0.48, 0.48]
    like = np.where(np.eye(4) == 1, 3.0, 0.5)
    chances = np.array([sure, doubtful, sure, [0.0, 0.0, 0.0, 1.0], doubtful] + [[0.25] * 4] * 60)
    starts = starts_of(["a", "b", "c", "d", "e"] + ["x"] * 60, [None, "a", "b", None, "d"] + [None] * 60)
    assert starts.tolist()[:5] == [True, False, False, True, False]
    alone = on_one_page(chances, NATURAL, np.ones((4, 4)), starts)
    assert alone[1] == pytest.approx(alone[4])
    found = on_one_page(chances, NATURAL, like, starts)
    assert found[1, 2] > alone[1, 2] > found[4, 2]
    assert found.sum(axis=1) == pytest.approx(1)


def test_a_thread_is_running_text_and_a_sample_is_not() -> None:
    texts = [f"Sentence {n}." for n in range(40)]
    thread = running(texts)
    assert is_running_text(thread)
    assert {item.page for item in on_pages(thread, "rows 1")} == {"rows 1"}
    sample = [Item(str(n), text, "Something else.", "comment", "t") for n, text in enumerate(texts)]
    assert not is_running_text(sample)
    assert {item.page for item in on_pages(sample, "rows 1")} == {None}
    assert not is_running_text(thread[:10])  # too little to tell


def test_pages_are_cut_at_their_ends_and_at_the_bound() -> None:
    items = [Item(str(n), "x", None, "post", page) for n, page in enumerate("aab" + "c" * (MAX_PAGE + 5))]
    assert [len(page) for page in in_pages(items, 256)] == [2, 1, MAX_PAGE, 5]
    loose = [Item(str(n), "x", None, "post") for n in range(600)]
    assert [len(part) for part in in_pages(loose, 256)] == [256, 256, 88]


META = [
    "Everybody who writes online sooner or later looks at how many people came by.",
    "The people with the most followers get asked to speak about having followers.",
    "A counter on a page tells you who passed, not who read.",
    "Nobody ever admits to promoting themselves, it is always something the others do.",
    "Half of what is called networking is handing round your own name.",
    "There is a fine line between telling friends and advertising.",
    "Being retweeted says little about whether anybody learned something.",
    "Awards for the best blog mostly reward those who ask for votes.",
]


@pytest.mark.model
def test_on_a_page_full_of_meta_talk_it_is_no_longer_rare() -> None:
    model = Classifier.load()
    alone = [one.meta or 0 for one in model.classify(running(META * 4))]
    together = [one.meta or 0 for one in model.classify(on_pages(running(META * 4), "p"))]
    assert np.mean(together) > np.mean(alone) + 0.05
    assert all(b >= a - 1e-9 for a, b in zip(alone, together, strict=True))


@pytest.mark.model
def test_entries_come_in_order_with_empty_ones_between() -> None:
    texts = ["", "One sentence. And another one.", "", "", "Thank you, Ana!", ""]
    found = list(Classifier.load().classify_entries(Item(str(n), t, None, "comment", "p") for n, t in enumerate(texts)))
    assert [one.id for one in found] == list("012345")
    assert [len(one.sentences or ()) for one in found] == [0, 2, 0, 0, 1, 0]


@pytest.mark.model
def test_what_stood_before_an_error_is_judged() -> None:
    def items() -> Iterator[Item]:
        yield Item("1", "Thank you, Ana!", None, "comment")
        raise UsageError("line 2: torn")

    found: list[str] = []

    def judge() -> None:
        found.extend(one.id for one in Classifier.load().classify(items()))

    with pytest.raises(UsageError, match="torn"):
        judge()
    assert found == ["1"]


@pytest.mark.model
def test_a_file_of_a_thread_is_read_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": i.id, "text": i.text, "context": i.context, "role": i.role} for i in running(META * 4)]
    loose = [{**row, "context": None} for row in rows]
    metas = []
    for name, lines in (("thread", rows), ("loose", loose)):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        assert main(["classify", "--input", str(path), "--quiet"]) == 0
        metas.append(sum(json.loads(line)["label"] == "meta-talk" for line in capsys.readouterr().out.splitlines()))
    assert metas[0] >= metas[1]
