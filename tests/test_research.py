"""Samples, agreement, held-out error, prevalence: against worked examples and on a real archive."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.jobs.codings import weights_of
from cli.main import main
from cli.sample_blog import SampleBlog
from nlp.research.agreement import agreement, cohen, krippendorff
from nlp.research.estimate import estimate, true_mix
from nlp.research.evaluate import Judged, evaluate
from nlp.research.sampling import draw
from nlp.train import teaching
from store.archive import Archive
from store.records import UsageError
from store.tables import Tables

#: Four observers, twelve units, missing codes: the worked example of Krippendorff (2011), nominal alpha .743.
OBSERVERS = {
    "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
}


def units() -> list[dict[str, int]]:
    return [{c: codes[n] for c, codes in OBSERVERS.items() if codes[n] is not None} for n in range(12)]  # type: ignore[misc]


def test_alpha_of_the_published_example() -> None:
    assert krippendorff(units()) == pytest.approx(0.743, abs=0.0005)
    found = agreement(units())
    assert found.interval
    assert found.interval[0] < 0.743 < found.interval[1]
    assert found.units == 11
    assert krippendorff([{"a": 1, "b": 1}] * 5) is None  # nobody could have disagreed


def test_kappa_by_hand() -> None:
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen(pairs) == pytest.approx(0.4)  # agreement .7, by chance .5


def test_prevalence_is_freed_of_a_known_confusion() -> None:
    rates = np.array([[0.8, 0.2], [0.05, 0.95]])
    calls = np.array([0.1, 0.9]) @ rates * 10_000
    assert true_mix(calls, rates)[0] == pytest.approx(0.1, abs=1e-3)
    assert true_mix(np.array([300.0, 9700.0]), rates)[0] == pytest.approx(0.0, abs=1e-3)  # fewer than its errors alone
    parts = [np.random.default_rng(n).multinomial(200, np.array([0.1, 0.9]) @ rates) for n in range(40)]
    found = estimate(parts, (rates * 1000).astype(int))
    assert found.intervals
    low, high = found.intervals[0]
    assert low < 0.1 < high
    assert found.raw[0] > 0.11  # what counting alone would have told


def test_evaluation_by_hand_and_by_the_benchs_scorer(tmp_path: Path) -> None:
    rows = [
        Judged("a", "a", 0.9, "1"),
        Judged("a", "b", 0.6, "1"),
        Judged("b", "b", 0.8, "2"),
        Judged("b", "b", 0.7, "2"),
    ]
    found = evaluate(rows, ("a", "b"))
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert found["confusion"] == [[1, 1], [0, 2]]
    bench = Path(__file__).parents[2] / "shared" / "bench" / "classification"
    if not bench.is_dir():
        return
    gold = [json.loads(line) for line in (bench / "gold_dev.jsonl").read_text().splitlines()]
    labels = ("self-promotion", "community-sharing", "meta-talk", "neither")
    called = [labels[(n * 7) % 4] if n % 3 else row["label"] for n, row in enumerate(gold)]
    predictions = tmp_path / "p.jsonl"
    lines = [{"id": g["id"], "label": c, "probabilities": {c: 0.75}} for g, c in zip(gold, called, strict=True)]
    predictions.write_text("\n".join(map(json.dumps, lines)))
    command = [sys.executable, str(bench / "score.py"), str(bench / "gold_dev.jsonl"), str(predictions), "--json"]
    theirs = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    ours = evaluate([Judged(g["label"], c, 0.75, g["host"]) for g, c in zip(gold, called, strict=True)], labels)
    for mine, other in (("macro_f1", "macro_f1"), ("alpha", "alpha"), ("calibration_error", "ece")):
        assert ours[mine] == pytest.approx(theirs[other], abs=1e-9)


def test_few_sentences_leave_open_what_they_do_not_show() -> None:
    """Nine sentences, none called a: from 0 upwards, not 0 to 0; nine hundred say more."""
    confusion = np.array([[90.0, 10.0], [1.0, 99.0]])
    few = estimate([np.array([0, 5]), np.array([0, 4])], confusion)
    many = estimate([np.array([0, 500]), np.array([0, 400])], confusion)
    assert few.intervals and many.intervals
    assert few.corrected[0] == pytest.approx(0.0, abs=1e-3)
    assert few.intervals[0][0] == pytest.approx(0.0, abs=1e-3)
    assert few.intervals[0][1] > 0.1 > 0.01 > many.intervals[0][1]


def test_units_that_were_not_drawn_alike_weigh_by_what_they_stand_for() -> None:
    """A label of every second call drawn whole, the other at one in ten: weighing gives what all of them would have."""
    every = [("a", "a")] * 40 + [("a", "b")] * 20 + [("b", "b")] * 400 + [("b", "a")] * 10
    drawn = [
        Judged(t, c, 0.8, str(n), 1.0 if c == "a" else 10.0)
        for n, (t, c) in enumerate(every)
        if c == "a" or n % 10 == 0
    ]
    found, whole = evaluate(drawn, ("a", "b")), evaluate([Judged(t, c, 0.8, "") for t, c in every], ("a", "b"))
    assert found["accuracy"] == pytest.approx(whole["accuracy"])
    assert found["labels"]["a"]["recall"] == pytest.approx(40 / 60)
    assert found["confusion"] == [[40, 2], [10, 40]]
    assert found["effective_units"] < found["units"] == len(drawn)
    own, plain = np.array(found["confusion_weighted"]), np.array(whole["confusion"], float)
    assert own / own.sum(axis=1, keepdims=True) == pytest.approx(plain / plain.sum(axis=1, keepdims=True))
    assert own.sum() < len(drawn)
    assert evaluate([replace(one, weight=1.0) for one in drawn], ("a", "b"))["confusion_weighted"] == found["confusion"]


def test_chances_are_given_for_all_lines_or_none() -> None:
    assert weights_of([{"id": 1}, {"id": 2}]) == [1.0, 1.0]
    assert weights_of([{"id": 1, "chance": 0.5}, {"id": 2, "chance": 0.1}]) == pytest.approx([2 / 6, 10 / 6])
    for odd in (None, 0, 1.5, "1", True):
        with pytest.raises(UsageError, match="unit 2"):
            weights_of([{"id": 1, "chance": 0.5}, {"id": 2, "chance": odd}])


def test_samples_leak_nothing_and_can_be_drawn_again() -> None:
    clusters = [f"thread-{n % 9}" for n in range(400)]
    strata = ["rare" if n % 40 == 0 else "common" for n in range(400)]
    drawn = draw(clusters, strata, 40, seed=3)
    assert drawn == draw(clusters, strata, 40, seed=3)
    assert drawn != draw(clusters, strata, 40, seed=4)
    assert Counter(strata[one.index] for one in drawn) == {"rare": 10, "common": 30}
    sides = {clusters[one.index]: {o.split for o in drawn if clusters[o.index] == clusters[one.index]} for one in drawn}
    assert all(len(found) == 1 for found in sides.values())
    assert {one.chance for one in drawn if strata[one.index] == "rare"} == {1.0}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample blog's threads, imported as pages (no browser needed) and classified."""
    folder = tmp_path_factory.mktemp("research")
    with SampleBlog() as blog:
        for number, url in enumerate(blog.post_urls):
            path = "/" + url.split("/", 3)[3]
            (folder / f"{number}.html").write_bytes(blog.pages[path][1])
        for number, url in enumerate(blog.post_urls):
            code = main(["import", str(folder / f"{number}.html"), "--url", url, "-a", str(folder / "a"), "--quiet"])
            assert code == 0
    assert main(["classify", "-a", str(folder / "a"), "--quiet"]) == 0
    return folder / "a"


