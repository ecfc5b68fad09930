"""Making the fast classifier: variants of sentences, and the whole way from a teacher to a classifier, in small."""

import json
from pathlib import Path

import numpy as np
import pytest

from nlp import distil
from nlp.classify import Classifier, Item, reading
from nlp.corpus import CodedSentence, load_corpus
from nlp.cues import find_cues_in
from nlp.encoder import OnnxEncoder
from nlp.features import Sentence, read
from nlp.variants import MOST_WORDS, Maker, Similar, parts_of
from nlp.weights import QUICK, find_acts

WORDS = ["great", "good", "fine", "bread", "cake", "loaf", "run", "walk"]


def similar() -> Similar:
    """Three words of praise near each other, three that are baked, and two of moving."""
    centres = np.repeat(np.eye(3, dtype=np.float32), (3, 3, 2), axis=0)
    return Similar(
        centres + np.linspace(0, 0.1, 24, dtype=np.float32).reshape(8, 3), {w: n for n, w in enumerate(WORDS)}
    )


def sentence(text: str, context: str | None = None, label: str = "neither") -> CodedSentence:
    return CodedSentence("a/1", "a", "comment", context, text, "", label, "a")


def test_words_that_are_alike_are_near() -> None:
    found = similar()
    assert set(found.to("great")[:2]) == {"good", "fine"}
    assert set(found.to("cake")[:2]) == {"bread", "loaf"}
    assert found.to("zeppelin") == []


def test_parts_are_cut_at_commas_and_conjunctions() -> None:
    assert parts_of("We baked all night, and nobody slept but the cat") == [
        "We baked all night,",
        "and nobody slept",
        "but the cat",
    ]
    assert parts_of("No cut here") == ["No cut here"]
    assert parts_of("Too short") == []


def test_variants_are_the_same_for_a_seed_and_keep_context_and_role() -> None:
    first = sentence("This is great bread, and I say so because I like cake.")
    written = [first, sentence("You run a good place.", first.text, "self-promotion")] * 20

    def made(seed: int) -> list[Sentence]:
        return Maker(written, similar(), frozenset({"self-promotion"}), seed).all()

    found = made(1)
    assert found == made(1)
    assert found != made(2)
    assert {one.context for one in found} == {None, first.text}
    assert all(one.text not in (first.text, "You run a good place.") for one in found)
    assert all(1 < len(one.text.split()) <= MOST_WORDS for one in found)
    assert any("You run a good place." in one.text and one.context is None for one in found)  # joined with what follows


@pytest.mark.model
def test_from_a_teacher_to_a_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = load_corpus()
    chosen = [one for writer in "abmq" for one in [s for s in corpus if s.writer == writer][:90]]
    monkeypatch.setattr(distil, "load_corpus", lambda: tuple(chosen))
    monkeypatch.setattr(distil, "NETWORKS", 1)
    monkeypatch.setattr(distil, "EPOCHS", 1)
    heard: list[str] = []
    apart = distil.make(tmp_path / "fast", tmp_path / "quick", heard.append)
    assert apart.sentences == sum(sum(row) for row in apart.confusion) == 90
    assert any("teacher" in line for line in heard)
    taught = json.loads((tmp_path / "fast" / "model.json").read_text(encoding="utf-8"))["taught"]
    assert taught["teacher"] == Classifier.load().name and taught["texts"] > 3 * 90
    encoder = OnnxEncoder(find_acts(tmp_path / "quick"))
    made = Classifier.load(tmp_path / "fast", reading(encoder, tmp_path / "fast"))
    result = next(iter(made.classify([Item("1", "Thank you so much for this!", None, "comment")])))
    assert sum(one.probability for one in result.probabilities) == pytest.approx(1, abs=1e-6)
    assert made.learned_from([chosen[0].text, chosen[1].text]) == 2
    assert made.learned_from([next(s.text for s in chosen if s.writer == "q" and len(s.text.split()) > 5)]) == 0


@pytest.mark.model
def test_what_the_student_says_is_what_the_written_classifier_says(tmp_path: Path) -> None:
    """Torch's layers and networks against the integers and arrays that are kept of them."""
    import torch

    from nlp.attend import Attentive
    from nlp.codebook import load_codebook
    from nlp.train import Material

    labels = load_codebook().order
    coded = [s for s in load_corpus() if s.writer in "ab"][:300]
    what = Material(coded, load_codebook(), strengths=(0.1,), context_vector=False, deep_part=1.0)
    student = distil.student(len(labels)).eval()
    with torch.no_grad():
        for network in student.networks:
            network.outer.weight.mul_(60)  # they know nothing yet: so that they say something, nonsense though it is
    distil.write_encoder(student.bert, tmp_path / "quick")
    encoder = OnnxEncoder(find_acts(tmp_path / "quick"))
    distil.finish(what, [Attentive(one) for one in student.networks], encoder, tmp_path / "fast", {})
    made = Classifier.load(tmp_path / "fast", reading(encoder, tmp_path / "fast"))
    texts = [Sentence(s.text, s.context, s.role) for s in coded[:40]]
    kept = np.array([look.chances for look in made.look([(one.text, one.context, one.role) for one in texts])])
    lesson = distil.Lessons(
        distil.pieces_of([one.text for one in texts]),
        read(texts, list(find_cues_in(one.text for one in texts)), context_vector=False),
        np.zeros((40, 4), np.float32),
        np.full(40, -1),
        np.zeros(40, np.float32),
    )
    with torch.no_grad():
        said = student(*distil._inputs(lesson, np.arange(40))).mean(0)
    temperature = made._info["temperature"]
    expected = torch.softmax(said / temperature, -1).numpy()
    assert np.abs(kept - expected).max() < 0.05
    assert np.abs(expected - expected.mean(axis=0)).max() > 0.02  # it does say different things of different texts


@pytest.mark.model
def test_the_fast_classifier_reads_with_the_shipped_small_encoder() -> None:
    fast = Classifier.load(Path("fast"))
    assert fast._encoder.fingerprint.startswith(OnnxEncoder(find_acts(QUICK)).fingerprint)
