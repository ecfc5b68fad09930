"""Agreement of coders beyond alpha over all labels: AC1, codes of the second level, and the units that somebody must decide."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import main
from nlp.research.agreement import Unit, agreement, gwet, krippendorff, prevalence
from store.archive import Archive
from tests.test_research import units as published

Lines = list[dict[str, Any]]
Run = Callable[..., Lines]


def table(**cells: int) -> list[Unit]:
    """Two coders' units from a table: ``yn=5`` are five units that the first called y and the second n."""
    return [{"ana": cell[0], "ben": cell[1]} for cell, count in cells.items() for _ in range(count)]


def test_ac1_of_two_coders_by_hand() -> None:
    units = table(yy=118, yn=5, ny=2)
    # observed 118/125 = .944; y covers (123 + 120)/250 = .972; chance (.972 * .028 + .028 * .972)/(2 - 1) = .054432
    assert prevalence(units) == pytest.approx({"y": 0.972, "n": 0.028})
    assert gwet(units) == pytest.approx((0.944 - 0.054432) / (1 - 0.054432))  # .941
    alpha = krippendorff(units)
    assert alpha is not None
    assert alpha < 0  # what AC1 is for
    # observed .7; y covers (25 + 30)/100 = .55; chance 2 * .55 * .45 = .495
    assert gwet(table(yy=20, yn=5, ny=10, nn=15)) == pytest.approx((0.7 - 0.495) / (1 - 0.495))


def test_ac1_with_missing_codes_by_hand() -> None:
    units: list[Unit] = [
        {"ana": "a", "ben": "a", "cem": "a"},
        {"ana": "a", "ben": "a", "cem": "b"},
        {"ana": "b", "ben": "b"},
        {"ana": "c"},
        {"ben": "a", "cem": "c"},
    ]
    # observed, over the four units with two codes or more: (1 + 1/3 + 1 + 0)/4 = 7/12 = 525/900
    # a covers (1 + 2/3 + 1/2)/5 = 13/30, b (1/3 + 1)/5 = 8/30, c (1 + 1/2)/5 = 9/30
    # chance (1 - (169 + 64 + 81)/900)/(3 - 1) = 293/900
    assert prevalence(units) == pytest.approx({"a": 13 / 30, "b": 8 / 30, "c": 9 / 30})
    assert gwet(units) == pytest.approx((525 - 293) / (900 - 293))
    assert gwet([*units, {}]) == gwet(units)


def test_ac1_of_four_coders_is_that_of_an_independent_implementation() -> None:
    assert gwet(published()) == pytest.approx(0.775444068127, abs=1e-12)  # irrCAC 0.4.4 on the same codes


def test_ac1_is_not_defined_without_two_codes() -> None:
    assert gwet([]) is None
    assert gwet([{"ana": "y"}, {"ben": "n"}]) is None  # no unit was coded twice
    assert gwet(table(yy=5)) is None  # nobody could have disagreed


def test_the_interval_is_that_of_alpha_over_units_drawn_one_by_one() -> None:
    units = published()
    pairable = [unit for unit in units if len(unit) > 1]
    rng = np.random.default_rng(4)
    drawn = [[pairable[n] for n in rng.integers(len(pairable), size=len(pairable))] for _ in range(200)]
    values = [value for value in map(krippendorff, drawn) if value is not None]
    assert agreement(units, seed=4, draws=200).interval == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))


