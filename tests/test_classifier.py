"""Codebook, corpus and classifier."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import classify_gate
from nlp.classify import Classifier, Item
from nlp.codebook import load_codebook
from nlp.corpus import CODES, CORPUS, load_corpus
from nlp.research.agreement import agreement
from store.records import LABELS, ConfigError, ModelUnavailable

BENCH = classify_gate.BENCH / "gold_dev.jsonl"

ODD = [
    "",
    " ",
    "😀😀",
    "<p>Hello <b>you</b></p>",
    "\x00\x00",
    "\ud800\udc00 \ud800",
    "日本語のコメント",
    "!!!",
    "a" * 100_000,
]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load()


def comment(text: str, name: str = "1") -> Item:
    return Item(name, text, None, "comment")


def test_codebook_covers_the_corpus_codes_and_has_a_stable_digest(tmp_path: Path) -> None:
    book = load_codebook()
    assert {row["code"] for row in book.rows()} >= set(CODES) - {"B"}
    copy = tmp_path / "codebook.toml"
    copy.write_text("# a remark\n" + Path("nlp/codebook.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert load_codebook(copy).digest == book.digest
    copy.write_text(copy.read_text(encoding="utf-8").replace('version = "1.1"', 'version = "1.2"'), encoding="utf-8")
    assert load_codebook(copy).digest != book.digest
    copy.write_text("labels = 3", encoding="utf-8")
    with pytest.raises(ConfigError):
        load_codebook(copy)


def test_corpus_is_read_whole_and_covers_every_code() -> None:
    sentences = load_corpus()
    assert len(sentences) >= 800
    assert {s.code for s in sentences} == set(CODES)
    assert min(Counter(s.label for s in sentences).values()) >= 200
    assert len({s.id for s in sentences}) == len(sentences)


@pytest.mark.parametrize(("file", "figures"), [("second.jsonl", (0.944, 0.923)), ("second_2.jsonl", (0.941, 0.909))])
def test_a_second_coding_of_the_corpus_agrees(file: str, figures: tuple[float, float]) -> None:
    second = [json.loads(line) for line in (CORPUS / file).read_text(encoding="utf-8").splitlines()]
    first = {(s.thread, s.text): s.label for s in load_corpus()}
    found = agreement([{"first": first[row["thread"], row["text"]], "second": row["label"]} for row in second])
    assert found.units >= 200
    assert found.agreement is not None
    assert found.alpha is not None
    assert (round(found.agreement, 3), round(found.alpha, 3)) == figures  # as the corpus' README says


def test_corpus_does_not_repeat_itself() -> None:
    long = Counter(re.sub(r"\W+", " ", s.text.lower()).strip() for s in load_corpus() if len(s.text.split()) >= 5)
    again = {text: n for text, n in long.items() if n > 1}
    # "What am I doing wrong?", "Preheat the oven to 350 degrees.": stock phrases that the web repeats, too
    assert [text for text in again if len(text.split()) > 7] == []
    assert sum(again.values()) <= 10


def test_a_wrong_line_of_a_corpus_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("# thread: a\n## post\nN1| Fine.\nQ7| Wrong.\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"x\.txt, line 4"):
        load_corpus(tmp_path)
    assert [s.text for s in load_corpus(tmp_path, strict=False)] == ["Fine."]


@pytest.mark.skipif(not BENCH.is_file(), reason="no bench here")
def test_corpus_holds_no_sentence_of_the_bench() -> None:
    gold = {json.loads(line)["text"].lower() for line in BENCH.read_text(encoding="utf-8").splitlines()}
    assert not [s.text for s in load_corpus() if len(s.text.split()) >= 5 and s.text.lower() in gold]


@pytest.mark.model
def test_one_line_for_each_item_in_order_as_the_contract_has_it(classifier: Classifier) -> None:
    texts = ["Thank you so much for this!", "Follow me on my new blog and subscribe to my newsletter!", *ODD]
    results = list(classifier.classify(comment(text, str(n)) for n, text in enumerate(texts)))
    assert [r.id for r in results] == [str(n) for n in range(len(texts))]
    assert [r.label for r in results[:2]] == ["community-sharing", "self-promotion"]
    for result in results:
        row = json.loads(json.dumps(result.to_json()))
        assert {"id", "label", "promo", "share", "meta", "probabilities", "abstain", "cues", "model"} <= row.keys()
        assert tuple(row["probabilities"]) == LABELS
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)
        assert re.fullmatch(r"[\w-]+@[0-9a-f]{12}", row["model"])
    wordless = [r for r, text in zip(results, texts, strict=True) if not any(c.isalnum() for c in text)]
    assert {r.label for r in wordless} == {"neither"}


@pytest.mark.model
def test_the_fast_classifier_goes_by_its_name(classifier: Classifier, tmp_path: Path) -> None:
    fast = Classifier.load(Path("fast"))
    assert fast.name != classifier.name
    assert fast.codebook == classifier.codebook
    found = list(fast.classify([comment("Thank you so much for this!"), comment("The bridge opened in May.", "2")]))
    assert [one.label for one in found] == ["community-sharing", "neither"]
    with pytest.raises(ModelUnavailable):
        Classifier.load(tmp_path / "fast")  # a path is a path


@pytest.mark.model
def test_items_are_read_as_they_are_needed(classifier: Classifier) -> None:
    read = 0

    def endless() -> Iterator[Item]:
        nonlocal read
        while True:
            read += 1
            yield comment(f"Sentence number {read % 7}.", str(read))

    results = classifier.classify(endless())
    assert [next(results).id for _ in range(3)] == ["1", "2", "3"]
    assert read < 2_000


@pytest.mark.model
def test_an_entry_has_its_sentences_and_the_first_label_of_the_decision_order(classifier: Classifier) -> None:
    lines = [
        "Thank you so much for this!",
        "The bridge opened in May.",
        "Follow me on my new blog and subscribe to my newsletter!",
    ]
    text = "\n".join(lines)
    entry, empty = classifier.classify_entries([comment(text), comment("", "2")])
    assert entry.sentences is not None
    assert [text[s.start : s.end] for s in entry.sentences] == lines
    assert entry.label == "self-promotion"
    assert (entry.promo or 0) >= max(s.probabilities[0].probability for s in entry.sentences)
    assert all(text[cue.start : cue.end] == cue.text for cue in entry.cues)
    row = entry.to_json()
    assert sum(row["shares"].values()) == pytest.approx(1, abs=1e-5)
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert (empty.label, empty.sentences) == ("neither", ())


@pytest.mark.model
def test_a_cost_makes_no_label_less_sure(classifier: Classifier) -> None:
    """The model abstains where its best probability is low, not where another label is the cheaper one."""
    costly = Classifier.load(costs={"community-sharing": 1000})
    texts = [
        comment("Thank you so much for this!"),
        comment("Mae hen wlad fy nhadau yn annwyl i mi, gwlad beirdd.", "2"),
    ]
    for judge in (Classifier.classify, Classifier.classify_entries):
        usual, found = list(judge(classifier, texts)), list(judge(costly, texts))
        assert (usual[0].label, found[0].label != "community-sharing") == ("community-sharing", True)
        assert (found[0].chance(found[0].label) or 0) < 0.45 < (found[0].chance("community-sharing") or 0)
        assert [one.abstain for one in found] == [one.abstain for one in usual] == [False, True]


@pytest.mark.model
def test_the_same_text_gets_the_same_answer_whatever_stands_beside_it(classifier: Classifier) -> None:
    texts = [s.text for s in load_corpus()[:40]]
    together = [r.promo for r in classifier.classify(comment(t) for t in texts)]
    alone = [next(iter(classifier.classify([comment(t)]))).promo for t in texts]
    assert together == pytest.approx(alone, abs=1e-4)


@pytest.mark.model
def test_most_examples_of_the_codebook_get_their_label(classifier: Classifier) -> None:
    """They are invented and were not trained on; .55 is what the first shipped model reached, less a margin."""
    examples = [(text, row["label"]) for row in load_codebook().rows() for text in row["examples"]]
    results = classifier.classify(comment(text) for text, _ in examples)
    right = sum(r.label == label for r, (_, label) in zip(results, examples, strict=True))
    assert right / len(examples) > 0.5


@pytest.mark.model
def test_weights_that_were_changed_or_are_missing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no classifier"):
        Classifier.load(tmp_path)
    shipped = Path("nlp/model")
    (tmp_path / "weights.npz").write_bytes((shipped / "weights.npz").read_bytes())
    info = json.loads((shipped / "model.json").read_text(encoding="utf-8"))
    (tmp_path / "model.json").write_text(json.dumps(info | {"encoder": "other@0"}), encoding="utf-8")
    with pytest.raises(ModelUnavailable):
        Classifier.load(tmp_path)


@pytest.mark.skipif(not BENCH.is_file(), reason="no bench here")
def test_the_gate_fails_what_is_worse_than_the_floor() -> None:
    floor = json.loads(classify_gate.FLOOR.read_text(encoding="utf-8"))["shipped"]
    assert classify_gate.shortfalls(floor, floor) == []
    names = (*classify_gate.UP, *classify_gate.DOWN)
    signs = [-1] * len(classify_gate.UP) + [1] * len(classify_gate.DOWN)
    worse = {name: floor[name] + sign * 0.05 for name, sign in zip(names, signs, strict=True)}
    assert len(classify_gate.shortfalls(worse, floor)) == len(names)


def test_contributions_hang_together() -> None:
    """Each sentence's context is the one before it in the same contribution, in the same thread."""
    followed = [(a, b) for a, b in pairwise(load_corpus()) if b.context is not None]
    assert len(followed) > 500
    assert all(a.text == b.context and a.thread == b.thread and a.role == b.role for a, b in followed)
