"""Batches of the classifier: order, resumption after kill -9, the cache of embeddings, bad input, runs and their differences."""

import bz2
import csv
import fcntl
import gzip
import io
import json
import lzma
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from cli.commands import runs as runs_command
from cli.jobs import batch_input, batch_output, classify_input, delimited
from cli.jobs.batch_input import Source, read_rows
from cli.jobs.batch_output import FileRun, Shape, manifest_path, read_manifest, result_file
from cli.jobs.classify import classify_archive
from cli.jobs.narrowed import Narrowed
from cli.jobs.runs import diff_runs, run_manifest, run_rows
from cli.main import main
from nlp.cache import CachedEncoder, EmbeddingStore, cached_encoder, store_path, text_key
from nlp.classify import MODEL, Classifier, Item
from nlp.codebook import DEFAULT, load_codebook
from nlp.corpus import load_corpus
from nlp.encoder import load_encoder
from nlp.look import Key, Look, LookStore
from store.archive import Archive
from store.manifest import RunRecorder
from store.records import ConfigError, Cue, Entry, Label, NothingFound, Thread, UsageError, make_id, text_digest
from store.tables import Tables

ROWS = 200
SEED = 7

#: Rows in a chunk instead of 1,024, so that a short file has many moments to be killed at; and a pause before each, since from
#: the cache all of them take no time. Two or three chunks are written between one commit and the next.
CHUNK = 16
SMALL_CHUNKS = f"""
import time, cli.jobs.batch_output as o, cli.jobs.classify_input as m
from cli.main import run
o.COMMIT_SECONDS = 0.25
m.CHUNK, in_chunks = {CHUNK}, m.in_chunks
m.in_chunks = lambda *given: (time.sleep(0.1) or chunk for chunk in in_chunks(*given))
run()
"""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of embeddings that the tests share and nobody else sees."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("CHORUS_CACHE", str(folder))
        patch.setattr(classify_input, "CHUNK", CHUNK)
        yield folder


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of real-sounding sentences, with some rows that cannot be classified in between."""
    path = tmp_path_factory.mktemp("input") / "in.jsonl"
    rows: list[dict[str, Any]] = [
        {"id": f"s{n}", "text": s.text, "context": s.context, "role": s.role}
        for n, s in enumerate(load_corpus()[:ROWS])
    ]
    rows[50]["text"] = rows[180]["text"] = ""
    rows[120]["id"] = "s3"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def chorus(*arguments: str | Path, code: int = 0) -> str:
    """Run a command in this process; returns what it says on stderr."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as said:
        found = main([*map(str, arguments)])
    assert found == code, said.getvalue()
    return said.getvalue()


