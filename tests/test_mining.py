"""Text mining: words, keyword in context, keyness, topics, duplicates; formulas by hand, commands on real tables."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.commands.kwic import lines
from cli.jobs.kwic import KwicRequest, kwic_rows
from cli.jobs.narrowed import Narrowed
from cli.jobs.topics import TopicsRequest, topics_report
from cli.main import main
from nlp.mining.duplicates import Finder, jaccard, rows_per_band, shingles
from nlp.mining.keyness import (
    Counts,
    benjamini_hochberg,
    deviation_of_proportions,
    keyness,
    log_likelihood,
    log_ratio,
    p_value,
)
from nlp.mining.kwic import compile_keyword, concordance
from nlp.mining.topics import Sample, TopicCollector, choose_number, class_tf_idf, find_centres, nearest_centre, unit
from nlp.mining.words import stop_words, words
from store.archive import Archive
from store.manifest import RunRecorder
from store.records import (
    LABELS,
    Entry,
    Label,
    LabelProbability,
    NothingFound,
    Passage,
    Thread,
    UsageError,
    Visit,
    label_id,
    make_id,
    passage_id,
    revision_id,
    text_digest,
)
from store.tables import Tables

# -- an archive ------------------------------------------------------------------------------------------------


def entry(site: str, n: int, text: str, author: str | None, published: str | None, **changes: Any) -> Entry:
    thread, own = make_id("thread", site), make_id("entry", site, n)
    made = Entry(
        revision_id=revision_id(own, author=author, parent_id=None, state="visible", text=text), entry_id=own,
        thread_id=thread, position=n, native_id=str(n), kind="comment" if n else "post", parent_id=None, parent_source=None,
        depth=min(n, 1), author=author, author_url=None, is_post_author=False, published=published, published_text=None,
        published_precision="day", url=f"https://{site}/p#{n}" if n else None, state="visible", edited=None, text=text,
        text_digest=text_digest(text), captured_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    return replace(made, **changes)


def write(tables: Tables, site: str, entries: Sequence[Entry], captured_at: str = "2026-01-01T00:00:00Z") -> None:
    """One visit that saw exactly these entries."""
    thread_id, visit = make_id("thread", site), make_id("visit", site, captured_at)
    thread = Thread(
        thread_id=thread_id, url=f"https://{site}/p", canonical_url=f"https://{site}/p", site=site, platform=None,
        title=f"Talk at {site}", language="en", announced_count=None, captured_count=len(entries), completeness="complete",
        completeness_reason=None, captured_at=captured_at, visit_id=visit,
    )  # fmt: skip
    seen = Visit(
        visit_id=visit, url=thread.url, final_url=None, captured_at=captured_at, outcome="captured", status=200, error=None,
        media_type=None, thread_id=thread_id, revision_ids=tuple(e.revision_id for e in entries),
    )  # fmt: skip
    tables.write([seen], [thread], [replace(e, captured_at=captured_at) for e in entries])


COPY = "Come and read my new book, it is out on Friday in every good shop."
TALK = [
    ("Our community shared the seeds.\nThe Community garden thanks you all.", "Ana", "2012-05-01"),
    ("I read it; the community's own words, don’t you think?", "Bo", "2012-06-02T10:00:00-08:00"),
    (COPY, "Cy", "2013-01-01"),
    ("Nobody mentioned communities at all.", "Dee", "2013-02-03"),
    ("=cmd|' /C calc'!A0 community \x1b[31mred\x07 alert", "-Eve", None),
    ("this comment was edited away: community", "Bo", "2012-07-01"),
    ("this comment vanished: community", "Bo", "2012-07-02"),
    ("this comment is hidden: community", "Bo", "2012-07-03"),
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sites; at a second visit to the first one comment was edited, one was gone, one is hidden."""
    found = Archive.create_or_open(tmp_path_factory.mktemp("mining") / "archive")
    tables = Tables.open(found)
    first = [entry("a.example", n, *row) for n, row in enumerate(TALK)]
    first[7] = replace(first[7], state="hidden")
    write(tables, "a.example", first)
    edited = entry("a.example", 5, "edited: nothing of it is left", "Bo", "2012-07-01")
    write(tables, "a.example", [*first[:5], edited, first[7]], "2026-02-01T00:00:00Z")
    write(
        tables,
        "b.example",
        [
            entry("b.example", 0, COPY.replace("Friday", "Sunday"), "Cy", "2012-12-24"),
            entry("b.example", 1, "  " + COPY.replace(" in ", "\nin "), "Fay", "2014-01-01"),
            entry("b.example", 2, "Our community shares.", "ana", "2014-02-01"),
        ],
    )
    label_all(found, tables)
    return found.root


