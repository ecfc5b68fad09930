"""What is handed on: every format read back, people and machines kept apart, nobody named under pseudonyms."""

from __future__ import annotations

import csv
import json
import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cli.main import main
from store.archive import Archive
from store.exports.pseudonyms import Pseudonyms
from store.records import Thread, ThreadDocument
from store.tables import Tables

THREAD = {
    "url": "https://kiln.example/2012/12/glaze/",
    "canonical_url": "https://kiln.example/2012/12/glaze/",
    "title": "Glaze day, with Maria",
    "announced_count": 3,
    "post": {
        "native_id": "post-9",
        "kind": "post",
        "author": "Odd Haugen",
        "author_url": "https://kiln.example/odd",
        "published": "2012-12-05T09:14:00-08:00",
        "text": "We fired the big kiln. Thanks to Maria Lund for the ash glaze.",
    },
    "comments": [
        {"native_id": "c1", "author": "Maria Lund", "author_url": "https://lund.example/", "parent": None, "depth": 1,
         "kind": "comment", "text": "You are welcome, Odd! Write to me: maria.lund@lund.example or @marialund",
         "links": ["https://lund.example/shop", "https://other.example/"]},
        {"native_id": "c2", "author": None, "parent": 0, "depth": 2, "kind": "comment", "text": "=2+3 was my oven number."},
        {"native_id": "c3", "author": "odd haugen", "parent": 0, "depth": 2, "kind": "comment",
         "text": "Maria, that was a <b>fine</b> day & the Lund pots \u0007 sold."},
    ],
}  # fmt: skip

NOBODY_SPEAKS = ThreadDocument(
    Thread(
        thread_id="t", url="https://kiln.example/", canonical_url="https://kiln.example/", site="kiln.example",
        platform=None, title=None, language=None, announced_count=None, captured_count=0, completeness="unknown",
        completeness_reason=None, captured_at="2012-12-05T09:14:00Z",
    ),
    None,
    (),
)  # fmt: skip

NAMES = ("Odd", "Haugen", "Maria", "Lund", "marialund", "lund.example", "kiln.example/odd")


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One thread, its sentences classified by the real model, one of them coded by a person."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "thread.jsonl").write_text(json.dumps(THREAD) + "\n", encoding="utf-8")
    place = folder / "archive"
    assert run("import", folder / "thread.jsonl", "-a", place, "-q") == 0
    assert run("classify", "-a", place, "-q") == 0
    post = next(Tables.open(Archive.open(place)).documents()).post
    assert post is not None
    coding = {
        "id": f"{post.revision_id}:0",
        "label": "neither",
        "code": "N2",
        "coder": "gro",
        "codebook": "x",
        "at": "now",
    }
    (place / "annotations" / "gro.jsonl").write_text(json.dumps(coding) + "\n", encoding="utf-8")
    return place


def exported(archive: Path, kind: str, out: Path, *more: object) -> Path:
    assert run("export", "--as", kind, "--out", out, "-a", archive, "-q", *more) == 0
    return out


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.model
def test_label_studio_keeps_predictions_and_annotations_apart(archive: Path, tmp_path: Path) -> None:
    tasks = json.loads(exported(archive, "label-studio", tmp_path / "tasks.json").read_text(encoding="utf-8"))
    first, second = tasks[:2]
    assert (first["data"]["text"], second["data"]["context"]) == ("We fired the big kiln.",) * 2
    assert [a["result"][0]["value"]["choices"] for a in first["annotations"]] == [["neither"]]
    assert "gro" in first["annotations"][0]["result"][0]["meta"]["text"][0]
    assert second["annotations"] == []
    assert all(t["predictions"][0]["model_version"].startswith("chorus-acts@") for t in tasks)
    assert all(0 <= t["predictions"][0]["score"] <= 1 for t in tasks)
    config = ElementTree.fromstring((tmp_path / "tasks.json.config.xml").read_text(encoding="utf-8"))
    choices = {choice.get("value") for choice in config.iter("Choice")}
    assert choices == {"self-promotion", "community-sharing", "meta-talk", "neither"}
    names = {element.get("name") for element in config.iter()}
    assert {
        part for result in second["predictions"][0]["result"] for part in (result["from_name"], result["to_name"])
    } <= names


@pytest.mark.model
def test_doccano_and_prodigy_take_only_peoples_labels_as_labels(archive: Path, tmp_path: Path) -> None:
    rows = lines(exported(archive, "doccano", tmp_path / "doccano.jsonl"))
    assert [row["label"] for row in rows][:2] == [["neither"], []]
    assert all(row["machine_label"] for row in rows)
    tasks = lines(exported(archive, "prodigy", tmp_path / "prodigy.jsonl"))
    assert (tasks[0]["accept"], tasks[0]["_annotator_id"]) == (["neither"], "gro")
    assert "accept" not in tasks[1]
    assert [row["text"] for row in rows] == [task["text"] for task in tasks]
    whole = lines(exported(archive, "doccano", tmp_path / "whole.jsonl", "--unit", "entry"))
    assert whole[0]["text"] == THREAD["post"]["text"]  # type: ignore[index]
    assert len(whole) == 4
    assert whole[3]["context"] == whole[1]["text"]


