"""Records, tables, lock and search on a real LanceDB on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.archive import Archive
from store.filters import Filter, day_after, quote
from store.lock import write_lock
from store.records import (
    ArchiveError,
    ArchiveLocked,
    ConfigError,
    Entry,
    Evidence,
    NothingFound,
    Passage,
    Run,
    Thread,
    UsageError,
    Visit,
    entry_id,
    make_id,
    revision_id,
    text_digest,
)
from store.schema import arrow_schema, csv_columns, csv_row, from_row, json_schema, to_row
from store.search import fuse, more_like, search
from store.tables import TABLES, Tables

EVIDENCE = Evidence(warc="a.warc.gz", offset=7, record_id="<urn:uuid:1>", digest="sha256:x")


def entry(
    native: str, text: str, *, kind: str = "comment", parent: str | None = None, at: str = "2026-01-01T00:00:00Z"
) -> Entry:
    thread = make_id("thread", "x")
    eid = entry_id(thread, kind, native)
    return Entry(
        revision_id=revision_id(eid, author="Ana", parent_id=parent, state="visible", text=text),
        entry_id=eid,
        thread_id=thread,
        position=0,
        native_id=native,
        kind=kind,  # type: ignore[arg-type]
        parent_id=parent,
        parent_source=None,
        depth=1,
        author="Ana",
        author_url=None,
        is_post_author=False,
        published="2012-12-05",
        published_text=None,
        published_precision="day",
        url=None,
        state="visible",
        edited=None,
        text=text,
        text_digest=text_digest(text),
        links=("https://a.example/",),
        captured_at=at,
        evidence=EVIDENCE,
    )


def page(*entries: Entry, at: str = "2026-01-01T00:00:00Z") -> tuple[list[Visit], list[Thread], list[Entry]]:
    thread = Thread(
        thread_id=entries[0].thread_id, url="https://b.example/x", canonical_url="https://b.example/x", site="b.example",
        platform=None, title=None, language=None, announced_count=None, captured_count=len(entries),
        completeness="unknown", completeness_reason=None, captured_at=at, visit_id="v" + at,
    )  # fmt: skip
    visit = Visit(
        visit_id="v" + at, url=thread.url, final_url=None, captured_at=at, outcome="captured", status=200, error=None,
        media_type=None, thread_id=thread.thread_id, revision_ids=tuple(e.revision_id for e in entries), dom=EVIDENCE,
    )  # fmt: skip
    return [visit], [thread], list(entries)


def passage(text: str, n: int, **changes: object) -> Passage:
    made = Passage(
        passage_id=make_id("p", n), revision_id=make_id("r", n), entry_id=make_id("e", n), thread_id=make_id("t", n % 3),
        start=0, end=len(text), text=text, title=None, site="b.example", author="Ana", kind="comment",
        published="2012-12-05T10:00:00-08:00", url=None, parent_author=None, encoder="m@1",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables.open(Archive.create_or_open(tmp_path / "archive"))


@pytest.mark.parametrize("cls", [cls for cls, _ in TABLES.values()] + [Run])
def test_every_record_has_arrow_csv_and_json_forms(cls: type) -> None:
    names = list(cls.__dataclass_fields__)  # type: ignore[attr-defined]
    assert arrow_schema(cls).names == names
    assert set(json_schema(cls)["properties"]) == set(names)
    assert {column.split(".")[0] for column in csv_columns(cls)} == set(names)


@given(st.text())
def test_records_come_back_from_rows_unchanged(text: str) -> None:
    made = entry("comment-1", text)
    assert from_row(Entry, to_row(made)) == made
    assert csv_row(made)["evidence.offset"] == 7


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_ids_differ_when_parts_differ(one: list[str], other: list[str]) -> None:
    assert (make_id(*one) == make_id(*other)) == (one == other)


def test_the_same_page_twice_adds_nothing(tables: Tables) -> None:
    first = page(entry("comment-1", "one"), entry("comment-2", "two"))
    assert tables.write(*first) == 2
    assert tables.write(*first) == 0
    assert (tables.count("entries"), tables.count("visits"), tables.count("threads")) == (2, 1, 1)


def test_a_changed_comment_is_a_new_revision_and_the_old_one_stays(tables: Tables) -> None:
    tables.write(*page(entry("comment-1", "before")))
    later = "2026-02-01T00:00:00Z"
    tables.write(*page(entry("comment-1", "after", at=later), at=later))
    assert sorted(e.text for e in tables.iter_entries()) == ["after", "before"]
    assert len({e.entry_id for e in tables.iter_entries()}) == 1
    [thread] = tables.threads()
    assert [e.text for e in tables.document(thread).entries] == ["after"]


def test_an_older_capture_read_late_does_not_replace_a_newer_one(tables: Tables) -> None:
    tables.write(*page(entry("comment-1", "new"), at="2026-02-01T00:00:00Z"))
    tables.write(*page(entry("comment-1", "old"), at="2026-01-01T00:00:00Z"))
    [thread] = tables.threads()
    assert [e.text for e in tables.document(thread).entries] == ["new"]


def test_threads_are_found_by_prefix_and_url_and_missing_ones_named(tables: Tables) -> None:
    made = entry("comment-1", "one")
    tables.write(*page(made))
    for name in (made.thread_id[:8], made.entry_id[:8], "https://b.example/x"):
        assert tables.thread_document(name).comments == (made,)
    with pytest.raises(NothingFound):
        tables.thread_document("ffffffff")
    with pytest.raises(UsageError):
        tables.thread_document("ab")


def test_an_empty_archive_answers_with_nothing(tables: Tables) -> None:
    assert tables.threads() == []
    assert tables.captured_urls() == set()
    assert search(tables, "x", np.ones(4, np.float32)) == []


def test_a_second_writer_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    archive = Archive.create_or_open(tmp_path / "archive")
    code = (
        "import sys, time; from pathlib import Path; from store.archive import Archive; from store.lock import write_lock\n"
        "with write_lock(Archive(Path(sys.argv[1])), 'harvest'):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(archive.root)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ArchiveLocked, match=f"harvest.*{holder.pid}"), write_lock(archive, "classify"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with write_lock(archive, "classify"):
            assert json.loads((archive.root / ".lock").read_text())["pid"] == os.getpid()
    finally:
        holder.kill()
        holder.wait()


def test_killing_a_writer_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    archive = Archive.create_or_open(tmp_path / "archive")
    code = (
        "import sys; from pathlib import Path; from store.archive import Archive; from store.tables import Tables\n"
        "from tests.test_store import entry, page\n"
        "tables = Tables.open(Archive.open(Path(sys.argv[1])))\n"
        "for n in range(10_000):\n    tables.write(*page(entry(f'comment-{n}', str(n)))); print(n, flush=True)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(archive.root)], stdout=subprocess.PIPE)
    assert writer.stdout
    acknowledged = [writer.stdout.readline() for _ in range(5)]
    time.sleep(0.05)
    writer.send_signal(signal.SIGKILL)
    acknowledged += writer.stdout.readlines()
    writer.wait()
    texts = {e.text for e in Tables.open(archive).iter_entries()}
    assert {line.decode().strip() for line in acknowledged} <= texts


def test_only_archives_are_opened_and_nothing_else_is_written_into(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError):
        Archive.open(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArchiveError):
        Archive.create_or_open(tmp_path)
    (tmp_path / "chorus.toml").write_text("[[[")
    with pytest.raises(ArchiveError):
        Archive.open(tmp_path)


def test_vectors_of_another_model_are_refused(tables: Tables) -> None:
    tables.add_passages([passage("a", 1)], np.ones((1, 4), np.float32))
    with pytest.raises(ConfigError):
        tables.add_passages([passage("b", 2, encoder="other@2")], np.ones((1, 4), np.float32))


@pytest.fixture
def filled(tables: Tables) -> Tables:
    rng = np.random.default_rng(0)
    rows = [
        passage(
            f"word{n} about {'gardens' if n % 2 else 'radios'}",
            n,
            author="Ana" if n % 4 else "O'Brien",
            published=f"20{10 + n % 10}-0{1 + n % 9}-05",
            labels=("self-promotion", "meta-talk") if n % 5 == 0 else ("neither",),
        )
        for n in range(200)
    ]
    vectors = rng.normal(size=(200, 8)).astype(np.float32)
    tables.add_passages(rows, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    tables.index_passages()
    return tables


def test_search_by_words_vectors_and_both(filled: Tables) -> None:
    assert search(filled, "word17", None, mode="text")[0].passage.text.startswith("word17 ")
    [row] = filled.rows("passages", f"passage_id = {quote(make_id('p', 42))}", ["vector"])
    vector = np.array(row["vector"], np.float32)
    assert search(filled, "", vector, mode="vector")[0].passage.passage_id == make_id("p", 42)
    both = search(filled, "word17", vector, k=2)
    assert {hit.passage.passage_id for hit in both} == {make_id("p", 42), make_id("p", 17)}
    assert more_like(filled, make_id("p", 42), k=3)[0].passage.passage_id != make_id("p", 42)


def test_rows_added_after_the_index_are_found(filled: Tables) -> None:
    filled.add_passages([passage("zeppelin over the allotment", 999)], np.ones((1, 8), np.float32))
    assert search(filled, "zeppelins", None, mode="text")[0].passage.passage_id == make_id("p", 999)


def test_filters_narrow_before_ranking(filled: Tables) -> None:
    vector = np.ones(8, np.float32)
    hits = search(filled, "gardens", vector, k=200, filter=Filter(label="self-promotion", author="o'brien"))
    assert len(hits) == 10
    assert {hit.passage.author for hit in hits} == {"O'Brien"}
    dated = search(filled, "gardens", vector, k=200, filter=Filter(since="2013", until="2014-06"))
    assert {hit.passage.published[:4] for hit in dated if hit.passage.published} == {"2013", "2014"}
    assert all((hit.passage.published or "") < "2014-07" for hit in dated)
    assert search(filled, "gardens", vector, filter=Filter(site="nowhere.example")) == []


@given(st.text(max_size=60))
def test_any_value_stays_a_value(value: str) -> None:
    if "\0" in value:
        with pytest.raises(UsageError):
            quote(value)
        return
    inner = quote(value)[1:-1]
    assert "'" not in inner.replace("''", "")


def test_days_months_and_years_end_where_they_should() -> None:
    assert (day_after("2012"), day_after("2012-12"), day_after("2012-12-31")) == ("2013", "2013-01", "2013-01-01")
    with pytest.raises(UsageError):
        day_after("2012-13-40")


def test_fusion_prefers_what_both_rankings_hold() -> None:
    scores = fuse([["a", "b", "c"], ["b", "d"]])
    assert max(scores, key=lambda key: scores[key]) == "b"
    assert scores["a"] == pytest.approx(1 / 61)