def label_all(found: Archive, tables: Tables) -> None:
    """Two runs over every sentence; the newer says community-sharing where a text speaks of a community."""
    for model in ("old@1", "new@2"):
        time.sleep(1.1)  # manifests tell the second in which a run began
        with RunRecorder(found, "classify") as run:
            made = [label(e, run.run_id, model) for e in tables.iter_entries()]
            tables.add_labels([one for group in made for one in group])


def label(found: Entry, run: str, model: str) -> Iterator[Label]:
    for match in re.finditer(r"[^\n.]+", found.text):
        name = "self-promotion" if model == "old@1" else "community-sharing" if "ommunity" in match[0] else "neither"
        abstain = "alert" in match[0]
        yield Label(
            label_id=label_id(found.revision_id, *match.span(), "sentence", model, "c"), run_id=run,
            revision_id=found.revision_id, entry_id=found.entry_id, thread_id=found.thread_id, unit="sentence",
            start=match.start(), end=match.end(), text=match[0], label=name, promo=0.1, share=0.1, meta=0.1,
            probabilities=tuple(LabelProbability(label=one, probability=0.9 if one == name else 0.03) for one in LABELS),
            abstain=abstain, cues=(), model=model, codebook="c",
        )  # fmt: skip


def chorus(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    assert main([str(part) for part in arguments]) == code
    out, err = capsys.readouterr()
    assert code == 0 or (err.count("\n") == 1 and not out), err
    return out if code == 0 else err


def json_lines(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in chorus(capsys, *arguments, "--format", "jsonl").splitlines()]


# -- words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don’t say “it's” — L'été", ["don't", "say", "it's", "l'été"]),
        ("self-promotion, foo_bar; 3rd", ["self", "promotion", "foo", "bar", "3rd"]),
        ("cafe\u0301 CAFÉ", ["café", "café"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("社区 ひと カタカナ", ["社", "区", "ひ", "と", "カタカナ"]),
        ("see https://a.example/x?community=1 or www.b.example, write me@c.example", ["see", "or", "write"]),
        ("soft\u00adhyphen می\u200cخواهم", ["softhyphen", "می\u200cخواهم"]),
        ("a" * 100 + " 'quoted' rock 'n' roll", ["quoted", "rock", "n", "roll"]),
        ("", []),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_stop_words_are_those_of_the_languages_named() -> None:
    assert "the" in stop_words(("en-GB",))
    assert "der" in stop_words(("de", "xx"))
    assert "die" not in stop_words(("en",))
    assert stop_words(("xx",)) == stop_words(()) == stop_words(("en",))


# -- keyword in context ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "options", "expected"),
    [
        ("community", {}, ["community", "Community"]),
        ("community", {"case": True}, ["community"]),
        ("communit*", {}, ["community", "Community", "communities"]),
        ("the community garden", {}, ["The Community garden"]),
        ("the * garden", {}, ["The Community garden"]),
        ("don't", {}, ["don’t"]),
        ("self promotion", {}, ["self-promotion"]),
        ("c*y", {}, ["community", "Community"]),
        ("ommun", {}, []),
        ("ommun", {"regex": True}, ["ommun", "ommun", "ommun"]),
        (r"\bself\W", {"regex": True}, ["self-"]),
        ("x*", {"regex": True}, []),
    ],
)
def test_a_keyword_stands_where_it_stands(query: str, options: dict[str, bool], expected: list[str]) -> None:
    text = "Our community, don’t forget.\nThe Community garden: no self-promotion of communities."
    found = list(concordance(text, compile_keyword(query, **options), 2))
    assert [line.keyword for line in found] == expected
    assert [text[line.start : line.end] for line in found] == expected


def test_the_context_is_so_many_words_on_each_side_as_written() -> None:
    keyword = compile_keyword("d")
    [line] = concordance("a, b -- c\n d! e (f) g.", keyword, 2)
    assert (line.left, line.keyword, line.right) == ("b -- c", "d", "! e (f")
    [edge] = concordance("d", keyword, 5)
    assert (edge.left, edge.right) == ("", "")
    [none] = concordance("c d e", keyword, 0)
    assert (none.left, none.right) == ("", "")
    assert [line.start for line in concordance("d d d d", compile_keyword("d d"), 1)] == [0, 4]


@pytest.mark.parametrize(("query", "regex"), [("*", False), ("!!", False), ("(", True), ("w " * 30, False)])
def test_what_is_no_keyword_is_refused(query: str, regex: bool) -> None:
    with pytest.raises(UsageError):
        compile_keyword(query, regex=regex)


def test_only_what_the_latest_visit_saw_and_is_visible_counts(archive: Path) -> None:
    rows = list(kwic_rows(archive, KwicRequest(query="community*")))
    assert len(rows) == 5
    assert not any("this comment" in row["left"] for row in rows)
    with pytest.raises(NothingFound):
        kwic_rows(archive, KwicRequest(query="vanished"))
    with pytest.raises(NothingFound):
        kwic_rows(archive, KwicRequest(query="hidden"))
    [edited] = kwic_rows(archive, KwicRequest(query="edited"))
    assert edited["right"] == ": nothing of it is left"


def test_a_line_leads_back_to_its_entry(archive: Path) -> None:
    row = next(kwic_rows(archive, KwicRequest(query="seeds", window=3)))
    assert (row["left"], row["keyword"], row["right"]) == (
        "Our community shared the"[4:],
        "seeds",
        ". The Community garden",
    )
    expected = {"author": "Ana", "date": "2012-05-01", "permalink": "https://a.example/p", "site": "a.example"}
    assert {name: row[name] for name in expected} == expected
    assert row["thread_id"] == make_id("thread", "a.example")
    assert row["entry_id"] == make_id("entry", "a.example", 0)


@pytest.mark.parametrize(
    ("narrowed", "count"),
    [
        ({"site": "www.B.example"}, 1),
        ({"author": "ANA"}, 3),
        ({"since": "2012-05", "until": "2012-06-02"}, 2),
        ({"since": "2012-05-02"}, 1),
        ({"kind": "post"}, 2),
        ({"thread": make_id("thread", "b.example")[:6]}, 1),
    ],
)
def test_lines_are_narrowed(archive: Path, narrowed: dict[str, str], count: int) -> None:
    rows = list(kwic_rows(archive, KwicRequest(query="community", narrowed=Narrowed(**narrowed))))
    assert len(rows) == count


def test_a_label_counts_by_sentence_and_the_newest_run(archive: Path) -> None:
    request = KwicRequest(query="*e*", label="community-sharing")
    assert {row["keyword"] for row in kwic_rows(archive, request)} >= {"seeds", "shared", "garden"}
    assert "alert" not in {row["keyword"] for row in kwic_rows(archive, request)}  # the model abstained
    [line] = kwic_rows(archive, replace(request, query="nobody", label="neither"))
    assert line["author"] == "Dee"
    with pytest.raises(NothingFound, match="stands nowhere"):
        kwic_rows(archive, KwicRequest(query="community", label="self-promotion"))


def test_lines_sort_by_their_neighbours_and_dates(archive: Path) -> None:
    def column(sort: str, name: str, k: int | None = None) -> list[Any]:
        return [row[name] for row in kwic_rows(archive, KwicRequest(query="communit*", sort=sort, k=k))]

    rights = [words(right)[0] for right in column("right", "right")]
    assert rights == ["31mred", "at", "garden", "own", "shared", "shares"]
    assert [words(left)[-1] for left in column("left", "left")] == ["a0", "mentioned", "our", "our", "the", "the"]
    dates = column("date", "date")
    assert dates[-1] is None
    assert dates[:-1] == sorted(dates[:-1])
    assert column("date", "date", 2) == dates[:2]


def test_the_command_shows_lines_safely(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = chorus(capsys, "kwic", "community", "-a", archive, "--format", "table")
    assert "\x1b" not in table
    assert "\x07" not in table
    rows = list(csv.DictReader(io.StringIO(chorus(capsys, "kwic", "community", "-a", archive, "--format", "csv"))))
    assert len(rows) == len(table.splitlines()) == 4
    assert not any(cell.startswith(("=", "-", "@", "+")) for row in rows for cell in row.values())
    assert json.loads(chorus(capsys, "kwic", "garden", "-a", archive, "--json"))[0]["keyword"] == "garden"
    assert len(json_lines(capsys, "kwic", "our", "community", "-a", archive)) == 2
    assert "stands nowhere" in chorus(capsys, "kwic", "zzzz", "-a", archive, code=5)
    assert "regular expression" in chorus(capsys, "kwic", "--regex", "[", "-a", archive, code=2)
    assert "not a date" in chorus(capsys, "kwic", "x", "--since", "soon", "-a", archive, code=2)


def test_keywords_stand_below_one_another() -> None:
    row = {
        "left": "日本 " * 40,
        "keyword": "key",
        "right": "r " * 90,
        "author": None,
        "date": None,
        "entry_id": "f" * 32,
    }
    plain = {**row, "left": "short", "author": "A" * 50, "date": "2012-01-01T10:00"}
    shown = list(lines([row, plain]))
    from cli.output import display_width

    assert {display_width(line[: line.index("key")]) for line in shown} == {display_width(shown[0].split("key")[0])}
    assert all("f" * 10 in line and "f" * 11 not in line for line in shown)


MINING = ("kwic", "keyness", "topics", "duplicates")


@pytest.mark.parametrize("name", MINING)
def test_no_archive_is_exit_4_and_help_has_examples(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = {"kwic": ["x"], "keyness": ["--by", "site"]}.get(name, [])
    assert "no archive" in chorus(capsys, name, *needed, "-a", tmp_path / "none", code=4)
    assert "Examples:" in chorus(capsys, name, "--help")
    empty = Archive.create_or_open(tmp_path / "empty").root
    assert "harvest" in chorus(capsys, name, *needed, "-a", empty, code=5)


def test_the_command_modules_import_nothing_heavy() -> None:
    code = "import sys\n" + "".join(f"import cli.commands.{name}, cli.jobs.{name}\n" for name in MINING)
    code += "print([m for m in ('numpy', 'sklearn', 'lancedb', 'pyarrow', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


# -- keyness: by hand ------------------------------------------------------------------------------------------


def test_log_likelihood_by_hand() -> None:
    # 10 and 5 in 1,000 words each: both expected 7.5
    expected = 2 * (10 * math.log(10 / 7.5) + 5 * math.log(5 / 7.5))
    assert log_likelihood([10], [5], 1000, 1000)[0] == pytest.approx(expected) == pytest.approx(1.6990, abs=1e-4)
    # 0 in 1,000 and 8 in 3,000: expected 2 and 6; the empty side adds nothing
    assert log_likelihood([0], [8], 1000, 3000)[0] == pytest.approx(16 * math.log(8 / 6))
    assert log_likelihood([3], [9], 1000, 3000)[0] == pytest.approx(0, abs=1e-12)
    assert log_likelihood([4], [0], 100, 300)[0] == pytest.approx(8 * math.log(4))


def test_log_ratio_by_hand() -> None:
    assert log_ratio([10, 4, 0, 6], [5, 8, 4, 0], 1000, 1000) == pytest.approx([1, -1, -3, math.log2(12)])
    assert log_ratio([3], [3], 1000, 4000)[0] == pytest.approx(2)


def test_p_values_are_those_of_the_tables() -> None:
    assert p_value([0, 3.841459, 6.634897, 10.827566]) == pytest.approx([1, 0.05, 0.01, 0.001], rel=1e-5)


def test_false_discovery_as_in_the_paper() -> None:
    # Benjamini & Hochberg 1995, section 3.2: at 5 % the first four are called
    p = [.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1.0]  # fmt: skip
    q = benjamini_hochberg(p[::-1])[::-1]
    assert (q <= 0.05).sum() == 4
    assert q[0] == pytest.approx(0.0015)
    assert q[3] == pytest.approx(0.0095 * 15 / 4)
    assert q[4] == pytest.approx(0.0344 * 15 / 8 if 0.0344 * 15 / 8 < 0.0201 * 3 else 0.0201 * 3)
    assert all(a <= b for a, b in pairwise(q))
    assert len(benjamini_hochberg([])) == 0


def test_dispersion_by_hand() -> None:
    # shares .2 .3 .5; all in the last: (.2 + .3 + .5) / 2 = .5, by 1 - .2
    assert deviation_of_proportions([0, 0, 5], [20, 30, 50]) == pytest.approx(0.625)
    assert deviation_of_proportions([5, 0, 0], [20, 30, 50]) == pytest.approx(1)
    assert deviation_of_proportions([2, 3, 5], [20, 30, 50]) == pytest.approx(0)
    assert deviation_of_proportions([2], [20]) is None


def texts_by_chance(seed: int) -> list[tuple[str, str, list[str]]]:
    rng = random.Random(seed)
    vocabulary = [f"w{n}" for n in range(40)]
    weights = {group: [rng.random() ** 3 for _ in vocabulary] for group in "xyz"}
    return [
        (group, rng.choice("abcdef"), rng.choices(vocabulary, weights[group], k=rng.randrange(1, 30)))
        for group in rng.choices("xyz", k=150)
    ]


def test_counts_give_what_plain_counting_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlp.mining.keyness.PENDING", 500)  # add up several times on the way
    texts = texts_by_chance(3)
    counts = Counts()
    for group, author, found in texts:
        counts.add(group, author, found)
    table = counts.table()
    sizes = {g: sum(len(found) for group, _, found in texts if group == g) for g in "xyz"}
    assert {g.name: g.words for g in table.groups} == sizes
    shown = keyness(table, "x", "y", min_count=3, min_parts=2)
    assert len(shown) > 5
    for word in shown:
        a = sum(found.count(word.word) for group, _, found in texts if group == "x")
        b = sum(found.count(word.word) for group, _, found in texts if group == "y")
        by_author = Counter(author for group, author, found in texts if group == "x" for w in found if w == word.word)
        words_of = Counter(author for group, author, found in texts if group == "x" for _ in found)
        assert (word.count, word.reference_count, word.parts) == (a, b, len(by_author))
        assert word.g2 == pytest.approx(log_likelihood([a], [b], sizes["x"], sizes["y"])[0])
        assert word.p == pytest.approx(p_value([word.g2])[0])
        authors = sorted(words_of)
        spread = deviation_of_proportions([by_author[x] for x in authors], [words_of[x] for x in authors])
        assert word.dispersion == pytest.approx(spread)
        assert word.per_million == pytest.approx(1e6 * a / sizes["x"])
    rest = {word.word: word for word in keyness(table, "x", min_count=1, min_parts=1)}
    for word in rest.values():
        assert word.reference_count == sum(found.count(word.word) for group, _, found in texts if group != "x")


def test_one_persons_habit_is_not_key() -> None:
    counts = Counts()
    for n in range(6):
        counts.add("x", f"p{n}", ["shared"] * 3 + ["and"] * 20 + ["gerald"] * (30 if n == 0 else 0))
        counts.add("y", f"p{n}", ["and"] * 40)
    table = counts.table()
    assert [word.word for word in keyness(table, "x")] == ["shared"]
    [gerald, shared] = keyness(table, "x", min_parts=1)
    assert (gerald.word, gerald.parts) == ("gerald", 1)
    assert gerald.dispersion is not None
    assert shared.dispersion is not None
    assert gerald.dispersion > 0.7 > 0.2 > shared.dispersion
    assert keyness(table, "nobody") == []


# -- keyness: the command --------------------------------------------------------------------------------------


def test_keyness_by_label_names_the_machine(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("keyness", "--by", "label", "-a", archive, "--min-count", "2", "--min-authors", "1", "--max-q", "1")
    answer = json.loads(chorus(capsys, *options, "--json"))
    assert answer["about"]["labels_by"] == "machine"
    assert list(answer["about"]["models"]) == ["new@2"]
    assert answer["about"]["sentences_abstained"] == 1
    assert {group["name"] for group in answer["about"]["groups"]} == {"community-sharing", "neither"}
    [word] = [row for row in answer["words"] if row["word"] == "community"]
    # Ana twice (two sentences), ana once; Eve's sentence was left out, Bo's "community's" is another word
    expected = {
        "target": "community-sharing",
        "reference": "all other groups",
        "count": 3,
        "reference_count": 0,
        "authors": 1,
    }
    assert {name: word[name] for name in expected} == expected
    [line] = [row for row in json_lines(capsys, *options) if row["word"] == "community"]
    assert line["labels_by"] == "machine: new@2"
    assert "labels_by" in chorus(capsys, *options, "--format", "csv").splitlines()[0].split(",")
    assert main([*map(str, options), "--format", "table"]) == 0
    shown = capsys.readouterr()
    assert "new@2" in shown.err
    assert "new@2" not in shown.out


def test_keyness_by_site_author_and_year(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loose = ("-a", archive, "--min-count", "1", "--max-q", "1")
    sites = json.loads(chorus(capsys, "keyness", "--by", "site", "--min-authors", "1", *loose, "--json"))
    assert [group["name"] for group in sites["about"]["groups"]] == ["a.example", "b.example"]
    years = json_lines(capsys, "keyness", "--by", "year", "--target", "2014", "--min-authors", "1", *loose)
    assert {row["target"] for row in years} == {"2014"}
    [shares] = [row for row in years if row["word"] == "shares"]
    assert (shares["count"], shares["authors"]) == (1, 1)
    authors = json_lines(capsys, "keyness", "--by", "author", "--target", "ANA", *loose)
    assert {row["target"] for row in authors} == {"Ana"}
    assert {"shared", "garden", "our", "shares"} <= {row["word"] for row in authors}
    assert {row["threads"] for row in authors} == {1, 2}
    by_ratio = json_lines(capsys, "keyness", "--by", "author", "--target", "ana", "--sort", "log-ratio", *loose)
    ratios = [row["log_ratio"] for row in by_ratio]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--by", "moon"], 2, "year"),
        (["--by", "site", "--target", "c.example"], 5, "a.example, b.example"),
        (["--by", "site", "--target", "a.example", "--reference", "a.example"], 2, "target itself"),
        (["--by", "author", "--min-authors", "2"], 2, "one author"),
        (["--by", "site", "--site", "a.example"], 5, "only one site"),
        (["--by", "site", "--min-count", "1000"], 5, "--min-count"),
        (["--by", "site", "--author", "nobody"], 5, "fewer filters"),
    ],
)
def test_keyness_that_cannot_be(
    archive: Path, arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in chorus(capsys, "keyness", *arguments, "-a", archive, code=code)


# -- duplicates ------------------------------------------------------------------------------------------------


def test_jaccard_of_word_triples_by_hand() -> None:
    a, b = shingles(list("abcde"), 3), shingles(list("abcdx"), 3)
    assert len(a) == 3
    assert jaccard(a, b) == pytest.approx(2 / 4)
    assert jaccard(a, a) == 1
    assert jaccard(shingles([], 3), shingles([], 3)) == 0
    assert len(shingles(["one"], 3)) == 1
    assert not np.isin(shingles(list("cba"), 3), a).any()


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.95, 1.0])
def test_bands_overlook_little(threshold: float) -> None:
    rows = rows_per_band(threshold)
    assert (1 - threshold**rows) ** (128 // rows) <= 0.001


def variations(seed: int) -> list[str]:
    """Texts and their edited copies: some words changed, dropped, added."""
    rng = random.Random(seed)
    texts = [" ".join(f"w{rng.randrange(300)}" for _ in range(rng.randrange(6, 80))) for _ in range(80)]
    for n in range(160):
        changed = texts[n % len(texts)].split()
        for _ in range(rng.randrange(0, 6)):
            changed[rng.randrange(len(changed))] = rng.choice(("w1", "w2 w3", ""))
        texts.append(" ".join(changed))
    return texts


@pytest.mark.parametrize("threshold", [0.4, 0.8])
def test_groups_are_those_of_comparing_all_with_all(threshold: float) -> None:
    texts = variations(7)
    sets = [shingles(words(text), 3) for text in texts]
    above = list(range(len(texts)))

    def root(n: int) -> int:
        return n if above[n] == n else root(above[n])

    for a in range(len(texts)):
        for b in range(a):
            if jaccard(sets[a], sets[b]) >= threshold:
                above[root(a)] = root(b)
    expected = Counter(root(n) for n in range(len(texts)))
    found = finder_of(texts, threshold).groups(dict(enumerate(texts)))
    assert sorted(len(group.members) for group in found) == sorted(n for n in expected.values() if n > 1)
    for group in found:
        assert len({root(n) for n in group.members}) == 1
        assert group.similarity >= threshold


def finder_of(texts: list[str], threshold: float) -> Finder:
    finder = Finder(threshold, min_words=3)
    for text in texts:
        finder.add(text)
    return finder


def test_a_thousand_copies_are_one_group_and_short_texts_none() -> None:
    texts = [
        "Thanks!",
        "Thanks!",
        *(["the very same words stand here again"] * 1000),
        "the very same words stand here Again",
    ]
    finder = Finder(0.8)
    for text in texts:
        finder.add(text)
    wanted = finder.suspects()
    assert wanted == set(range(2, 1003))
    [group] = finder.groups({n: texts[n] for n in wanted})
    assert (len(group.members), group.similarity, group.exact) == (1001, 1.0, False)
    [copies] = finder.copies()
    assert (len(copies.members), copies.exact) == (1000, True)
    assert (finder.texts, finder.compared) == (1003, 1001)


def test_the_command_tells_who_was_first(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(chorus(capsys, "duplicates", "-a", archive, "--threshold", "0.6", "--json"))
    [group] = answer["groups"]
    assert (group["match"], group["size"], group["authors"]) == ("near", 3, ["Cy", "Fay"])
    assert [e["date"] for e in group["entries"]] == ["2012-12-24", "2013-01-01", "2014-01-01"]
    assert group["first_appearance"] == "2012-12-24"
    assert group["entries"][0]["entry_id"] == make_id("entry", "b.example", 0)
    assert [e["same_as_first"] for e in group["entries"]] == [True, False, False]
    assert 0.6 <= group["similarity"] < 0.8
    [exact] = json_lines(capsys, "duplicates", "-a", archive, "--exact")
    assert (exact["match"], exact["size"]) == ("exact", 2)
    rows = list(csv.DictReader(io.StringIO(chorus(capsys, "duplicates", "-a", archive, "--exact", "--format", "csv"))))
    assert [row["first"] for row in rows] == ["yes", "no"]
    assert "nothing to" not in chorus(capsys, "duplicates", "-a", archive, "--site", "b.example", code=5)
    assert "0.3 to 1" in chorus(capsys, "duplicates", "-a", archive, "--threshold", "0", code=2)


# -- topics ----------------------------------------------------------------------------------------------------


def clouds(seed: int, number: int, each: int, size: int = 16) -> tuple[Any, Any]:
    """Unit vectors around ``number`` directions, shuffled, and the direction of each."""
    rng = np.random.default_rng(seed)
    middles = unit(rng.normal(size=(number, size)).astype(np.float32))
    of = rng.permutation(np.repeat(np.arange(number), each))
    return unit(middles[of] + 0.08 * rng.normal(size=(len(of), size)).astype(np.float32)), of


def test_clusters_that_are_there_are_found_and_counted() -> None:
    vectors, truth = clouds(5, 6, 80)
    assert choose_number(vectors)[0] == 6
    found, cosines = nearest_centre(vectors, find_centres(vectors, 6))
    assert {len(set(found[truth == n].tolist())) for n in range(6)} == {1}
    assert len(set(found.tolist())) == 6
    assert cosines.min() > 0.7
    assert find_centres(vectors[:3], 10).shape == (3, 16)
    assert choose_number(vectors[:3])[0] == 1


def test_a_sample_does_not_depend_on_the_order() -> None:
    vectors, _ = clouds(2, 3, 50)
    ids = [bytes.fromhex(make_id(n)) for n in range(150)]
    order = np.random.default_rng(1).permutation(150)
    straight, shuffled = Sample(40), Sample(40)
    for start in range(0, 150, 16):
        part = order[start : start + 16]
        straight.add(ids[start : start + 16], vectors[start : start + 16])
        shuffled.add([ids[n] for n in part], vectors[part])
    assert straight.seen == shuffled.seen == 150
    assert straight.vectors().shape == (40, 16)
    assert (straight.vectors() == shuffled.vectors()).all()


def test_class_tf_idf_by_hand() -> None:
    first, second = Counter({"seed": 6, "the": 4}), Counter({"book": 5, "the": 5, "once": 1})
    [a, b] = class_tf_idf([first, second])
    # words a class: (10 + 11) / 2
    assert [word for word, _ in a] == ["seed", "the"]
    assert [weight for _, weight in a] == pytest.approx([0.6 * math.log(1 + 10.5 / 6), 0.4 * math.log(1 + 10.5 / 9)])
    assert [word for word, _ in b] == ["book", "the"]
    assert [word for word, _ in class_tf_idf([first, second], without={"the"})[0]] == ["seed"]


def test_a_word_counts_once_a_passage_and_copies_show_once() -> None:
    collector = TopicCollector(np.eye(2, dtype=np.float32), samples=2)
    vectors = np.array([[1, 0.1], [1, 0.1], [1, 0.5], [0, 1]], np.float32)
    collector.add(["b", "a", "c", "d"], ["buy buy buy", "buy buy  buy", "seed", "other"], vectors)
    assert collector.counts[0] == {"buy": 2, "seed": 1}
    assert collector.sizes == [3, 1]
    assert [near.key for near in collector.nearest(0)] == ["a", "c"]
    assert collector.cohesion(1) == pytest.approx(1)


GROUPS = ("seeds garden bean compost", "printer plastic machine nozzle", "radio voice morning programme")


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Entries about three things, a passage each, with vectors to match; one comment is gone by the second visit."""
    found = Archive.create_or_open(tmp_path_factory.mktemp("topics") / "archive")
    tables = Tables.open(found)
    vectors, of = clouds(9, 3, 30)
    rng = random.Random(4)
    entries = [
        entry(
            "a.example",
            n,
            f"and the {' '.join(rng.sample(GROUPS[topic].split(), 3))} {n}",
            f"p{n % 7}",
            f"201{topic}-01-01",
        )
        for n, topic in enumerate(of.tolist())
    ]
    write(tables, "a.example", entries)
    write(tables, "a.example", entries[:-1], "2026-02-01T00:00:00Z")
    rows = [
        Passage(
            passage_id=passage_id(e.revision_id, 0, len(e.text)), revision_id=e.revision_id, entry_id=e.entry_id,
            thread_id=e.thread_id, start=0, end=len(e.text), text=e.text, title="T", site="a.example", author=e.author,
            kind=e.kind, published=e.published, url=e.url, parent_author=None, encoder="toy@1",
        )
        for e in entries
    ]  # fmt: skip
    tables.add_passages(rows, vectors)
    return found.root


def test_topics_bear_their_own_words_and_lead_back(passages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(chorus(capsys, "topics", "-a", passages, "--json"))
    about, topics = answer["about"], answer["topics"]
    assert (about["encoder"], about["passages"], about["topics"], about["seed"]) == ("toy@1", 89, 3, 0)
    assert len(topics) == 3
    assert max(about["silhouettes"], key=about["silhouettes"].__getitem__) == "3"
    for topic in topics:
        [theme] = [n for n, theme in enumerate(GROUPS) if set(topic["label"].split()) == set(theme.split())]
        assert topic["first"] == topic["last"] == f"201{theme}-01-01"
        assert (topic["authors"], topic["threads"], len(topic["samples"])) == (7, 1, 3)
        for sample in topic["samples"]:
            assert set(sample["text"].split()) & set(GROUPS[theme].split())
            assert sample["entry_id"] in {make_id("entry", "a.example", n) for n in range(89)}
    assert sum(topic["passages"] for topic in topics) == 89
    assert sum(topic["share"] for topic in topics) == pytest.approx(1, abs=0.001)


def test_topics_are_the_same_from_the_tables_and_from_the_light_index(passages: Path) -> None:
    request = TopicsRequest(number=3, seed=1)
    from_tables = topics_report(passages, request)
    Tables.open(Archive.open(passages)).index_passages()
    from_index = topics_report(passages, request)
    assert (passages / "tables" / "search" / "index.json").is_file()
    assert from_index == from_tables


def test_the_topics_command_in_all_forms(passages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("topics", "-a", passages, "-n", "2", "--samples", "1")
    rows = list(csv.DictReader(io.StringIO(chorus(capsys, *options, "--format", "csv"))))
    assert [row["encoder"] for row in rows] == ["toy@1"] * 2
    assert [row["encoder"] for row in json_lines(capsys, *options)] == ["toy@1"] * 2
    assert "passages (" in chorus(capsys, *options, "--format", "table")
    assert chorus(capsys, *options, "--json") == chorus(capsys, *options, "--json")
    narrowed = json_lines(capsys, *options, "--since", "2012")
    assert sum(row["passages"] for row in narrowed) in (29, 30)
    assert "not a number" in chorus(capsys, "topics", "-a", passages, "-n", "many", code=2)
    assert "1 or more" in chorus(capsys, "topics", "-a", passages, "-n", "0", code=2)
    assert "filters" in chorus(capsys, "topics", "-a", passages, "--author", "nobody", code=5)
