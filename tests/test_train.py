"""Another codebook through the whole chain: coding, training, evaluating, classifying, searching; costs and warnings."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.jobs.codings import own_codings
from cli.main import main
from nlp.classify import Classifier, Item
from nlp.codebook import load_codebook
from nlp.judgement import cheapest, cost_place, costs_of
from nlp.unlike import other_language
from store.records import ConfigError, UsageError

CODEBOOK = """
name = "manners"
version = "1"
order = ["courteous", "rude", "plain"]

[[code]]
code = "K"
label = "courteous"
definition = "Courtesy to the reader."
examples = ["After you, please.", "Would you be so kind as to shut the gate?"]

[[code]]
code = "R"
label = "rude"
definition = "An insult, or telling the reader off."
examples = ["Oh do shut up."]

[[code]]
code = "O"
label = "plain"
definition = "Neither."
"""

SENTENCES = {
    "courteous": (
        "Could you please tell me where the key hangs?",
        "Thank you so much, that was kind.",
        "If it is no trouble, send me the list.",
        "I am sorry to bother you about this again.",
        "Many thanks for your patience with me.",
        "May I ask how you joined the two halves?",
        "Please sit wherever you like.",
    ),
    "rude": (
        "You are an idiot and so is your dog.",
        "Nobody asked you.",
        "What a stupid idea, go away.",
        "Get lost, you clown.",
        "Are you blind or just thick?",
        "Read the manual before you waste my time, moron.",
        "Your opinion is rubbish.",
    ),
    "plain": (
        "The bridge opened in May.",
        "I missed the train by a minute.",
        "It costs twelve pounds.",
        "Version two came out last week.",
        "The tomatoes are ripe.",
        "We drove home along the coast.",
        "Blue was the colour of the old one.",
    ),
}


def _codings(folder: Path, **more: Any) -> Path:
    """Codings as `chorus label` writes them, over five threads."""
    rows = [(label, text) for label, texts in SENTENCES.items() for text in texts]
    path = folder / "ana.jsonl"
    lines = (
        {"id": f"u{n}", "text": text, "label": label, "thread_id": f"t{n % 5}", "coder": "ana", **more}
        for n, (label, text) in enumerate(rows)
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def manners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a codebook, codings and the classifier trained on them."""
    folder = tmp_path_factory.mktemp("manners")
    (folder / "manners.toml").write_text(CODEBOOK, encoding="utf-8")
    codings = _codings(folder)
    arguments = ["--codebook", str(folder / "manners.toml"), "--out", str(folder / "model"), "--quiet"]
    assert main(["train", str(codings), *arguments]) == 0
    return folder