def classified(path: Path, *options: str, code: int = 0, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert main(["classify", "--input", str(path), *options]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def counts(out: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(manifest_path(out).read_bytes())["counts"]
    return found


# -- order, files, resumption --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The uninterrupted result; it also fills the cache."""
    out = tmp_path_factory.mktemp("whole") / "out.jsonl"
    chorus("classify", "--input", sentences, "--out", out, code=3)
    return out


@pytest.mark.model
def test_one_result_for_each_row_in_order_and_bad_rows_marked(sentences: Path, whole: Path) -> None:
    before = [json.loads(line) for line in sentences.read_text(encoding="utf-8").splitlines()]
    after = [json.loads(line) for line in whole.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in after] == [row["id"] for row in before]
    bad = {n: row["error"] for n, row in enumerate(after, 1) if row["label"] is None}
    assert bad == {
        51: "line 51: empty text",
        121: "line 121: id s3 was there before, in line 4",
        181: "line 181: empty text",
    }
    assert all("error" not in row and row["probabilities"] for row in after if row["label"])
    manifest = run_manifest(whole.parent, str(whole))
    assert manifest["status"] == "partial"
    assert manifest["counts"]["rows"] == ROWS
    assert manifest["counts"]["bytes"] == whole.stat().st_size
    assert {"input", "model", "codebook"} <= manifest["digests"].keys()
    assert sum(manifest["counts"].get(name, 0) for name in (*after[0]["probabilities"], "not classified")) == ROWS


@pytest.mark.model
@pytest.mark.parametrize(("suffix", "kills"), [("jsonl", 3), ("csv", 1), ("parquet", 1)])
def test_kill_9_at_any_moment_loses_no_row_and_doubles_none(
    suffix: str, kills: int, sentences: Path, whole: Path, tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    expected, out = tmp_path / f"expected.{suffix}", tmp_path / f"out.{suffix}"
    if suffix == "jsonl":
        expected = whole
    else:
        chorus("classify", "--input", sentences, "--out", expected, code=3)
    for kill in range(kills):
        kill_when(["classify", "--input", str(sentences), "--out", str(out)], out, (kill + 1) * 40, chance)
    journal = out if suffix != "parquet" else out.with_name(out.name + ".part")
    with journal.open("ab") as handle:  # as if the last kill had come in the middle of a row
        handle.write(b'{"id": "s9')
    assert counts(out)["rows"] < ROWS
    said = chorus("classify", "--input", sentences, "--out", out, code=3)
    assert "going on after row" in said
    assert out.read_bytes() == expected.read_bytes()
    assert counts(out)["rows"] == ROWS
    assert sorted(p.name for p in tmp_path.glob(f"out.{suffix}*")) == [out.name, manifest_path(out).name]


def kill_when(arguments: list[str], out: Path, rows: int, chance: random.Random) -> None:
    """Start the command, and kill it a random moment after so many rows are safe."""
    process = subprocess.Popen([sys.executable, "-c", SMALL_CHUNKS, *arguments, "--quiet"])
    deadline = time.monotonic() + 60
    while not (manifest_path(out).exists() and counts(out)["rows"] >= rows):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    time.sleep(chance.random() * 0.04)
    process.kill()
    process.wait()
    assert process.returncode == -9


@pytest.mark.model
def test_a_whole_file_is_left_alone_and_another_run_refused(sentences: Path, whole: Path, tmp_path: Path) -> None:
    before = whole.stat().st_mtime_ns
    assert "whole already" in chorus("classify", "--input", sentences, "--out", whole, code=3)
    assert whole.stat().st_mtime_ns == before
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "1", "text": "Thanks!"}\n', encoding="utf-8")
    refused = [
        (["--input", str(other)], "another input"),
        (["--input", str(sentences), "--unit", "entry"], "another unit"),
        (["--input", str(whole)], "the input itself"),
    ]
    for arguments, says in refused:
        said = chorus("classify", *arguments, "--out", whole, code=2)
        assert says in said
        assert said.count("\n") == 1
    assert whole.stat().st_mtime_ns == before


@pytest.mark.model
def test_what_cannot_be_gone_on_with_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id": "1", "text": "Thanks!"}\n', encoding="utf-8")
    arguments = ["classify", "--input", str(source), "--out", str(out), "--quiet"]
    out.write_text("my thesis\n")
    assert main(arguments) == 2
    assert out.read_text() == "my thesis\n"
    out.unlink()
    assert main(arguments) == 0
    manifest = json.loads(manifest_path(out).read_bytes())
    changed = manifest | {"status": "running", "digests": manifest["digests"] | {"model": "chorus-acts@000000000000"}}
    manifest_path(out).write_text(json.dumps(changed))
    capsys.readouterr()
    assert main(arguments) == 2
    assert "another model (chorus-acts@000000000000" in capsys.readouterr().err
    manifest_path(out).write_text(json.dumps(manifest | {"status": "running"}))
    with out.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert main(arguments) == 4
    assert main(["classify", "--input", str(source), "--out", str(tmp_path / "x.pdf")]) == 2
    assert main(["classify", "--input", str(source), "--out", str(tmp_path / "no" / "x.csv")]) == 2


@pytest.mark.model
def test_csv_tsv_and_parquet_give_the_labels_of_json_lines(
    sentences: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in sentences.read_text(encoding="utf-8").splitlines()[:40]]
    expected = [json.loads(line)["label"] for line in whole.read_text(encoding="utf-8").splitlines()[:40]]
    named = [
        {"name": r["id"], "body": r["text"] + "\n", "context": r["context"] or "", "role": r["role"]} for r in rows
    ]
    for suffix, delimiter in ((".csv", ","), (".tsv", "\t")):
        with (tmp_path / f"in{suffix}").open("w", newline="", encoding="utf-8-sig") as handle:
            writer = csv.DictWriter(handle, list(named[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(named)
    pq.write_table(pa.Table.from_pylist(named), tmp_path / "in.parquet", row_group_size=7)
    for suffix in (".csv", ".tsv", ".parquet"):
        source, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
        options = ("--text-column", "body", "--id-column", "name", "--out", str(out))
        classified(source, *options, capsys=capsys)
        found = list(results(out))
        assert [row["label"] for row in found] == expected
        assert [row["id"] for row in found] == [row["id"] for row in rows]
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("promo").type == pa.float64()
    assert (
        table.to_pylist()[0]["probabilities"].keys()
        == json.loads(whole.read_text().splitlines()[0])["probabilities"].keys()
    )


def dicts(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        yield from csv.DictReader(handle, delimiter="\t" if path.suffix == ".tsv" else ",")


#: The model is sure of the first, and abstains on the second, which is Welsh.
SURE_AND_NOT = [
    "Thank you so much for sharing this with us!",
    "Mae hen wlad fy nhadau yn annwyl i mi, gwlad beirdd.",
]


def two_rows(folder: Path) -> Path:
    """Both of them, and a row that cannot be classified."""
    path = folder / "in.jsonl"
    rows = [{"id": f"={n}", "text": text} for n, text in enumerate([*SURE_AND_NOT, ""])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.model
@pytest.mark.parametrize("fmt", ["csv", "tsv"])
@pytest.mark.parametrize("options", [(), ("--unit", "entry", "--explain")])
def test_stdout_has_the_columns_of_a_result_file(
    fmt: str, options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = two_rows(tmp_path), tmp_path / f"out.{fmt}"
    chorus("classify", "--input", source, "--out", out, *options, code=3)
    capsys.readouterr()
    assert main(["classify", "--input", str(source), "--format", fmt, *options]) == 3
    shown = capsys.readouterr().out
    assert shown == out.read_bytes().decode().replace("\r\n", "\n")  # lines end as everywhere on stdout
    assert "probabilities" in shown.splitlines()[0]
    assert "\n'=1" in shown


@pytest.fixture
def other_labels(tmp_path: Path) -> Path:
    """The shipped classifier under a codebook whose labels have other names."""
    folder = tmp_path / "model"
    folder.mkdir()
    info, book = json.loads((MODEL / "model.json").read_text()), DEFAULT.read_text(encoding="utf-8")
    for name in info["labels"]:
        book = book.replace(f'"{name}"', f'"x-{name}"')
    (folder / "codebook.toml").write_text(book, encoding="utf-8")
    info |= {
        "labels": [f"x-{name}" for name in info["labels"]],
        "codebook": load_codebook(folder / "codebook.toml").digest,
    }
    (folder / "model.json").write_text(json.dumps(info))
    (folder / "weights.npz").write_bytes((MODEL / "weights.npz").read_bytes())
    return folder


@pytest.mark.model
def test_a_table_under_other_labels_shows_the_given_ones_probability(
    other_labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["classify", "--input", str(two_rows(tmp_path)), "--format", "table"]
    assert main(arguments) == 3
    assert capsys.readouterr().out.split("\n")[0].split() == [
        "ID",
        "LABEL",
        "PROMO",
        "SHARE",
        "META",
        "ABSTAIN",
        "ERROR",
    ]
    assert main([*arguments, "--classifier", str(other_labels)]) == 3
    head, first, _, failed = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head == ["ID", "LABEL", "PROBABILITY", "ABSTAIN", "ERROR"]
    assert first[1] == "x-community-sharing"
    assert 0.5 < float(first[2]) <= 1
    assert failed == ["=2", "line", "3:", "empty", "text"]


@pytest.mark.model
def test_abstentions_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = two_rows(tmp_path), tmp_path / "out.jsonl"
    found = classified(source, code=3, capsys=capsys)
    assert [row["abstain"] for row in found] == [False, True, None]
    assert main(["classify", "--input", str(source), "--out", str(out)]) == 3
    shown = capsys.readouterr()
    summary = {row["label"]: row for row in map(json.loads, shown.out.splitlines())}
    assert summary[found[1]["label"]]["abstained"] == 1
    assert sum(row["abstained"] for row in summary.values()) == 1
    assert (sum(row["rows"] for row in summary.values()), summary["not classified"]["rows"]) == (3, 1)
    assert "the model abstained on 1 of 2 rows\n1 row was not classified" in shown.err
    assert counts(out)["abstained"] == 1
    manifest = json.loads(manifest_path(out).read_bytes())
    manifest["counts"] = {name: count for name, count in manifest["counts"].items() if "abstained" not in name}
    manifest_path(out).write_text(json.dumps(manifest))  # as it was before they were counted
    assert main(["classify", "--input", str(source), "--out", str(out)]) == 3
    assert {json.loads(line)["abstained"] for line in capsys.readouterr().out.splitlines()} == {None}


@pytest.mark.model
def test_explain_gives_cues_and_what_they_speak_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": "1", "text": "Thank you, Ana. Subscribe to my newsletter!"}\n', encoding="utf-8")
    [row] = classified(path, "--explain", capsys=capsys)
    assert {(cue["text"], cue["act"]) for cue in row["explain"]["cues"]} >= {("Thank you", "share")}
    assert "contributions" in row["explain"]
    [entry] = classified(path, "--explain", "--unit", "entry", capsys=capsys)
    assert [list(s["explain"]) for s in entry["sentences"]] == [["contributions"]] * 2
    assert {cue["act"] for cue in entry["explain"]["cues"]} >= {"share", "promo"}


# -- the cache -----------------------------------------------------------------------------------------------------


@pytest.mark.model
def test_a_second_run_encodes_nothing_and_says_the_same(sentences: Path, whole: Path, tmp_path: Path) -> None:
    assert counts(whole)["texts encoded"] > 100
    again, without = tmp_path / "again.jsonl", tmp_path / "without.jsonl"
    chorus("classify", "--input", sentences, "--out", again, code=3)
    assert counts(again)["texts encoded"] == 0
    assert counts(again)["sentences from cache"] > 100
    assert again.read_bytes() == whole.read_bytes()
    store = store_path().read_bytes()
    chorus("classify", "--input", sentences, "--out", without, "--no-cache", code=3)
    assert counts(without)["texts encoded"] > 100
    for one, two in zip(json_lines(without), json_lines(whole), strict=True):
        assert one["label"] == two["label"]
        assert one["promo"] == pytest.approx(two["promo"], abs=1e-5)  # encoded beside other texts: the last digit moves
    assert store_path().read_bytes() == store


@pytest.mark.model
def test_cached_vectors_are_the_encoders_own_and_come_much_faster(tmp_path: Path) -> None:
    texts = [*dict.fromkeys(s.text for s in load_corpus()[1000:1200]), "", "\ud800 lone", "nul \x00"]
    plain = load_encoder()
    expected = plain.encode(texts)
    seconds = []
    for encoded in (len(texts), 0):
        with CachedEncoder(plain, EmbeddingStore(tmp_path / "c.sqlite")) as encoder:
            start = time.perf_counter()
            found = encoder.encode([*texts, texts[0]])
            seconds.append(time.perf_counter() - start)
            assert np.array_equal(found[:-1], expected)
            assert np.array_equal(found[-1], expected[0])
            assert (encoder.encoded, encoder.found) == (encoded, len(texts) - encoded)
    assert seconds[1] < seconds[0] / 10  # measured: 400 times; a busy machine needs room


@pytest.mark.model
def test_the_classifier_through_the_cache_is_an_encoder_like_any_other() -> None:
    plain = load_encoder()
    with cached_encoder() as encoder:
        assert (encoder.fingerprint, encoder.dimensions) == (plain.fingerprint, plain.dimensions)
        encoder.hold(["One.", "Two."])
        before = encoder.encoded + encoder.found
        assert encoder.encode(["Two.", "One.", "Two."]).shape == (3, plain.dimensions)
        assert encoder.encoded + encoder.found == before


def test_the_store_forgets_the_oldest_when_it_is_full(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "c.sqlite", max_bytes=400_000)
    keys = [n.to_bytes(32, "big") for n in range(1000)]
    for key in keys:
        store.put("a", [(key, key * 48)])
    assert 0 < len(store) < 300
    assert list(store.get("a", keys[-50:])) == keys[-50:]
    assert store.get("a", keys[:50]) == {}
    assert store.get("b", keys[-50:]) == {}  # another encoder's values are not these
    store.close()
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) < 800_000


def test_a_text_can_be_erased_from_the_store(tmp_path: Path) -> None:
    import hashlib

    store = EmbeddingStore(tmp_path / "c.sqlite")
    mark = b"the vector of a text that must go" * 40
    for space in ("a", "b"):
        store.put(space, [(hashlib.sha256(b"mine").digest(), mark), (hashlib.sha256(b"other").digest(), b"o" * 1536)])
    assert store.forget(["mine", "never seen"]) == 2
    assert len(store) == 2
    store.close()
    assert all(mark not in file.read_bytes() for file in tmp_path.iterdir())


def test_what_was_found_of_a_text_is_kept_by_context_and_goes_with_the_text(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "c.sqlite")
    looks = LookStore(store, "model")
    keys: list[Key] = [
        ("Thanks \ud800!", None, "post"), ("Thanks \ud800!", "", "post"), ("Thanks \ud800!", "Hi.", "comment"),
        ("Other.", "Thanks \ud800!", "post"),
    ]  # fmt: skip
    for number, key in enumerate(keys):
        cues = (Cue(type="thanks", text="Thanks \ufffd", start=0, end=8),) if number < 3 else ()
        looks.put({key: Look((number / 3, 1 / 7), cues, ("unlike",))})
    found = looks.get(keys)
    assert [found[key].chances for key in keys] == [(n / 3, 1 / 7) for n in range(4)]
    assert found[keys[0]].cues[0].text == "Thanks \ufffd"
    assert looks.get([("Thanks \ud800!", "Ho.", "post")]) == {}
    assert LookStore(store, "another model").get(keys) == {}
    store.put("vectors", [(text_key("Thanks \ud800!"), b"v")])
    assert store.forget(["Thanks \ud800!"]) == 4
    assert list(looks.get(keys)) == keys[3:]
    store.put("model", [(text_key("torn") + b"x" * 16, b"[[")])
    store.close()


@pytest.mark.model
def test_costs_and_pages_are_applied_to_what_was_kept(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path / "c.sqlite")
    texts = ["Come and see my shop.", "Follow me on my new blog!", "Our team offers workshops.", "Stir well."] * 6
    items = [Item(str(n), text, None, "comment") for n, text in enumerate(texts)]
    paged = [replace(item, page="a") for item in items]
    first, again = Classifier.load(store=store), Classifier.load(store=store)
    for classifier in (first, again):
        classifier.hold(items)
    assert (first.recalled, again.recalled) == (0, 4)
    assert list(first.classify(paged)) == list(again.classify(paged)) != list(again.classify(items))
    careful = Classifier.load(costs={"self-promotion": 50}, store=store)
    careful.hold(items)
    assert careful.recalled == 4
    assert list(careful.classify(items)) == list(Classifier.load(costs={"self-promotion": 50}).classify(items))
    store.close()


@pytest.mark.parametrize("damage", ["noise", "half"])
def test_a_damaged_store_is_made_anew(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    keys = [n.to_bytes(32, "big") for n in range(300)]
    store = EmbeddingStore(path)
    store.put("a", [(key, key * 48) for key in keys])
    store.close()
    path.write_bytes(b"noise" * 1000 if damage == "noise" else path.read_bytes()[:4096] + b"\xff" * 100_000)
    broken = EmbeddingStore(path)
    assert broken.get("a", keys) == {}
    broken.put("a", [(keys[0], b"x")])
    broken.close()
    mended = EmbeddingStore(path)
    mended.put("a", [(keys[1], b"y")])
    assert mended.get("a", keys[1:2]) == {keys[1]: b"y"}
    assert mended.trouble is None


@pytest.mark.model
def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no directory")
    monkeypatch.setenv("CHORUS_CACHE", str(tmp_path / "file" / "below"))
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "1", "text": "Thank you so much for this!"}\n', encoding="utf-8")
    assert main(["classify", "--input", str(source)]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["label"] == "community-sharing"
    assert "embeddings were not kept" in shown.err
    monkeypatch.setenv("CHORUS_CACHE_MB", "plenty")
    assert main(["classify", "--input", str(source)]) == ConfigError.exit_code


def test_two_processes_share_the_store(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nlp.cache import EmbeddingStore\n"
        "store = EmbeddingStore(Path(sys.argv[1]))\n"
        "for n in range(200): store.put('a', [(bytes([int(sys.argv[2]), n]) * 16, b'v' * 1536)])\n"
        "assert store.trouble is None, store.trouble"
    )
    path = tmp_path / "c.sqlite"
    both = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in (1, 2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert len(EmbeddingStore(path)) == 400


# -- bad input -----------------------------------------------------------------------------------------------------

#: A row, and why it is not classified; ``None`` for what is.
ROW_CASES: list[tuple[bytes, str | None]] = [
    (b'{"id": "1", "text": "Thanks, that helped me a lot."}', None),
    (b"{nonsense", "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b'["id", "text"]', "not a JSON object"),
    (b'{"id": "2", "text": "caf\xe9"}', "not UTF-8"),
    (b'{"id": "3", "text": ""}', "empty text"),
    (b'{"id": "4", "text": " \\u0000\\n"}', "empty text"),
    (b'{"id": "5", "text": null}', "no text"),
    (b'{"id": "6", "text": 5}', "text is no text"),
    (b'{"text": "no id"}', "no id"),
    (b'{"id": ["7"], "text": "odd id"}', "id is no text"),
    (b'{"id": 1, "text": "the first id again"}', "id 1 was there before, in line 1"),
    (b'{"id": "8", "text": "a", "context": 7}', "context must be"),
    (b'{"id": "9", "text": "a", "role": "owner"}', "role must be"),
    (b'{"id": "10", "text": "' + b"word " * 100_000 + b'"}', "no sentence"),
    (b'{"id": "11", "text": "\xf0\x9f\x98\x80\xf0\x9f\x98\x80"}', None),
    (b'{"id": "12", "text": "<p>Hello <b>you</b></p>", "role": "pingback"}', None),
    (b'{"id": "13", "text": "nul \\u0000 inside", "context": "\\u0000"}', None),
    (b'{"id": "\\ud800", "text": "lone \\ud800 surrogate"}', None),
    ('{"id": "15", "text": "日本語のコメントです。"}'.encode(), None),
]


@pytest.mark.model
@pytest.mark.parametrize("out", ["-", "out.jsonl", "out.csv", "out.parquet"])
def test_a_bad_row_is_marked_with_its_line_and_the_rest_goes_on(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"\n".join(line for line, _ in ROW_CASES))
    place = tmp_path / out
    rows = classified(source, "--out", out if out == "-" else str(place), code=3, capsys=capsys)
    found = rows if out == "-" else list(results(place))
    assert len(found) == len(ROW_CASES)
    for n, (row, (_, problem)) in enumerate(zip(found, ROW_CASES, strict=True), 1):
        if problem is None:
            assert row["label"]
            assert not row.get("error")
        else:
            assert not row["label"]
            assert row["error"].startswith(f"line {n}: ")
            assert problem in row["error"]


def results(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        yield from pq.read_table(path).to_pylist()
    else:
        yield from json_lines(path) if path.suffix == ".jsonl" else dicts(path)


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


@pytest.mark.model
def test_a_text_of_100_000_words_is_read_as_an_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in.jsonl"
    long = (
        "Thank you so much for this! " + "The bridge over the river that opened in May is blue, " * 8 + "they say. "
    ) * 1_110
    assert len(long.split()) > 100_000
    source.write_text(json.dumps({"id": "1", "text": long}) + "\n", encoding="utf-8")
    [row] = classified(source, "--unit", "entry", capsys=capsys)
    assert row["label"] == "community-sharing"
    assert len(row["sentences"]) == 2 * 1_110


UNUSABLE = [
    ("in.jsonl", b"id,text\n1,hello\n2,bye\n", "line 1: not JSON"),
    ("in.jsonl", b'{"ident": 1, "body": "x"}\n' * 30, "line 1: no id"),
    ("in.csv", b"ident,text\n1,hello\n", "line 1: no column 'id' (there are: ident, text)"),
    ("in.csv", b"id,text,text\n1,a,b\n", "line 1: more than one column 'text'"),
    ("in.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "line 1: no column"),
    ("in.tsv", b"id,text\n1,hello\n", "line 1: no column"),
    ("in.csv", b'id,text\n1,"never closed\n', "line 2: a quotation mark is never closed"),
    ("in.csv", b'id,"text\n1,a\n2,b\n', "line 1: a quotation mark is never closed"),
    ("in.tsv", b'id\t"text\n1\ta\n', "no column 'text' (there are: id, \"text)"),
    ("in.csv", "id,text\n1,a\n".encode("utf-16"), "in.csv: is UTF-16 - save it as UTF-8"),
    ("in.jsonl", '{"id": 1}'.encode("utf-16"), "in.jsonl: is UTF-16 - save it as UTF-8"),
    ("in.jsonl.gz", gzip.compress(b"{}", mtime=0), "in.jsonl.gz: is compressed (gzip) - zcat "),
    ("in.jsonl.xz", lzma.compress(b"{}"), "in.jsonl.xz: is compressed (xz) - xzcat "),
    ("in.csv.gz", gzip.compress(b"id,text\n", mtime=0), "in.csv.gz: is compressed (gzip) - zcat "),
    ("in.csv", bz2.compress(b"id,text\n"), "in.csv | chorus classify --input - --input-as csv"),
    ("in.parquet", gzip.compress(b"PAR1", mtime=0), "not readable as Parquet"),
    ("in.parquet", b"PAR1 no", "not readable as Parquet"),
    ("missing.csv", None, "no such file"),
    ("", None, "a directory"),
]


@pytest.mark.parametrize(("name", "data", "says"), UNUSABLE, ids=[name for name, _, _ in UNUSABLE])
@pytest.mark.parametrize("out", ["-", "out.jsonl"])
def test_a_file_that_cannot_be_used_is_one_line_and_writes_nothing(
    name: str, data: bytes | None, says: str, out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / name
    if data is not None:
        source.write_bytes(data)
    place = out if out == "-" else str(tmp_path / out)
    assert main(["classify", "--input", str(source), "--out", place]) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert shown.err.count("\n") == 1
    assert shown.out == ""
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("out", ["-", "out.jsonl", "out.csv", "out.parquet"])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        *((f"in.{suffix}", b"") for suffix in ("jsonl", "csv", "tsv", "parquet")),
        ("in.jsonl", b"\n \n"),
        ("in.csv", b"id,text\n\n"),
        ("in.parquet", None),
    ],
)
def test_a_file_without_rows_says_so(
    name: str, data: bytes | None, out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, place = tmp_path / name, out if out == "-" else str(tmp_path / out)
    if data is None:
        pq.write_table(pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())}), source)
    else:
        source.write_bytes(data)
    assert main(["classify", "--input", str(source), "--out", place]) == NothingFound.exit_code
    shown = capsys.readouterr()
    assert f"{name}: holds no rows" in shown.err
    assert shown.out == ""
    assert not list(tmp_path.glob("out*"))


@pytest.mark.model
@pytest.mark.parametrize(("kind", "data"), [("csv", b"id,text\n1,Thank you!\n"), ("tsv", b"id\ttext\n1\tThank you!\n")])
def test_stdin_is_read_as_what_it_is_said_to_be(
    kind: str, data: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["classify", "--input", "-", "--input-as", kind]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == "community-sharing"


def test_what_an_input_is_read_as_must_make_sense(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, says in (
        (["--input", "-", "--input-as", "xlsx"], "--input-as xlsx: not known"),
        (["--input", "-", "--input-as", "parquet"], "--input-as parquet: cannot be read from stdin"),
        (["--input-as", "csv"], "--input-as: only with --input"),
    ):
        assert main(["classify", *arguments]) == 2
        assert says in capsys.readouterr().err


@pytest.mark.model
def test_nothing_on_stdin_is_no_obstacle_to_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    for data, code in ((b"", NothingFound.exit_code), (b'{"id": "1", "text": "Thanks!"}\n', 0)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert main(["classify", "--input", "-", "--out", str(out)]) == code
        assert out.exists() == (code == 0)
    assert "stdin: holds no rows" in capsys.readouterr().err
    assert [row["id"] for row in dicts(out)] == ["1"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"{}"))))
    assert main(["classify", "--input", "-"]) == 2
    assert "zcat FILE | chorus classify --input -" in capsys.readouterr().err


def test_rows_of_csv_with_wrong_widths_and_bytes_are_marked(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(
        b'id,text,role\n1,"two\nlines",post\n\n2,a,b,c\n3,x\n4,caf\xe9,\n5,"nul \x00",\n=6,' + b"w " * 100_000 + b",\n"
    )
    rows = [(row.number, row.id, row.error) for row in read_rows(Source(str(source)))]
    assert [(number, name) for number, name, _ in rows] == [
        (2, "1"),
        (5, None),
        (6, None),
        (7, None),
        (8, "5"),
        (9, "=6"),
    ]
    assert [error for _, _, error in rows] == [
        None, "line 5: 4 fields where the header has 3", "line 6: 2 fields where the header has 3", "line 7: not UTF-8",
        None, None,
    ]  # fmt: skip


def rows_of(path: Path, data: str) -> list[tuple[int, str | None, str | None]]:
    """Number, id and text of each row; the error in the place of a text that there is not."""
    path.write_bytes(data.encode())
    source = Source(str(path))
    found = list(read_rows(source))
    assert batch_input.count_rows(source) == len(found)
    return [(row.number, row.id, row.item.text if row.item else row.error) for row in found]


UNCLOSED = "a quotation mark is never closed"

#: CSV, and what is read of it.
CSV_CASES = [
    (  # to the end of the file
        '1,"Thanks for this\n2,Buy my book\n3,The bridge opened\n',
        [(2, None, f"line 2: {UNCLOSED}"), (3, "2", "Buy my book"), (4, "3", "The bridge opened")],
    ),
    (  # to the next mark, which cannot close it
        '1,"Thanks for this\n2,"Buy my ""book""\nhere"\n3,"The bridge, opened"\n',
        [(2, None, f"line 2: {UNCLOSED}"), (3, "2", 'Buy my "book"\nhere'), (5, "3", "The bridge, opened")],
    ),
    (  # the second of a row: its lines up to that mark are lost
        '"1\na","b\nc\n2,d\n',
        [(2, None, f"line 2: {UNCLOSED}"), (4, None, "line 4: 1 fields where the header has 2"), (5, "2", "d")],
    ),
    (  # closed, some with blanks after it; in one line as Python's csv reads it
        '1,"a\r\n\r\nb" \r\n2,"c" d\r\n3,e "f"\r\n"4\n",""\r\n5,"g"',
        [
            (2, "1", "a\r\n\r\nb "), (5, "2", "c d"), (6, "3", 'e "f"'), (7, "4\n", "line 7: empty text"),
            (9, "5", "g"),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), CSV_CASES)
def test_a_quotation_mark_in_csv_that_is_never_closed_takes_no_row_with_it(
    data: str, expected: list[tuple[int, str | None, str | None]], tmp_path: Path
) -> None:
    assert rows_of(tmp_path / "in.csv", "id,text\n" + data) == expected


#: TSV, and what is read of it.
TSV_CASES = [
    (  # quotation marks of the text
        'a\t"Fine words" she said\nb\t"starts with a quote only\nc\tthanks a lot everyone\nd\tlast row\n',
        [
            (2, "a", '"Fine words" she said'), (3, "b", '"starts with a quote only'),
            (4, "c", "thanks a lot everyone"), (5, "d", "last row"),
        ],
    ),
    (  # a quotation over several rows
        'a\t"I came.\nb\tI saw.\nc\tI won."\nd\tSo he said.\n',
        [(2, "a", '"I came.'), (3, "b", "I saw."), (4, "c", 'I won."'), (5, "d", "So he said.")],
    ),
    (  # fields that a spreadsheet quoted
        'a\t"one\n\ntwo ""2"""\nb\t"tab\there"\n"c"\t"3"\n',
        [(2, "a", 'one\n\ntwo "2"'), (5, "b", "tab\there"), (6, "c", "3")],
    ),
    ('"a\tb\n"c\td"\n', [(2, '"a', "b"), (3, '"c', 'd"')]),
    ('"1\n2"\t"a\n3\tb\n', [(2, "1\n2", '"a'), (4, "3", "b")]),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), TSV_CASES)
def test_a_quotation_mark_in_tsv_that_is_not_closed_stands_for_itself(
    data: str, expected: list[tuple[int, str | None, str | None]], tmp_path: Path
) -> None:
    assert rows_of(tmp_path / "in.tsv", "id\ttext\n" + data) == expected


def test_no_row_is_longer_than_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_FIELD", 10_000)
    more = "".join(f"{n},x\n" for n in range(3, 5_003))
    found = rows_of(tmp_path / "in.csv", 'id,text\n1,fine\n2,"never closed\n' + more + f'q,{"y" * 30_000}\n"r",z"\n')
    assert found[:3] == [(2, "1", "fine"), (3, None, f"line 3: {UNCLOSED}"), (4, "3", "x")]
    assert found[-3:] == [
        (5_003, "5002", "x"),
        (5_004, None, "line 5004: more than 10000 characters without a line end"),
        (5_005, "r", 'z"'),
    ]
    assert len(found) == 5_004


@given(st.lists(st.lists(st.text('a ",\n\r'), min_size=3, max_size=3), max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_what_was_written_as_csv_is_read_as_it_was(rows: list[list[str]], line_end: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(rows)
    found = delimited.records(io.BytesIO(text.getvalue().encode()), tabs=False, check=lambda start: None)
    assert [(record.fields, record.problem) for record in found] == [(row, None) for row in rows]


@pytest.mark.model
def test_a_run_over_a_damaged_csv_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out, whole = (tmp_path / name for name in ("in.csv", "out.jsonl", "whole.jsonl"))
    cells = ['"Thanks for this', '"Buy\nmy book"', "The bridge opened"]
    source.write_text("id,text\n" + "".join(f"{n},{cells[n % 3]}\n" for n in range(3 * CHUNK)), encoding="utf-8")
    chorus("classify", "--input", source, "--out", whole, code=3)
    judge, judged = classify_input.Judge.judge, 0

    def interrupted(self: classify_input.Judge, chunk: list[batch_input.InputRow]) -> list[dict[str, Any]]:
        nonlocal judged
        judged += 1
        if judged == 2:
            raise KeyboardInterrupt
        return judge(self, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(classify_input.Judge, "judge", interrupted)
        chorus("classify", "--input", source, "--out", out, code=130)
    assert counts(out)["rows"] == CHUNK
    chorus("classify", "--input", source, "--out", out, code=3)
    assert out.read_bytes() == whole.read_bytes()
    assert [row["id"] for row in json_lines(out)] == [str(n) if n % 3 else None for n in range(3 * CHUNK)]
    assert {**counts(out), "milliseconds": 0}.items() >= {"not classified": CHUNK, "rows": 3 * CHUNK}.items()


def test_reading_is_flat_and_a_late_error_comes_after_what_stood_before(tmp_path: Path) -> None:
    endless = (batch_input.InputRow(n, str(n)) for n in iter(int, 1))
    chunks = batch_input.in_chunks(endless, 8, 1_000)
    assert [len(next(chunks)) for _ in range(3)] == [8, 8, 8]
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "1", "text": "a"}\nnonsense\n', encoding="utf-8")
    assert [row.error for row in read_rows(Source(str(source)))] == [None, "line 2: not JSON"]


def test_options_that_do_not_go_together_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, code, says in (
        (["--engine", "magic"], 2, "local"),
        (["--out", "x.jsonl"], 2, "--input"),
        (["--explain"], 2, "--input"),
        (["--input", "-", "--site", "a.example"], 2, "--site"),
        (["--where", "free words", "-a", str(tmp_path)], 2, "fields"),
        (["--where", "label:meta-talk", "-a", str(tmp_path)], 2, "label"),
        (["--kind", "tweet", "-a", str(tmp_path)], 2, "pingback"),
    ):
        assert main(["classify", *arguments]) == code
        shown = capsys.readouterr().err
        assert says in shown
        assert shown.count("\n") == 1


# -- archives and runs ---------------------------------------------------------------------------------------------

TEXTS = [
    "Thank you so much for this!",
    "The bridge opened in May. It is blue.",
    "Follow me on my new blog and subscribe to my newsletter!",
    "People who only talk about themselves online tire me.",
]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two sites with the same four comments each, by Ana (2012) and Bo (2013)."""
    found = Archive.create_or_open(tmp_path / "archive")
    for site in ("a.example", "b.example"):
        thread = Thread(
            thread_id=make_id("thread", site), url=f"https://{site}/p", canonical_url=f"https://{site}/p", site=site,
            platform=None, title="P", language=None, announced_count=4, captured_count=4, completeness="complete",
            completeness_reason=None, captured_at="2026-01-01T00:00:00Z",
        )  # fmt: skip
        Tables.open(found).write([], [thread], [comment(thread.thread_id, n, text) for n, text in enumerate(TEXTS)])
    return found.root


def comment(thread: str, n: int, text: str) -> Entry:
    return Entry(
        revision_id=make_id(thread, n), entry_id=make_id("e", thread, n), thread_id=thread, position=n, native_id=str(n),
        kind="comment", parent_id=None, parent_source=None, depth=1, author=("Ana", "Bo")[n % 2], author_url=None,
        is_post_author=False, published=f"{2012 + n % 2}-05-01", published_text=None, published_precision="day",
        url=None, state="visible", edited=None, text=text, text_digest=text_digest(text), captured_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


def labels(archive: Path) -> list[dict[str, Any]]:
    return list(Tables.open(Archive.open(archive)).rows("labels"))


@pytest.mark.model
def test_an_archive_is_classified_part_by_part(archive: Path) -> None:
    steps = [
        (Narrowed(site="www.A.example", author="ana"), 2),
        (Narrowed(where="author:ana after:2012", until="2012"), 4),
        (Narrowed(thread=make_id("thread", "b.example")[:8], since="2013"), 7),
        (Narrowed(where="-site:b.example"), 10),
        (Narrowed(), 10),
    ]
    for narrowed, expected in steps:
        classify_archive(archive, narrowed=narrowed, quiet=True)
        assert len(labels(archive)) == expected
    assert len({row["label_id"] for row in labels(archive)}) == 10
    with pytest.raises(NothingFound):
        classify_archive(archive, narrowed=Narrowed(site="c.example"), quiet=True)
    rows = run_rows(archive)
    assert sorted(row["counts"]["labels"] for row in rows) == [0, 2, 2, 3, 3]
    assert {row["status"] for row in rows} == {"done"}
    parameters = [run_manifest(archive, row["id"])["parameters"] for row in rows]
    assert {"unit": "sentence", "site": "www.A.example", "author": "ana"} in parameters


@pytest.mark.model
def test_the_summary_of_a_part_is_of_that_part(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = classify_archive(archive, quiet=True).rows
    assert sum(row["units"] for row in whole) == 10
    assert {json.dumps(row["filters"]) for row in whole} == {"{}"}
    part = classify_archive(archive, narrowed=Narrowed(author="ana")).rows
    assert "labels of the 4 entries that meet the filters, whenever they were given" in capsys.readouterr().err
    of_ana = [row["label"] for row in labels(archive) if row["revision_id"] in by(archive, "Ana")]
    assert {row["label"]: row["units"] for row in part if row["units"]} == Counter(of_ana)
    assert sum(row["units"] for row in part) == 4
    assert sum(row["share"] for row in part) == pytest.approx(1)
    assert all(row["filters"] == {"author": "ana"} for row in part)


def by(archive: Path, author: str) -> set[str]:
    rows = Tables.open(Archive.open(archive)).rows("entries", columns=["revision_id", "author"])
    return {row["revision_id"] for row in rows if row["author"] == author}


@pytest.mark.model
def test_abstentions_in_an_archive_are_counted(archive: Path) -> None:
    thread = make_id("thread", "a.example")
    Tables.open(Archive.open(archive)).write([], [], [comment(thread, 4, SURE_AND_NOT[1])])
    rows = classify_archive(archive, quiet=True).rows
    without = [row["label"] for row in labels(archive) if row["abstain"]]
    assert {row["label"]: row["abstained"] for row in rows if row["abstained"]} == Counter(without)
    assert any(row["text"] == SURE_AND_NOT[1] and row["abstain"] for row in labels(archive))
    [run] = run_rows(archive)
    assert run["counts"]["abstained"] == len(without) > 0


@pytest.mark.model
def test_a_killed_run_shows_as_died_and_the_next_one_completes_it(archive: Path) -> None:
    code = (
        "import os, sys, cli.jobs.classify as m; from pathlib import Path; m.ENTRIES_PER_COMMIT = 2\n"
        "from store.tables import Tables; old = Tables.add_labels; seen = []\n"
        "def add(self, labels):\n    seen.append(old(self, labels))\n    if len(seen) == 1: os.kill(os.getpid(), 9)\n"
        "Tables.add_labels = add; m.classify_archive(Path(sys.argv[1]), quiet=True)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(archive)], check=False).returncode == -9
    assert 0 < len(labels(archive)) < 10
    assert [row["status"] for row in run_rows(archive)] == ["died"]
    chorus("classify", "-a", archive)
    assert len(labels(archive)) == len({row["label_id"] for row in labels(archive)}) == 10
    assert "done" in {row["status"] for row in run_rows(archive)}


@pytest.mark.model
def test_two_runs_of_an_archive_compare(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classify_archive(archive, quiet=True)
    [first] = run_rows(archive)
    rows = sorted(labels(archive), key=lambda row: row["label_id"])
    found, model = Archive.open(archive), "other@1"
    with RunRecorder(found, "classify", parameters={"unit": "sentence"}) as run:
        run.digests.update({"model": model, "codebook": rows[0]["codebook"]})
        Tables.open(found).add_labels([other(row, n, model) for n, row in enumerate(rows[:-1])])
    diff = diff_runs(archive, first["id"], run.run_id[:8], examples=1)
    changed = 3 - sum(row["label"] == "meta-talk" for row in rows[:3])
    assert (diff.compared, diff.changed, diff.only_a, diff.only_b) == (9, changed, 1, 0)
    assert sum(n for row in diff.confusion.values() for n in row.values()) == 9
    assert sum(row["meta-talk"] for name, row in diff.confusion.items() if name != "meta-talk") == changed
    assert len(diff.examples) == 1
    assert diff.examples[0].text in {row["text"] for row in rows[:3]}
    app = typer.Typer()
    runs_command.register(app)
    app.command("other")(lambda: None)
    for arguments in ([], ["show", first["id"]], ["diff", first["id"], run.run_id[:8], "--json"]):
        typer.main.get_command(app).main(["runs", *arguments, "-a", str(archive)], standalone_mode=False)
        shown = capsys.readouterr().out
        assert first["id"] in shown
    assert json.loads(shown)["share_changed"] == pytest.approx(changed / 9)
    for name, error in (("ffff0000", NothingFound), ("f", UsageError)):
        with pytest.raises(error):
            diff_runs(archive, first["id"], name)


def other(row: dict[str, Any], n: int, model: str) -> Label:
    from store.schema import from_row

    label = from_row(Label, row)
    return replace(label, label_id=make_id("other", n), model=model, label="meta-talk" if n < 3 else label.label)


@pytest.mark.model
def test_two_result_files_compare_with_their_texts(sentences: Path, whole: Path, tmp_path: Path) -> None:
    same = tmp_path / "same.csv"
    chorus("classify", "--input", sentences, "--out", same, code=3)
    diff = diff_runs(tmp_path, str(whole), str(same))
    assert (diff.compared, diff.changed, diff.kappa) == (ROWS - 1, 0, 1.0)
    rows = [json.loads(line) for line in whole.read_text(encoding="utf-8").splitlines()]
    wanted = {"self-promotion": "neither"}
    moved = [row for row in rows if row["label"] in wanted]
    for row in moved:
        row["label"] = wanted[row["label"]]
    (tmp_path / "other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    diff = diff_runs(tmp_path, str(whole), str(tmp_path / "other.jsonl"), examples=3)
    assert diff.changed == diff.confusion["self-promotion"]["neither"] == len(moved) > 10
    texts = {row["id"]: row["text"] for row in json_lines(sentences)}
    assert [example.text for example in diff.examples] == [texts[example.id] for example in diff.examples]
    assert diff.a.model == rows[0]["model"]
    with pytest.raises(UsageError, match="no result of chorus classify"):
        diff_runs(tmp_path, str(sentences), str(whole))


def test_an_id_that_came_long_before_is_found() -> None:
    rows = (batch_input.InputRow(n, f"id-{n if n != 150_000 else 77}") for n in range(1, 150_001))
    marked = [(row.number, row.error) for row in batch_input._without_repeats(rows, Source("x.jsonl")) if row.error]
    assert marked == [(150_000, "line 150000: id id-77 was there before, in line 77")]


def test_rows_count_when_they_are_on_the_disk_and_not_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_output, "COMMIT_SECONDS", 60.0)
    out, shape = tmp_path / "out.jsonl", Shape(("id",), {"id": "1"})

    def counted() -> int:
        manifest = read_manifest(manifest_path(out))
        return 0 if manifest is None else int(manifest["counts"]["rows"])

    with pytest.raises(KeyboardInterrupt), result_file(FileRun(out, {}, {"input": "a"}), shape) as result:
        assert result is not None
        result.append([{"id": "1"}, {"id": "2"}], {})
        assert counted() == 0
        raise KeyboardInterrupt
    assert counted() == 2 == len(out.read_text().splitlines())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), result_file(FileRun(out, {}, {"input": "a"}), shape) as result:
        assert result is not None
        result.append([{"id": "3"}], {})
        monkeypatch.setattr(os, "fsync", full)
        result.commit()
    monkeypatch.undo()
    assert counted() == 2
    with result_file(FileRun(out, {}, {"input": "a"}), shape) as result:
        assert result is not None
        result.append([{"id": "3"}], {})
        result.finish()
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["1", "2", "3"]


def test_a_result_that_was_removed_is_made_anew_and_one_that_was_cut_is_not_whole(
    sentences: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    command = ("classify", "--input", str(sentences), "--out", str(out), "--quiet")
    assert main(command) == 3  # three of the rows cannot be classified
    first = out.read_bytes()
    out.unlink()
    assert main(command) == 3
    assert out.read_bytes() == first
    out.write_bytes(first[: len(first) // 2])
    assert main(command) == 2
    assert len(out.read_bytes()) == len(first) // 2
    out.unlink()
    assert main((*command, "--cost", "self-promotion=0.9")) == 3  # what is gone binds nobody
    assert len(out.read_bytes().splitlines()) == len(first.splitlines())
