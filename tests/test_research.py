"""Samples, agreement, held-out error, prevalence: against worked examples and on a real archive."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import main
from cli.sample_blog import SampleBlog
from nlp.research.agreement import agreement, cohen, krippendorff
from nlp.research.estimate import estimate, true_mix
from nlp.research.evaluate import Judged, evaluate
from nlp.research.sampling import draw

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