@pytest.mark.model
def test_another_codebook_goes_through_the_whole_chain(manners: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, codings = str(manners / "model"), str(manners / "ana.jsonl")
    assert main(["classify", "--input", codings, "--classifier", model, "--no-cache", "--quiet"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    digest = load_codebook(manners / "manners.toml").digest
    assert {row["codebook"] for row in rows} == {digest}
    assert set(rows[0]["probabilities"]) == {"courteous", "rude", "plain"}
    assert rows[0]["promo"] is None  # the default codebook's; a missing value is null
    assert sum(row["label"] == label for row, label in zip(rows, _truth(), strict=True)) >= 18
    assert main(["evaluate", codings, "--classifier", model, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["codebook"], found["meta_as_promotion"]) == (digest, None)
    assert main(["codebook", "--codebook", str(manners / "manners.toml"), "--json"]) == 0
    assert {row["label"] for row in json.loads(capsys.readouterr().out)} == set(rows[0]["probabilities"])
    command = [sys.executable, "-m", "cli", "codebook", "--toml", "--codebook", str(manners / "manners.toml")]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout == CODEBOOK


def _truth() -> list[str]:
    return [label for label, texts in SENTENCES.items() for _ in texts]


@pytest.mark.model
def test_an_archive_is_labelled_counted_and_searched_with_it(
    manners: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = str(tmp_path / "a")
    rows = [{"url": "https://gates.example/1", "title": "Gates", "post": {"text": "The gate opened in May.", "author": "Ana"},
             "comments": [{"text": "You are an idiot and so is your dog.", "author": "Ben"},
                          {"text": "Many thanks for your patience with me.", "author": "Cy"}]}]  # fmt: skip
    source = tmp_path / "threads.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert main(["import", str(source), "-a", archive, "--quiet"]) in (0, 3)
    model = str(manners / "model")
    assert main(["classify", "-a", archive, "--classifier", model, "--quiet"]) == 0
    capsys.readouterr()
    assert main(["search", "idiot", "--label", "rude", "-a", archive]) == 0
    assert "dog" in capsys.readouterr().out
    assert main(["search", "idiot", "--label", "impolite", "-a", archive]) == 5
    assert "labels here: " in capsys.readouterr().err
    assert main(["estimate", "-a", archive, "--classifier", model, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["label"] for row in found["rows"]} == {"courteous", "rude", "plain"}
    assert main(["estimate", "-a", archive]) == 5  # nothing there is labelled by the shipped classifier


@pytest.mark.model
def test_training_twice_gives_the_same_classifier(manners: Path, tmp_path: Path) -> None:
    arguments = ["--codebook", str(manners / "manners.toml"), "--out", str(tmp_path / "again"), "--quiet"]
    assert main(["train", str(manners / "ana.jsonl"), *arguments]) == 0
    names = {Classifier.load(folder).name for folder in (manners / "model", tmp_path / "again")}
    assert len(names) == 1


@pytest.mark.model
def test_a_classifier_without_context_does_not_read_the_sentence_before(manners: Path, tmp_path: Path) -> None:
    folder = tmp_path / "alone"
    arguments = ["--codebook", str(manners / "manners.toml"), "--out", str(folder), "--no-context", "--quiet"]
    assert main(["train", str(manners / "ana.jsonl"), *arguments]) == 0

    def chances(place: Path, context: str | None) -> dict[str, float]:
        found = next(Classifier.load(place).classify([Item("1", "The gate is red.", context, "comment")]))
        return {one.label: one.probability for one in found.probabilities}

    before = "Get lost, you clown."
    assert chances(folder, before) == chances(folder, None)
    assert chances(manners / "model", before) != chances(manners / "model", None)


def test_what_cannot_be_trained_on_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = tmp_path / "manners.toml"
    book.write_text(CODEBOOK, encoding="utf-8")
    few = tmp_path / "few.jsonl"
    few.write_text('{"id": "1", "text": "Get lost.", "label": "rude", "thread_id": "t"}\n', encoding="utf-8")
    odd = tmp_path / "odd.jsonl"
    odd.write_text('{"id": "1", "text": "Get lost.", "label": "grim", "thread_id": "t"}\n', encoding="utf-8")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "photo.jpg").write_bytes(b"")
    new = str(tmp_path / "new")
    for arguments, words in (
        ([str(few), "--codebook", str(book), "--out", new], "needs 5 of each label"),
        ([str(odd), "--codebook", str(book), "--out", new], "'grim' is not in the codebook"),
        ([str(few), "--codebook", str(book), "--out", str(tmp_path / "taken")], "photo.jpg"),
        ([str(few), "--codebook", str(book), "--corpus", "--out", new], "another codebook"),
        ([str(few), "--codebook", str(book), "--mix", "rude=1", "--out", new], "share above 0 for each label"),
    ):
        assert main(["train", *arguments]) in (2, 4)
        said = capsys.readouterr().err
        assert words in said
        assert said.strip().splitlines()[-1].startswith("chorus: ")
    assert not (tmp_path / "new").exists()


def test_coders_who_disagree_are_left_out_unless_someone_decides(tmp_path: Path) -> None:
    book = tmp_path / "manners.toml"
    book.write_text(CODEBOOK, encoding="utf-8")
    codebook = load_codebook(book)
    rows = [
        {"id": "1", "text": "Hm.", "label": label, "coder": coder} for coder, label in (("a", "rude"), ("b", "plain"))
    ]
    found = own_codings(rows, codebook)
    assert (found.rows, found.disagreed) == ([], 1)
    found = own_codings([*rows, {"id": "1", "text": "Hm.", "label": "rude", "coder": "c"}], codebook)
    assert ([row["label"] for row in found.rows], found.disagreed) == (["rude"], 0)
    found = own_codings([*rows, {"id": "1", "label": "rude", "coder": "c"}], codebook, "b")
    assert [row["label"] for row in found.rows] == ["plain"]
    with pytest.raises(UsageError, match="no coding is by that coder"):
        own_codings(rows, codebook, "zoe")


def test_codings_of_another_codebook_are_never_left_out_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = tmp_path / "manners.toml"
    book.write_text(CODEBOOK, encoding="utf-8")
    own = {"id": "1", "label": "rude", "codebook": load_codebook(book).digest}
    other = {"id": "2", "label": "rude", "codebook": "sha256:dead", "codebook_name": "moods", "codebook_version": "2"}
    assert own_codings([own, other], load_codebook(book)).other == 1
    source = tmp_path / "coded.jsonl"
    source.write_text(json.dumps({**other, "text": "Go away."}) + "\n")
    assert main(["train", str(source), "--codebook", str(book), "--out", str(tmp_path / "new")]) == 2
    assert "1 codings are of moods 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('order = ["courteous", "rude", "plain"]', "'order' is missing"),
        ('label = "rude"', "'label' is missing"),
        ('definition = "Neither."', "'definition' is missing"),
    ],
)
def test_a_codebook_that_lacks_something_says_what(tmp_path: Path, change: str, words: str) -> None:
    book = tmp_path / "broken.toml"
    book.write_text(CODEBOOK.replace(change, ""), encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        load_codebook(book)


def test_labels_without_codes_and_codes_given_twice_are_refused(tmp_path: Path) -> None:
    book = tmp_path / "broken.toml"
    book.write_text(CODEBOOK.replace('"plain"]', '"plain", "odd"]'), encoding="utf-8")
    with pytest.raises(ConfigError, match="'odd' has no code"):
        load_codebook(book)
    book.write_text(CODEBOOK.replace('code = "R"', 'code = "k"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="k is there twice"):
        load_codebook(book)


@pytest.mark.model
def test_a_cost_makes_a_label_rarer_and_the_classifier_another(tmp_path: Path) -> None:
    texts = [
        "Come and see my shop, everything is ten percent off this week.",
        "Follow me on my new blog and subscribe to my newsletter!",
        "Our team offers workshops for companies, call us for a free quote.",
    ]
    items = [Item(str(n), text, None, "comment") for n, text in enumerate(texts)]
    plain, careful = Classifier.load(), Classifier.load(costs={"self-promotion": 50})
    assert plain.name != careful.name
    called = [sum(one.label == "self-promotion" for one in model.classify(items)) for model in (plain, careful)]
    assert called[0] > called[1]
    source = _codings(tmp_path)
    for cost in ("promotion=2", "self-promotion=0", "self-promotion", "meta-talk:promotion=2", "neither:neither=2"):
        assert main(["classify", "--input", str(source), "--cost", cost]) == 2


def test_a_cost_may_hang_on_what_is_the_truth() -> None:
    labels = ("promotion", "sharing", "meta:talk")
    costs = costs_of({"meta:talk:promotion": 4, "promotion": 0.5}, labels)
    assert costs.tolist() == [[0, 1, 1], [0.5, 0, 1], [4, 1, 0]]
    rows = np.array([[0.4, 0.5, 0.1], [0.6, 0.1, 0.3]])
    assert cheapest(rows, costs_of({}, labels)).tolist() == [1, 0]
    assert cheapest(rows, costs_of({"promotion": 0.5}, labels)).tolist() == [0, 0]
    assert cheapest(rows, costs).tolist() == [1, 2]
    assert cost_place("sharing:sharing", labels) is None


LANGUAGES = [
    ("Vielen Dank, das war wirklich eine sehr schöne Geschichte.", "de"),
    ("C'est très gentil de votre part, je vais lire votre blog ce soir.", "fr"),
    ("Muchas gracias por compartir estas recetas con todos nosotros.", "es"),
    ("これは素晴らしい記事です。", "ja"),
    ("Это очень хорошая статья, спасибо автору.", "ru"),
    ("Thanks for sharing this with all of us, it made my day.", None),
    ("lol ok grandad", None),
    ("Merci", None),  # too short to tell
    ("Das ist\x00 \x01wirklich\ud800 eine sehr schöne\ufffe Geschichte.", "de"),
    ("Tak for et rigtig godt indlæg, det har jeg lært meget af.", "da"),
    ("感謝您分享這篇文章。", "zh"),
    ("http://blog.example/2012/12/05/das-ist-ja-toll-und-schoen", None),
    ("GREAT STUFF MATE KEEP IT COMING", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "language"), LANGUAGES)
def test_other_languages_are_told_from_english(text: str, language: str | None) -> None:
    assert other_language(text) == language


@pytest.mark.model
def test_a_text_in_another_language_is_abstained_from_with_a_warning() -> None:
    texts = [
        "Vielen Dank, das war wirklich eine sehr schöne Geschichte.",
        "Thank you, that was a very nice story indeed.",
    ]
    german, english = Classifier.load().classify(Item(text, text, None, "comment") for text in texts)
    assert "language:de" in german.to_json()["warnings"]
    assert german.abstain
    assert english.to_json()["warnings"] == []


@pytest.mark.model
def test_a_text_unlike_the_training_texts_is_warned_of() -> None:
    odd = "def f(x): return x**2"
    found = list(
        Classifier.load().classify(Item("1", text, None, "comment") for text in (odd, "I baked a cake for my sister."))
    )
    assert "unlike" in found[0].warnings
    assert found[1].warnings == ()