@pytest.mark.model
def test_convokit_tells_who_answers_whom_and_when(archive: Path, tmp_path: Path) -> None:
    corpus = exported(archive, "convokit", tmp_path / "corpus")
    utterances = lines(corpus / "utterances.jsonl")
    post, thanks, unsigned, answer = utterances
    assert {u["conversation_id"] for u in utterances} == {post["id"]}
    assert [u["reply-to"] for u in utterances] == [None, post["id"], thanks["id"], thanks["id"]]
    assert post["timestamp"] == 1354727640  # 2012-12-05T17:14:00Z
    assert thanks["timestamp"] is None
    assert (unsigned["speaker"], unsigned["meta"]["author"]) == ("[unknown]", None)
    assert sum(answer["meta"]["sentence_labels"].values()) == 1
    speakers = json.loads((corpus / "speakers.json").read_text())
    assert {u["speaker"] for u in utterances} == set(speakers)
    index = json.loads((corpus / "index.json").read_text())
    assert set(index["utterances-index"]) == set(post["meta"])
    assert set(json.loads((corpus / "conversations.json").read_text())) == {post["id"]}


def test_comments_without_their_post_answer_nothing_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "thread.jsonl").write_text(json.dumps(THREAD) + "\n", encoding="utf-8")
    assert run("import", tmp_path / "thread.jsonl", "-a", tmp_path / "whole", "-q") == 0
    whole = Tables.open(Archive.open(tmp_path / "whole"))
    (thread,) = whole.threads()
    comments = whole.document(thread).comments
    visits = [
        replace(visit, revision_ids=tuple(c.revision_id for c in comments)) for visit in whole.visits(thread.thread_id)
    ]
    Tables.open(Archive.create_or_open(tmp_path / "part")).write(visits, [thread], comments)
    thanks, *answers = lines(exported(tmp_path / "part", "convokit", tmp_path / "corpus") / "utterances.jsonl")
    assert thanks["reply-to"] is None
    assert [u["reply-to"] for u in answers] == [thanks["id"]] * 2


@pytest.mark.model
def test_labels_are_those_of_the_unit(archive: Path, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    shutil.copytree(archive, place)
    assert run("classify", "-a", place, "-q", "--unit", "entry") == 0
    assert run("classify", "-a", place, "-q", "--unit", "sentence") == 0
    assert all(row["machine_label"] for row in lines(exported(place, "doccano", tmp_path / "sentences.jsonl")))
    entries = lines(exported(place, "convokit", tmp_path / "corpus") / "utterances.jsonl")
    assert all(u["meta"]["label"] and u["meta"]["sentence_labels"] for u in entries)


@pytest.mark.model
def test_gexf_counts_replies(archive: Path, tmp_path: Path) -> None:
    import networkx

    graph = networkx.read_gexf(exported(archive, "gexf", tmp_path / "graph.gexf"))
    names = {data["label"]: node for node, data in graph.nodes(data=True)}
    assert set(names) == {"Odd Haugen", "odd haugen", "Maria Lund"}
    assert graph.edges[names["Maria Lund"], names["Odd Haugen"]]["weight"] == 1
    assert graph.nodes[names["Maria Lund"]]["replies_received"] == 1
    shares = [value for name, value in graph.nodes[names["Odd Haugen"]].items() if name.startswith("share_")]
    assert sum(shares) == pytest.approx(1)


@pytest.mark.model
def test_ro_crate_describes_each_file(archive: Path, tmp_path: Path) -> None:
    import hashlib

    crate = exported(archive, "ro-crate", tmp_path / "crate")
    graph = {part["@id"]: part for part in json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]}
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    parts = [part["@id"] for part in graph["./"]["hasPart"]]
    on_disk = {
        str(p.relative_to(crate)) for p in crate.rglob("*") if p.is_file() and not p.name.startswith((".", "ro-crate"))
    }
    assert set(parts) == on_disk
    assert any(part.endswith(".warc.gz") for part in parts)
    for part in parts:
        data = (crate / part).read_bytes()
        assert (graph[part]["sha256"], graph[part]["contentSize"]) == (hashlib.sha256(data).hexdigest(), str(len(data)))
    actions = [part for part in graph.values() if part["@type"] == "CreateAction"]
    assert {action["name"] for action in actions} >= {"chorus import", "chorus classify"}
    assert all(action["result"]["@id"] in graph and action["instrument"]["@id"] in graph for action in actions)
    with zipfile.ZipFile(exported(archive, "ro-crate", tmp_path / "crate.zip")) as packed:
        assert {"ro-crate-metadata.json", *parts} == set(packed.namelist())