def coded(coder: str, codes: str, **more: Any) -> Lines:
    """A coder's lines: one unit a word, its label's first letter and perhaps the number of a code ("s1 n n s1"); - for none."""
    labels = {"s": "self-promotion", "c": "community-sharing", "n": "neither"}
    return [
        {
            "id": f"u{n}",
            "label": labels[word[0]],
            "code": word.upper() if len(word) > 1 else None,
            "coder": coder,
            "text": f"Sentence {n}.",
            "thread_id": f"t{n // 2}",
            **more,
        }
        for n, word in enumerate(codes.split())
        if word != "-"
    ]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``chorus agreement`` over lines; gives what it wrote. What it said on stderr lies in ``said``."""
    monkeypatch.chdir(tmp_path)

    def agree(lines: Lines, *arguments: str, code: int = 0) -> Lines:
        Path("codings.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        capsys.readouterr()
        assert main(["agreement", "codings.jsonl", *arguments]) == code
        shown = capsys.readouterr()
        Path("said").write_text(shown.err)
        return [json.loads(line) for line in shown.out.splitlines()]

    return agree


def said() -> str:
    return Path("said").read_text()


def test_every_row_has_ac1(run: Run) -> None:
    found = run(coded("ana", "s s n n c c") + coded("ben", "s n n n c c") + coded("cem", "s - - n - c"))
    names = [row["what"] for row in found]
    rest = [f"{label} against the rest" for label in ("community-sharing", "neither", "self-promotion")]
    assert names == ["all labels", *rest, "ana and ben", "ana and cem", "ben and cem"]
    # observed 5/6; s covers (1 + 1/2)/6, n (1/2 + 1 + 1)/6, c 2/6: chance (1 - (2.25 + 6.25 + 4)/36)/2
    chance = (1 - 12.5 / 36) / 2
    assert found[0]["ac1"] == pytest.approx((5 / 6 - chance) / (1 - chance))
    assert found[1]["ac1"] == 1.0
    assert all(set(row) == {"what", "units", "alpha", "low", "high", "ac1", "agreement"} for row in found[:4])
    assert all(set(row) == {"what", "units", "ac1", "kappa", "agreement"} for row in found[4:])
    # ana and ben leave nothing out, so theirs is what all coders' would be without cem
    assert found[4]["ac1"] == run(coded("ana", "s s n n c c") + coded("ben", "s n n n c c"))[0]["ac1"]
    assert said() == ""
    assert run(coded("ana", "s s") + coded("ben", "s s"))[0]["ac1"] is None


def test_codes_of_the_second_level(run: Run) -> None:
    ana, ben = "s1 " * 6 + "s2 " * 4 + "n n", "s1 " * 5 + "s s2 s2 s2 n n n"
    found = run(coded("ana", ana) + coded("ben", ben))
    at = [n for n, row in enumerate(found) if row["what"].startswith("code ")]
    assert [found[n]["what"] for n in at] == ["code S1 against the rest"]  # S2 was given 7 times
    assert found[at[0] - 1]["what"] == "self-promotion against the rest"
    assert found[at[0] + 1]["what"] == "ana and ben"
    # of ten units with a code anywhere, both say S1 in five, ana alone in one (ben gave no code there), nobody in four:
    # 20 codes, 11 S1 and 9 not; alpha 1 - (20 - 1) * 2/(20**2 - 11**2 - 9**2)
    row = found[at[0]]
    assert (row["units"], row["agreement"]) == (10, pytest.approx(0.9))
    assert row["alpha"] == pytest.approx(1 - 19 * 2 / 198)
    # observed .9; S1 covers 11/20: chance 2 * 11 * 9/400
    assert row["ac1"] == pytest.approx((0.9 - 0.495) / (1 - 0.495))
    assert row["low"] <= row["alpha"] <= row["high"]


def test_codes_count_from_ten_on_in_units_coded_twice(run: Run) -> None:
    def codes(lines: Lines) -> list[str]:
        return [row["what"] for row in run(lines) if row["what"].startswith("code ")]

    assert codes(coded("ana", "s s n") + coded("ben", "s n n")) == []
    assert codes(coded("ana", "s1 " * 5 + "n") + coded("ben", "s1 " * 5 + "n")) == ["code S1 against the rest"]
    assert codes(coded("ana", "s1 " * 30 + "n") + coded("ben", "s1 " * 4 + "- " * 26 + "n")) == []


def test_says_where_one_label_covers_nearly_all(run: Run) -> None:
    run(coded("ana", "n " * 17 + "s s s") + coded("ben", "n " * 17 + "s s s"))
    assert said() == ""  # 85 % is not above it
    run(coded("ana", "n " * 18 + "s s") + coded("ben", "n " * 17 + "s s s"))
    assert said() == "neither covers 87.5 % of the units: alpha falls there although coders agree; see AC1 (ac1)\n"
    run(coded("ana", "n " * 18 + "s s") + coded("ben", "n " * 17 + "s s s"), "--quiet")
    assert said() == ""


def test_units_on_which_coders_differ(run: Run) -> None:
    ana = coded("ana", "s1 s n c", role="comment", chance=0.5, split="dev", note="why not")
    ben = coded("ben", "s2 n n s", context="Before.", codebook=None)
    found = run([*ana, *ben, *coded("cem", "- - - -")], "--disagreed")
    where = {"context": "Before.", "role": "comment"}
    assert found == [
        {"id": "u1", "text": "Sentence 1.", **where, "thread_id": "t0", "chance": 0.5, "split": "dev"},
        {"id": "u3", "text": "Sentence 3.", **where, "thread_id": "t1", "chance": 0.5, "split": "dev"},
    ]
    assert run(coded("ana", "s n -") + coded("ben", "s n c"), "--disagreed", code=5) == []
    assert said().startswith("chorus: coders agree on all 2 units that were coded twice")
    assert run(coded("ana", "s n"), "--disagreed", code=5) == []
    assert "no unit was coded twice" in said()


def test_units_without_text_cannot_be_decided(run: Run) -> None:
    ana, ben = coded("ana", "s s n"), coded("ben", "n n n")
    for line in (ana[0], ben[0]):
        line["text"] = None
    assert [row["id"] for row in run(ana + ben, "--disagreed")] == ["u1"]
    assert said() == "1 of 2 units on which coders differ have no text in their codings: left out\n"
    run(ana[:1] + ben[:1], "--disagreed", code=5)
    assert "1 of 1 units" in said()


def test_coders_left_out(run: Run) -> None:
    lines = coded("ana", "s n n c") + coded("ben", "s s n c") + coded("decided", "n s n c", codebook="another")
    assert [row["id"] for row in run(lines, "--disagreed", "--leave-out", "decided")] == ["u1"]
    found = run(lines, "--leave-out", "decided")
    assert (found[0]["agreement"], found[-1]["what"]) == (0.75, "ana and ben")
    assert run(lines, "--leave-out", "decided", "--leave-out", "ben", code=5) == []
    assert run(lines, "--leave-out", "decidde", code=2) == []
    assert "--leave-out decidde: no coding is by that coder - coders here: ana, ben, decided" in said()


def test_from_two_passes_to_a_decision(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ["-a", str(tmp_path / "a")]
    Archive.create_or_open(tmp_path / "a")
    sample = tmp_path / "sample.jsonl"
    lines = [{"id": n, "text": f"Sentence {n}.", "role": "post", "split": "test", "page": f"p{n}"} for n in range(4)]
    sample.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def label(keys: str, units: Path, coder: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(keys.encode())))
        assert main(["label", str(units), "--coder", coder, *where]) == 0
        capsys.readouterr()

    def told(*arguments: str) -> str:
        assert main(["agreement", *arguments, *where]) == 0
        return capsys.readouterr().out

    label("P1\nP2\nM1\nC1\n", sample, "ana")
    label("P1\nC2\nM1\n4\n", sample, "ben")
    before = told()
    undecided = tmp_path / "to-decide.jsonl"
    undecided.write_text(told("--disagreed"))
    assert [json.loads(line) for line in undecided.read_text().splitlines()] == [lines[1], lines[3]]
    label("P2\n4\n", undecided, "decided")
    assert told() != before
    assert told("--leave-out", "decided") == before
    assert told("--disagreed", "--leave-out", "decided") == undecided.read_text()