def output(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main([*arguments]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.model
def test_the_loop_on_an_archive(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = output(capsys, "sample", "-n", "60", "--stratify", "-a", str(archive))
    assert len(rows) == 60
    assert not any("label" in row for row in rows)
    labels = output(capsys, "classify", "--input", _file(tmp_path / "s.jsonl", rows))
    coded = [{**r, "label": one["label"], "coder": "ana"} for r, one in zip(rows, labels, strict=True)]
    other = [{**r, "label": "neither", "coder": "ben"} for r in rows]
    gold = _file(tmp_path / "gold.jsonl", coded)
    told = {row["what"]: row["value"] for row in output(capsys, "evaluate", gold)}
    assert told["macro_f1"] == pytest.approx(1.0)  # the machine's own labels
    found = output(capsys, "agreement", gold, _file(tmp_path / "other.jsonl", other))
    assert found[0]["what"] == "all labels"
    assert found[-1]["what"] == "ana and ben"
    for by in ("archive", "site", "author", "year"):
        shares = output(capsys, "estimate", "--by", by, "-a", str(archive))
        groups = {row[by] for row in shares}
        assert sum(row["estimate"] for row in shares) == pytest.approx(len(groups), abs=1e-3)
        assert all(row["labels_by"] == "machine" and row["held_out_error"] > 0 for row in shares)
    assert len(output(capsys, "estimate", "--gold", gold, "-a", str(archive))) == 4


@pytest.mark.model
def test_sentences_of_the_archive_are_held_against_its_own_labels(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Judged alone they get other labels than in view of their threads: what corrects the one must come from the one."""
    tables = Tables.open(Archive.open(archive))
    called = {(row["revision_id"], row["start"]): row["label"] for row in tables.rows("labels")}
    rows = output(capsys, "sample", "-n", "100", "--seed", "7", "-a", str(archive))
    places = [(row["id"].rpartition(":")[0], int(row["id"].rpartition(":")[2])) for row in rows]
    gold = _file(tmp_path / "gold.jsonl", [{**r, "label": called[p]} for r, p in zip(rows, places, strict=True)])
    told = {row["what"]: row["value"] for row in output(capsys, "evaluate", gold, "-a", str(archive))}
    assert told["in_archive"] == 100 and told["accuracy"] == 1.0
    assert main(["evaluate", gold]) == 0
    said = capsys.readouterr()
    assert "100 sentences of entries were judged by themselves" in said.err
    alone = {row["what"]: row["value"] for row in map(json.loads, said.out.splitlines())}
    assert alone["in_archive"] == 0 and alone["accuracy"] < 1.0
    shares = output(capsys, "estimate", "--gold", gold, "-a", str(archive))
    assert all(abs(row["estimate"] - row["called"]) < 0.03 for row in shares)
    assert shares[0]["held_out_error"] == 0 and "as labelled in the archive" in shares[0]["confusion_from"]
    assert main(["evaluate", gold, "-a", str(archive), "--cost", "self-promotion=5"]) == 5  # not labelled so
    assert "chorus classify" in capsys.readouterr().err


@pytest.mark.model
def test_groups_of_one_name_stay_apart_and_what_has_none_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "a"
    said = (
        ("Anna", "I have read it. It was long. I liked the end. Then I slept. That is all."),
        ("", "Nobody signed this."),
    )
    for number, site in enumerate(("one", "two")):
        comments = "".join(
            f'<li class="comment" id="comment-{n}"><cite class="fn">{who}</cite>'
            f'<div class="comment-content"><p>{text}</p></div></li>'
            for n, (who, text) in enumerate(said)
        )
        page = tmp_path / f"{number}.html"
        page.write_text(
            "<html><head><title>Open thread</title></head><body><article><h1>Open thread</h1><p>Say what you like here, as long "
            f'as it is kind to others.</p></article><ol class="commentlist">{comments}</ol></body></html>'
        )
        assert main(["import", str(page), "--url", f"https://{site}.example/open/", "-a", str(place), "-q"]) == 0
    assert main(["classify", "-a", str(place), "-q"]) == 0
    threads = output(capsys, "estimate", "--by", "thread", "-a", str(place))
    assert len({row["thread"] for row in threads}) == 2 and {row["title"] for row in threads} == {"Open thread"}
    assert main(["estimate", "--by", "author", "-a", str(place)]) == 0
    told = capsys.readouterr()
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert {(row["author"], row["site"], row["sentences"]) for row in rows} == {
        ("Anna", "one.example", 5),
        ("Anna", "two.example", 5),
    }
    assert "sentences without an author's name are left out" in told.err
    years = output(capsys, "estimate", "--by", "year", "-a", str(place))
    assert {row["year"] for row in years} == {None} and years[0]["sentences"] == threads[0]["sentences"] * 2


@pytest.mark.model
def test_what_makes_figures_hard_to_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = next(s for s in teaching() if len(s.text.split()) > 8)
    rows = [
        {"id": 1, "text": known.text, "label": known.label, "coder": "ana"},
        {"id": 1, "text": known.text, "label": known.label, "coder": "ben"},
        {"id": 2, "text": "The ferry was late again.", "label": "neither", "coder": "ana"},
        {"id": 2, "text": "The ferry was late again.", "label": "meta-talk", "coder": "ben"},
    ]
    gold = _file(tmp_path / "gold.jsonl", rows)
    assert main(["evaluate", gold]) == 0
    said = capsys.readouterr()
    told = {row["what"]: row["value"] for row in map(json.loads, said.out.splitlines())}
    assert told["units"] == 1
    assert "1 of 1 sentences are among those that the classifier learned from" in said.err
    assert "1 units on which coders differ" in said.err and "macro-F1 counts that as 0" in said.err
    assert {r["what"]: r["value"] for r in output(capsys, "evaluate", gold, "--decided-by", "ana")}["units"] == 2
    for wrong, words in (
        ([{"id": 1, "text": "One.", "label": "neither"}, {"id": 1, "text": "Two.", "label": "neither"}], "line 2"),
        ([{"id": 1, "text": "One.", "label": "neither", "codebook": "sha256:dead"}], "none is of"),
    ):
        assert main(["evaluate", _file(tmp_path / "wrong.jsonl", wrong)]) == 2
        assert words in capsys.readouterr().err


def _file(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


@pytest.mark.model
def test_files_that_will_not_do_say_which_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"id": 1, "label": "neither", "text": "x"}\n{"id": 2}\n')
    assert main(["evaluate", str(bad)]) == 2
    assert "line 2" in capsys.readouterr().err
    bad.write_text('{"id": 1, "label": "praise", "text": "x"}\n')
    assert main(["evaluate", str(bad)]) == 4
    assert main(["agreement", str(bad)]) == 5
    assert main(["estimate", "--by", "moon", "-a", str(tmp_path)]) == 2