@pytest.mark.model
@pytest.mark.parametrize(
    "kind", ["jsonl", "csv", "convokit", "label-studio", "doccano", "prodigy", "ro-crate", "gexf", "parquet"]
)
def test_under_pseudonyms_nobody_is_named(archive: Path, tmp_path: Path, kind: str) -> None:
    out = exported(archive, kind, tmp_path / "out", "--pseudonymise", "--key", tmp_path / "key")
    files = [path for path in ([out] if out.is_file() else out.rglob("*")) if path.is_file()]
    found = b"\n".join(path.read_bytes() for path in files).decode("utf-8", "replace").replace("kiln.example/2012", "")
    assert not [name for name in (*NAMES, 'gro"', "maria.lund") if name in found]
    assert "person-" in found
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    again = exported(archive, kind, tmp_path / "again", "--pseudonymise", "--key", tmp_path / "key")
    if out.is_file():
        assert again.read_bytes() == out.read_bytes()


def test_one_key_makes_one_name_for_a_person_however_it_is_written() -> None:
    names, others = Pseudonyms(b"k" * 32), Pseudonyms()
    assert names.of("Odd Haugen") == names.of(" odd  haugen") == Pseudonyms(b"k" * 32).of("Odd Haugen")
    assert names.of("Odd Haugen") != others.of("Odd Haugen")


def test_names_go_as_whole_words_the_longest_first(tmp_path: Path) -> None:
    comments = [
        {"native_id": f"c{n}", "author": f"Person{n} Surname{n}", "parent": None, "depth": 1, "kind": "comment",
         "text": f"Surname{n} and Personal matters; Person{n} Surname{n}'s view, Person{n + 1}."}
        for n in range(300)
    ]  # fmt: skip
    thread = {**THREAD, "comments": comments, "announced_count": 300}
    (tmp_path / "thread.jsonl").write_text(json.dumps(thread) + "\n", encoding="utf-8")
    assert run("import", tmp_path / "thread.jsonl", "-a", tmp_path / "a", "-q") == 0
    (found,) = lines(
        exported(tmp_path / "a", "jsonl", tmp_path / "out.jsonl", "--pseudonymise", "--key", tmp_path / "k")
    )
    first, second = found["comments"][:2]
    assert first["text"] == (f"{first['author']} and Personal matters; {first['author']}'s view, {second['author']}.")


@pytest.mark.parametrize("text", ["a" * 300_000, "a." * 150_000, "a@b.c" * 60_000, "@" * 300_000])
def test_long_runs_without_a_space_take_no_squared_time(text: str) -> None:
    assert "@b.c" not in Pseudonyms().text(text, NOBODY_SPEAKS)


@pytest.mark.parametrize("text", ["to a.b+c@mail.example, please", "x@y.example@z.example", "a@b.example.c@d.example!"])
def test_mail_addresses_that_hang_together_go_together(text: str) -> None:
    found = Pseudonyms().text(text, NOBODY_SPEAKS)
    assert "@" not in found
    assert ".example" not in found


@pytest.mark.model
def test_formulas_stay_text_and_names_stay_whole_without_pseudonyms(archive: Path, tmp_path: Path) -> None:
    with exported(archive, "csv", tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["author"] for row in rows] == ["Odd Haugen", "Maria Lund", "", "odd haugen"]
    assert rows[2]["text"] == "'=2+3 was my oven number."


@pytest.mark.model
def test_what_cannot_be_written_is_refused_in_one_line(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for arguments in (
        ("--as", "convokit", "--out", mine),
        ("--as", "convokit"),
        ("--as", "gexf", "--out", mine),
        ("--as", "gexf", "--out", tmp_path / "nowhere" / "x.gexf"),
        ("--as", "gexf", "--out", "/proc/self/x.gexf"),
        ("--as", "convokit", "--out", "/proc/self/corpus"),
        ("--as", "ro-crate", "--out", "/proc/self/crate.zip"),
        ("--as", "smoke-signals"),
        ("--as", "doccano", "--unit", "paragraph"),
        ("--as", "csv", "--key", tmp_path / "key"),
        ("--as", "csv", "--pseudonymise", "--key", mine / "thesis.txt"),
    ):
        assert run("export", *arguments, "-a", archive) == 2
        error = capsys.readouterr().err.strip()
        assert error
        assert "Traceback" not in error
    assert (mine / "thesis.txt").read_text() == "years of work"
    twice = exported(archive, "convokit", tmp_path / "twice")
    exported(archive, "convokit", twice)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []
