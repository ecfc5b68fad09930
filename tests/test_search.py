"""Search: words as LanceDB has them, the light index against LanceDB, the query language, the command, and its upkeep."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cli.main import main
from nlp.corpus import load_corpus
from store import indexing, refresh, segment_build, signs
from store.archive import Archive
from store.errors import UsageError
from store.filters import Condition, Filter
from store.hits import fold
from store.lance_index import LanceIndex
from store.light import FOLDER, LightIndex, condition
from store.query import Query, parse_query
from store.records import Entry, Evidence, Passage, Thread, entry_id, make_id, passage_id, revision_id, text_digest
from store.search import every, more_like, rank_threads, search, with_context
from store.signs import least_unlike, sign_codes, unlike
from store.tables import Tables
from store.words import raw_words, words

DIMENSIONS = 32
AUTHORS = ("Ana Ruiz", "Colm Darcy", "O'Brien", "José Ñúñez", "ana ruiz", None)
LABELS = (("self-promotion", "meta-talk"), ("community-sharing",), ("neither",), None)

QUERIES = (
    "who is this really for",
    "thank you for the books",
    "the the of",
    "zeppelin",
    "please vote for us, universities",
    '"thank you"',
    '"of the" school -"of the school"',
    "library -library",
    "book author:o'brien",
    'author:"Ana Ruiz" author:"colm darcy" the',
    "garden label:self-promotion after:2010 before:2012-06",
    "-label:neither -kind:post people",
    "site:one.example -author:o'brien we",
    "label:meta-talk",
    "after:2011-03-02 before:2011-03-03",
    "until:2009 since:2008-05",
    "-author:\"José Ñúñez\" 'quoted' (brackets) semi;colon",
    "thread:0",
)


def vector_of(text: str) -> NDArray[np.float32]:
    """A unit vector that depends on the words alone: texts that share words are near."""
    made = np.full(DIMENSIONS, 0.01, np.float32)  # a text without words has a vector too
    for word in raw_words(text):
        made += np.random.default_rng(abs(int(make_id(word), 16)) % 2**32).normal(size=DIMENSIONS).astype(np.float32)
    return made / max(float(np.linalg.norm(made)), 1e-9)


def entry_of(thread: str, number: int, text: str, parent: str | None, rng: random.Random) -> Entry:
    kind = "comment" if number else "post"
    own = entry_id(thread, kind, f"{kind}-{number}")
    day = f"20{8 + rng.randrange(6):02}-{1 + rng.randrange(12):02}-{1 + rng.randrange(28):02}"
    author = rng.choice(AUTHORS)
    return Entry(
        revision_id=revision_id(own, author=author, parent_id=parent, state="visible", text=text), entry_id=own,
        thread_id=thread, position=number, native_id=f"{kind}-{number}", kind=kind, parent_id=parent,  # type: ignore[arg-type]
        parent_source="dom" if parent else None, depth=0 if kind == "post" else 1, author=author, author_url=None,
        is_post_author=False, published=rng.choice((day, day[:7], day + "T10:00:00-08:00", None)), published_text=None,
        published_precision="day", url=f"https://one.example/{thread[:6]}/#{number}", state="visible", edited=None, text=text,
        text_digest=text_digest(text), captured_at="2026-01-01T00:00:00Z",
        evidence=Evidence(warc="a.warc.gz", offset=number, record_id=f"<urn:{number}>", digest="sha256:x"),
    )  # fmt: skip


def passage_of(entry: Entry, number: int = 0, **changes: Any) -> Passage:
    made = Passage(
        passage_id=passage_id(entry.revision_id, 0, len(entry.text)), revision_id=entry.revision_id, entry_id=entry.entry_id,
        thread_id=entry.thread_id, start=0, end=len(entry.text), text=entry.text, title="A thread about gardens",
        site=("one.example", "two.example")[int(entry.thread_id, 16) % 2], author=entry.author, kind=entry.kind,
        published=entry.published, url=entry.url, parent_author=None, encoder="m@1",
        labels=LABELS[number % len(LABELS)], label_probability=None if number % 4 == 3 else number % 10 / 10,
    )  # fmt: skip
    return replace(made, **changes)


def threads_of(seed: int, count: int, sentences: int = 3) -> Iterator[list[Entry]]:
    """Threads of a post and some comments, made of the corpus's sentences; comments answer earlier ones now and then."""
    rng = random.Random(seed)
    texts = [sentence.text for sentence in load_corpus() if sentence.id[0] in "ac"]  # those that will not change
    for n in range(count):
        thread = make_id("thread", seed, n)
        entries: list[Entry] = []
        for number in range(rng.randrange(3, 9)):
            text = " ".join(rng.sample(texts, rng.randrange(1, sentences + 1)))
            parent = rng.choice([None, *(e.entry_id for e in entries[1:])])
            entries.append(entry_of(thread, number, text, parent if number else None, rng))
        yield entries


def add(tables: Tables, entries: list[Entry], **changes: Any) -> list[Passage]:
    thread = Thread(
        thread_id=entries[0].thread_id, url="https://one.example/", canonical_url="https://one.example/", site="one.example",
        platform=None, title="A thread about gardens", language=None, announced_count=None, captured_count=len(entries),
        completeness="unknown", completeness_reason=None, captured_at=entries[0].captured_at,
    )  # fmt: skip
    tables.write([], [thread], entries)
    rows = [passage_of(entry, n, **changes) for n, entry in enumerate(entries)]
    tables.add_passages(rows, np.stack([vector_of(row.text) for row in rows]))
    return rows


def filled(path: Path, count: int = 60, seed: int = 1) -> Tables:
    tables = Tables.open(Archive.create_or_open(path))
    add(tables, [entry for thread in threads_of(seed, count) for entry in thread])
    tables.index_passages()
    return tables


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """An archive that no test changes."""
    return filled(tmp_path_factory.mktemp("search") / "archive")


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return filled(tmp_path / "archive", 8)


def light(tables: Tables) -> LightIndex:
    index = LightIndex.open(tables._directory)
    assert index is not None
    return index


def ids(hits: Any) -> list[str]:
    return [hit.passage.passage_id for hit in hits]


# -- words -----------------------------------------------------------------------------------------------------


def test_words_are_lancedbs_own(shared: Tables) -> None:
    text = " ".join(sentence.text for sentence in load_corpus())
    odd = (
        "don't e-mail 3rd naïve foo_bar ﬁnes Straße Ærø ŒUVRE passées résumés générosité señoritas x/y?z=1 universities "
        "organized generously commonly arsenals pasted pasting added eggs paste dying skies news evenings psychologist "
        "internationally biological possibly rationalization hopping hoping conflated troubled sized feed agreed plastered "
        "motoring sing relational conditional digitizer differently vileness analogously operator feudalism callousness "
        "formality sensitivity triplicate formative electricity hopeful goodness revival allowance inference adjustable "
        "defensible irritant replacement adjustment dependent adoption homologous communism activate bowdlerize rate "
        "cease controlled yellow boy boyish enjoyment sayings youth "
    ) + " ".join(("x" * 39, "x" * 40, "é" * 19, "é" * 20))
    vocabulary = sorted(set(re.findall(r"\S+", text + " " + odd)))
    table = shared.table("passages")
    assert table is not None
    theirs = [token.text for token in table.tokenize(" ".join(vocabulary), column="text")]
    assert raw_words(" ".join(vocabulary)) == theirs
    assert len(theirs) > 5000


@given(st.text(max_size=80))
def test_words_know_where_they_stand(text: str) -> None:
    for word, start, end in words(text):
        assert raw_words(text[start:end]) == [word]


# -- the query language ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("two words", Query("two words", ("two", "word"))),
        ('a "short phrase"', Query("a short phrase", ("a", "short", "phrase"), (("short", "phrase"),))),
        ("“curled quotes”", Query("curled quotes", ("curl", "quot"), (("curl", "quot"),))),
        ("keep -drop", Query("keep", ("keep",), (), (("drop",),))),
        ('-"not this"', Query("", (), (), (("not", "this"),))),
        ("well-known - x", Query("well-known - x", ("well", "known", "x"))),
        ('author:"Ana Ruiz"', Query(conditions=(Condition("author", ("ana ruiz",)),))),
        ("-site:www.A.example", Query(conditions=(Condition("site", ("a.example",), True),))),
        (
            "after:2012 before:2013-02",
            Query(conditions=(Condition("since", ("2012",)), Condition("before", ("2013-02",)))),
        ),
        ("until:2012-12", Query(conditions=(Condition("before", ("2013-01",)),))),
        ("http://a.example/b", Query("http://a.example/b", ("http", "a", "exampl", "b"))),
        ("author: x", Query("author: x", ("author", "x"))),
        ('an "open quote', Query("an open quote", ("an", "open", "quot"))),
        ('""', Query()),
    ],
)
def test_queries_are_understood(typed: str, expected: Query) -> None:
    assert parse_query(typed) == expected


@pytest.mark.parametrize("typed", ["kind:tweet", "before:yesterday", "after:2012-13-40", "-until:x"])
def test_impossible_values_are_named(typed: str) -> None:
    with pytest.raises(UsageError, match=typed.split(":")[1]):
        parse_query(typed)


HOSTILE = (
    "' OR 1=1; --", "'; DROP TABLE passages; --", '"' * 999, "* " * 500, "%_%", "\\", "a" * 100_000, "-" * 5000,
    "🌱\x00\x1b[2J", "author:' OR '1'='1", 'author:"\x00"', "label:(((", "thread:%", "site:*", "x:" * 400, '-"' * 300, "\ud800",
    "((", "a AND (b OR", "..* .+ [a-z]{1,9999}", "text:*", "~ ^5 \\*", "\u202e evil", "before:9999-99", "{{7*7}} ${x} $(id) `id`",
)  # fmt: skip


@pytest.mark.parametrize("typed", HOSTILE)
def test_hostile_queries_give_hits_or_one_clear_error(typed: str, shared: Tables) -> None:
    for index in (light(shared), LanceIndex(shared)):
        try:
            query = parse_query(typed)
            hits = search(index, query, vector_of(query.text), k=3)
        except UsageError as error:
            assert len(str(error)) < 200
        else:
            assert len(hits) <= 3
    assert shared.count("passages") == light(shared).passages


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("abc the-\":*'() \x00é😀author:site:label:2012"), max_size=40))
def test_any_text_is_a_query(shared_query: str) -> None:
    try:
        query = parse_query(shared_query)
    except UsageError:
        return
    assert query.is_empty or query.text or query.without or query.conditions
    assert all(phrase for phrase in (*query.phrases, *query.without))


def test_a_very_long_query_costs_no_more_than_a_question(shared: Tables) -> None:
    start = time.process_time()
    for typed in ('"' * 100_000, "word " * 20_000, '-"x y" ' * 15_000, "author:a " * 10_000):
        search(light(shared), parse_query(typed), None, mode="text", k=3)
    assert time.process_time() - start < 2


# -- the light index against LanceDB ---------------------------------------------------------------------------


@pytest.mark.parametrize("typed", QUERIES)
@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_the_light_index_gives_lancedbs_hits(typed: str, mode: Any, shared: Tables) -> None:
    query = parse_query(typed)
    vector = vector_of(query.text) if query.text else None
    ours = search(light(shared), query, vector, mode=mode, k=15)
    theirs = search(LanceIndex(shared), query, vector, mode=mode, k=15)
    assert ids(ours) == ids(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert (one.passage, one.place, one.highlights) == (other.passage, other.place, other.highlights)
        assert (one.score, one.text_rank, one.vector_rank) == (other.score, other.text_rank, other.vector_rank)
        assert one.text_share == other.text_share
        assert one.text_score == pytest.approx(other.text_score, abs=1e-4)
        assert one.vector_distance == pytest.approx(other.vector_distance, abs=1e-5)
    assert every(light(shared), query)[0] == every(LanceIndex(shared), query)[0]


def test_queries_of_the_comparison_find_something_and_narrow(shared: Tables) -> None:
    found = {typed: search(light(shared), parse_query(typed), None, mode="text", k=500) for typed in QUERIES}
    assert not found["zeppelin"]
    assert not found["library -library"]
    assert sum(bool(hits) for hits in found.values()) >= 13
    assert all("thank you" in hit.passage.text.lower() for hit in found['"thank you"'])
    assert {(h.passage.author or "").lower() for h in found["book author:o'brien"]} == {"o'brien"}
    dated = [hit.passage.published or "" for hit in found["after:2011-03-02 before:2011-03-03"]]
    assert all(day.startswith("2011-03-02") for day in dated)
    both = {(h.passage.author or "").lower() for h in found['author:"Ana Ruiz" author:"colm darcy" the']}
    assert both == {"ana ruiz", "colm darcy"}


def test_a_segment_with_codes_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_build, "CODES_FROM", 100)
    monkeypatch.setattr("store.light.EXACT_UP_TO", 100)
    monkeypatch.setattr("store.segment.REFINED", 10)
    monkeypatch.setattr(signs, "REFINED", 60)
    monkeypatch.setattr(signs, "REFINED_TIMES", 6)
    tables = filled(tmp_path / "archive", 120)
    index = light(tables)
    assert "codes" in index._segments[0]._file
    same = [
        len(set(ids(search(index, "", vector_of(typed), mode="vector", k=10, filter=narrow)))
            & set(ids(search(LanceIndex(tables), "", vector_of(typed), mode="vector", k=10, filter=narrow))))
        for typed in QUERIES
        for narrow in (None, Filter(label="self-promotion"))
    ]  # fmt: skip
    assert sum(same) / (10 * len(same)) > 0.9  # with 60 of 660 compared exactly, in 32 dimensions


def test_signs_choose_the_nearest() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40_000, 384)).astype(np.float32)
    vectors[:, :32] *= 4  # embeddings are not round
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes, found = sign_codes(vectors), 0
    for n in range(20):
        query = vectors[n] + rng.normal(size=384).astype(np.float32) * 0.05
        true = set(np.argpartition(-(vectors @ query), 10)[:10].tolist())
        [rows] = least_unlike([unlike(codes, query)], 10)
        assert 2_000 <= len(rows) < 4_000
        found += len(true & set(rows.tolist()))
    assert found / 200 > 0.97


# -- upkeep ----------------------------------------------------------------------------------------------------


def test_an_index_that_is_behind_does_not_answer_and_catches_up(tables: Tables) -> None:
    [extra] = threads_of(99, 1)
    before = light(tables).passages
    made = add(tables, [replace(extra[0], text="a zeppelin over the allotment")])
    assert LightIndex.open(tables._directory) is None
    assert ids(search(tables, "zeppelins", None, mode="text", k=1)) == [made[0].passage_id]
    tables.refresh_search()
    assert light(tables).passages == before + 1
    assert ids(search(light(tables), "zeppelins", None, mode="text", k=1)) == [made[0].passage_id]


def test_new_rows_become_segments_and_small_segments_are_joined(tables: Tables) -> None:
    sizes = []
    for entries in threads_of(5, 12):
        add(tables, entries)
        tables.refresh_search()
        sizes.append(len(light(tables)._segments))
    assert max(sizes) > 1
    assert max(sizes) <= 5
    assert light(tables).passages == tables.count("passages")
    query = parse_query("the people of the library")
    modes: tuple[Any, ...] = ("text", "vector")
    for mode in modes:
        ours = search(light(tables), query, vector_of(query.text), mode=mode, k=10)
        assert ids(ours) == ids(search(tables, query, vector_of(query.text), mode=mode, k=10))


def test_rows_that_are_gone_are_gone_and_new_labels_show(tables: Tables) -> None:
    table = tables.table("passages")
    assert table is not None
    victim = next(tables.rows("passages", columns=["passage_id", "text"]))
    table.delete(f"passage_id = '{victim['passage_id']}'")
    table.update(where="kind = 'post'", values={"labels": ["meta-talk"], "label_probability": 0.5})
    tables.refresh_search()
    index = light(tables)
    assert index.passages == tables.count("passages")
    assert victim["passage_id"] not in ids(search(index, victim["text"], None, mode="text", k=500, folded=False))
    posts = search(index, "kind:post", None, k=500, folded=False)
    assert posts
    assert {hit.passage.labels for hit in posts} == {("meta-talk",)}
    data = b"".join(
        path.read_bytes() for path in (tables._directory / FOLDER).glob("*.segment") if path.name in named(tables)
    )
    assert victim["text"].encode() not in data


def named(tables: Tables) -> set[str]:
    about = json.loads((tables._directory / FOLDER / "index.json").read_bytes())
    return {part["file"] for part in about["segments"]}


@pytest.mark.parametrize("harm", ["cut", "empty", "remove", "garbage index", "no folder"])
def test_a_torn_index_is_noticed_and_made_again(harm: str, tables: Tables) -> None:
    folder = tables._directory / FOLDER
    [segment] = folder.glob("*.segment")
    match harm:
        case "cut":
            os.truncate(segment, segment.stat().st_size // 2)
        case "empty":
            os.truncate(segment, 0)
        case "remove":
            segment.unlink()
        case "garbage index":
            (folder / "index.json").write_text("{")
        case "no folder":
            shutil.rmtree(folder)
    assert LightIndex.open(tables._directory) is None
    assert condition(tables._directory) == ("missing" if harm in ("garbage index", "no folder") else "torn")
    assert search(tables, "the", None, mode="text")
    tables.refresh_search()
    assert condition(tables._directory) == "current"
    assert light(tables).passages == tables.count("passages")


def test_erasing_leaves_nothing_in_the_files(tables: Tables) -> None:
    table = tables.table("passages")
    assert table is not None
    [extra] = threads_of(95, 1)
    add(tables, [replace(extra[0], text="xylophone secrets of one person")])
    tables.refresh_search()
    table.delete("text LIKE 'xylophone%'")
    assert condition(tables._directory) == "behind"
    tables.refresh_search(erase=True)
    left = b"".join(path.read_bytes() for path in (tables._directory / FOLDER).iterdir())
    assert b"xylophon" not in left
    assert light(tables).passages == tables.count("passages")


def test_old_files_wait_for_their_readers_then_go(tables: Tables) -> None:
    folder = tables._directory / FOLDER
    old = light(tables)
    [extra] = threads_of(98, 1)
    first = set(folder.glob("*.segment"))
    for n in range(3):
        add(
            tables,
            [replace(e, entry_id=make_id(e.entry_id, n), revision_id=make_id(e.revision_id, n)) for e in extra * 3],
        )
        tables.refresh_search()
    assert first <= set(folder.glob("*.segment"))
    assert search(old, "the", None, mode="text")  # an opened index goes on answering
    for path in folder.glob("*"):
        os.utime(path, (0, 0))
    add(tables, [replace(extra[0], entry_id=make_id("last"), revision_id=make_id("last"))])
    tables.refresh_search()
    assert {path.name for path in folder.glob("*.segment")} <= named(tables) | {path.name for path in folder.glob("*")}
    unnamed = [p for p in folder.glob("*.segment") if p.name not in named(tables)]
    assert all(time.time() - path.stat().st_mtime < refresh.KEEP for path in unnamed)
    assert search(old, "the", None, mode="text")


def test_lancedbs_indices_are_built_when_they_pay_and_answer_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = filled(tmp_path / "archive", 60)
    table = tables.table("passages")
    assert table is not None
    assert {tuple(index.columns) for index in table.list_indices()} == {("text",)}
    before = {typed: ids(search(tables, parse_query(typed), None, mode="text", k=9)) for typed in QUERIES}
    monkeypatch.setattr(indexing, "SCALAR_INDICES_FROM", 10)
    monkeypatch.setattr(indexing, "VECTOR_INDEX_FROM", 10)
    tables.index_passages()
    built = {index.columns[0]: index.index_type for index in table.list_indices()}
    assert set(built) == {"text", "vector", *indexing.SCALARS}
    assert {typed: ids(search(tables, parse_query(typed), None, mode="text", k=9)) for typed in QUERIES} == before
    vector = vector_of("the people of the library")
    assert ids(search(tables, "", vector, k=5)) == ids(search(light(tables), "", vector, k=5))
    tables.index_passages()
    assert len(table.list_indices()) == len(built)


WRITER = """
import sys, time
from pathlib import Path
from store.archive import Archive
from store.errors import ArchiveLocked
from store.lock import write_lock
from store.tables import Tables
from tests.test_search import add, threads_of
archive, seed = Archive.open(Path(sys.argv[1])), int(sys.argv[2])
for n, entries in enumerate(threads_of(seed, 500)):
    while True:
        try:
            with write_lock(archive, "test"):
                tables = Tables.open(archive)
                add(tables, [*entries, *next(threads_of(7, 1))])
                tables.index_passages()
            break
        except ArchiveLocked:
            time.sleep(0.02)
    print(*(e.revision_id for e in entries), flush=True)
"""

READER = """
import sys, time
from pathlib import Path
from cli.jobs.search import Searcher, SearchRequest
searcher = Searcher(Path(sys.argv[1]), resident=True)
end = time.monotonic() + float(sys.argv[2])
count, first, most = 0, None, 0
while time.monotonic() < end:
    hits = searcher.hits(SearchRequest(query="the people", mode="text", k=50))
    total, rows = searcher.every(SearchRequest(query="the"))
    assert len({h.passage.passage_id for h in rows}) == total
    first = total if first is None else first
    most, count = max(most, total), count + 1
print(count, first, most)
"""


def test_two_writers_a_reader_and_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    filled(path, 4)
    run = [sys.executable, "-c"]
    writers = [
        subprocess.Popen([*run, WRITER, str(path), str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for seed in (21, 22)
    ]
    reader = subprocess.Popen([*run, READER, str(path), "12"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(8)
    writers[0].send_signal(signal.SIGKILL)
    out, errors = reader.communicate(timeout=60)
    writers[1].send_signal(signal.SIGKILL)
    acknowledged: list[str] = []
    for writer in writers:
        said, _ = writer.communicate()
        acknowledged += [
            word for line in said.decode().splitlines(keepends=True) if line.endswith("\n") for word in line.split()
        ]
    assert reader.returncode == 0, errors.decode()
    searches, first, most = map(int, out.split())
    assert searches > 5
    assert most > first  # the writers' rows were seen as they came
    tables = Tables.open(Archive.open(path))
    tables.index_passages()
    rows = [row["revision_id"] for row in tables.rows("passages", columns=["revision_id"])]
    assert len(acknowledged) > 10
    assert set(acknowledged) <= set(rows)
    keys = Counter(row["passage_id"] for row in tables.rows("passages", columns=["passage_id"]))
    assert max(keys.values()) == 1
    assert light(tables).passages == len(rows)


# -- what is found ---------------------------------------------------------------------------------------------


def test_copies_are_folded_and_quotations_are_not(tables: Tables) -> None:
    text = "Nobody told the allotment committee that the heron had moved in behind the second shed and would not leave."
    [base] = threads_of(97, 1)
    copies = [
        text,
        text.upper(),
        text + " Well.",
        f"You wrote: {text} I do not believe a word of it, and the shed is mine, as I said before.",
    ]
    made = [
        replace(base[0], entry_id=make_id("copy", n), revision_id=make_id("copy", n), text=copy)
        for n, copy in enumerate(copies)
    ]  # fmt: skip
    add(tables, made)
    tables.refresh_search()
    hits = search(light(tables), "heron behind the shed", None, mode="text", k=3)
    assert [len(hit.duplicates) for hit in hits[:2]] == [2, 0]
    assert hits[1].passage.text.startswith("You wrote")
    assert len(search(light(tables), "heron behind the shed", None, mode="text", k=3, folded=False)[0].duplicates) == 0
    assert fold([], 3) == []


def test_context_is_what_is_answered_and_what_answers(tables: Tables) -> None:
    rng = random.Random(0)
    thread = make_id("thread", "around")
    post = entry_of(thread, 0, "The post says that kites are overrated.", None, rng)
    first = entry_of(thread, 1, "First: kites are not.", None, rng)
    second = entry_of(thread, 2, "Second: quixotic kites!", first.entry_id, rng)
    replies = [entry_of(thread, n, f"Reply {n}.", second.entry_id, rng) for n in (3, 4, 5)]
    edited = replace(
        first, text="First, edited: they are.", revision_id=make_id("later"), captured_at="2026-02-01T00:00:00Z"
    )
    add(tables, [post, first, second, *replies, edited])
    tables.refresh_search()
    for index in (light(tables), LanceIndex(tables)):
        [hit] = with_context(index, search(index, "quixotic", None, mode="text", k=1), 2)
        assert [(c.relation, c.steps, c.text) for c in hit.context] == [
            ("parent", 2, post.text), ("parent", 1, edited.text), ("reply", 1, "Reply 3."), ("reply", 1, "Reply 4."),
        ]  # fmt: skip
        [top] = with_context(index, search(index, "overrated", None, mode="text", k=1), 1)
        assert [c.relation for c in top.context] == ["reply"]


def test_threads_rank_by_their_best_passages(shared: Tables) -> None:
    hits = search(light(shared), "the library and the school", None, mode="text", k=80)
    threads = rank_threads(hits, 5)
    assert [thread.score for thread in threads] == sorted((t.score for t in threads), reverse=True)
    assert len({thread.thread_id for thread in threads}) == 5
    best = threads[0]
    own = [hit for hit in hits if hit.passage.thread_id == best.thread_id]
    assert list(best.hits) == own[:3]
    assert best.score == pytest.approx(sum(hit.score / n for n, hit in enumerate(own[:5], 1)))


def test_everything_that_holds_all_words_and_more_like_one(shared: Tables) -> None:
    index = light(shared)
    count, hits = every(index, parse_query("the library"))
    found = list(hits)
    wanted = {row["passage_id"] for row in shared.rows("passages") if {"the", "librari"} <= set(raw_words(row["text"]))}
    assert count == len(found) == len(wanted)
    assert set(ids(found)) == wanted
    assert [hit.text_score for hit in found] == sorted((hit.text_score or 0 for hit in found), reverse=True)
    like = more_like(index, found[0].passage.entry_id[:12], k=3)
    assert found[0].passage.entry_id not in {hit.passage.entry_id for hit in like}
    assert ids(like) == ids(more_like(shared, found[0].passage.passage_id, k=3))
    with pytest.raises(UsageError, match="entries"):
        more_like(index, next(prefix for prefix in prefixes(index) if prefix), k=3)


def prefixes(index: LightIndex) -> Iterator[str]:
    """Four digits that begin the ids of two entries, or every passage's own if there are none."""
    rows = [row for segment in index._segments for row in map(segment.row, range(segment.rows))]
    starts = Counter(start for row in rows for start in {row["entry_id"][:4], row["passage_id"][:4]})
    yield from (start for start, count in starts.most_common(1) if count > 1)


# -- the command -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(shared: Tables) -> Path:
    return shared._directory.parent


def ask(archive: Path, *arguments: str, code: int = 0, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["search", *arguments, "-a", str(archive)]) == code
    return capsys.readouterr().out


def test_a_hit_shows_who_when_where_what_and_its_record(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [row] = json.loads(ask(archive, "the library -label:neither", "--mode", "text", "-k", "1", "--json", capsys=capsys))
    shown = ask(
        archive,
        "the library -label:neither",
        "--mode",
        "text",
        "-k",
        "1",
        "--format",
        "table",
        "--explain",
        capsys=capsys,
    )
    assert (row["author"] or "(no name)") in shown
    assert (row["published"] or "no date")[:10] in shown
    assert row["url"] in shown
    assert row["title"] in shown
    assert f"warc/a.warc.gz offset {row['evidence']['offset']}" in shown
    assert "BM25" in shown
    for name in (
        "label",
        "label_probability",
        "passage_id",
        "thread_id",
        "parent_id",
        "highlights",
        "text_rank",
        "score",
    ):
        assert name in row
    marked = {row["text"][start:end].lower() for start, end in row["highlights"]}
    assert marked <= {"library", "libraries"}
    assert marked


def test_matches_are_bold_on_a_terminal_and_nowhere_else(shared: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.render_hits import hits_text

    hits = search(light(shared), '"the library"', None, mode="text", k=3)
    assert "\x1b" not in hits_text(hits)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert "\x1b[1mthe\x1b[0m \x1b[1mlibrary\x1b[0m" in hits_text(hits).lower()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in hits_text(hits)


def test_a_hostile_page_cannot_drive_the_terminal(shared: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.render_hits import hits_text

    [hit] = search(light(shared), "the", None, mode="text", k=1)
    evil = "\x1b]0;owned\x07\ue000 the \ue001 \x9b2J " + "long " * 200
    bad = replace(
        hit,
        passage=replace(hit.passage, text=evil, author=evil[:9], title=evil[:9], url=evil[:9], parent_author=evil[:9]),
    )
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", hits_text([bad], explain=True))


def test_count_all_threads_and_context(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [counted] = json.loads(ask(archive, "the", "library", "--count", "--json", capsys=capsys))
    rows = [json.loads(line) for line in ask(archive, "the library", "--all", capsys=capsys).splitlines()]
    assert counted["passages"] == len(rows) > 1
    threads = [
        json.loads(line)
        for line in ask(archive, "the library", "--threads", "-k", "4", "--mode", "text", capsys=capsys).splitlines()
    ]
    assert len({row["thread_id"] for row in threads}) == 4
    around = json.loads(ask(archive, "kind:comment", "-k", "20", "--context", "1", "--json", capsys=capsys))
    assert all(row["context"] for row in around)


def test_nothing_found_is_exit_5_with_a_hint(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for typed, hint in (
        ("zeppelin", "other words"),
        ("author:darcy the", "colm darcy"),
        ("label:promotion", "self-promotion"),
        ("site:example", "one.example"),
    ):
        assert main(["search", typed, "--mode", "text", "-a", str(archive)]) == 5
        said = capsys.readouterr()
        assert hint in said.err
        assert said.err.count("\n") == 1
        assert said.out == ""
    assert main(["search", "zeppelin", "--count", "-a", str(archive)]) == 5
    assert main(["search", '""', "-a", str(archive)]) == 2


@pytest.mark.parametrize("typed", [text for text in HOSTILE if "\0" not in text and not text.startswith("-")])
def test_the_command_survives_hostile_queries(typed: str, archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["search", typed, "--mode", "text", "-k", "2", "-a", str(archive)])
    said = capsys.readouterr()
    assert code in (0, 2, 5)
    assert said.err.count("\n") <= 2
    assert "Traceback" not in said.err
    assert all(json.loads(line) for line in said.out.splitlines())


def test_a_prompt_answers_line_by_line(archive: Path) -> None:
    typed = 'the library\n\n:k 1\nauthor:"Ana Ruiz" the\nzeppelin\nkind:tweet\n:nonsense\n:like ffff0000\n:quit\nnever reached\n'
    command = [sys.executable, "-m", "cli", "search", "-i", "--mode", "text", "-k", "3", "-a", str(archive)]
    done = subprocess.run(command, input=typed.encode(), capture_output=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["query"] for row in rows] == ["the library"] * 3 + ['author:"Ana Ruiz" the']
    said = done.stderr.decode()
    for text in ("3 hits in", "1 hit in", "nothing found", "kind tweet", ":nonsense", "ffff0000"):
        assert text in said
    assert "Traceback" not in said


def test_an_archive_that_is_only_read_is_searched_through_lancedb(
    tables: Tables, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "read-only")

    before = ids(search(light(tables), "the", None, mode="text"))
    shutil.rmtree(tables._directory / FOLDER)
    monkeypatch.setattr(Tables, "refresh_search", refuse)  # root ignores file modes, so a chmod would not refuse
    rows = [
        json.loads(line) for line in ask(tables._directory.parent, "the", "--mode", "text", capsys=capsys).splitlines()
    ]
    assert [row["passage_id"] for row in rows] == before


def test_a_search_mends_a_small_index_that_is_behind(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    [extra] = threads_of(96, 1)
    add(tables, [replace(extra[0], text="one more zeppelin")])
    assert "zeppelin" in ask(tables._directory.parent, "zeppelin", "--mode", "text", capsys=capsys)
    assert light(tables).passages == tables.count("passages")


@pytest.mark.model
def test_one_question_imports_nothing_heavy(tmp_path: Path) -> None:
    from nlp.encoder import load_encoder

    encoder = load_encoder()
    tables = Tables.open(Archive.create_or_open(tmp_path / "archive"))
    entries = [entry for thread in threads_of(3, 40) for entry in thread]
    rows = [passage_of(entry, n, encoder=encoder.fingerprint) for n, entry in enumerate(entries)]
    tables.add_passages(rows, encoder.encode([row.text for row in rows]))
    tables.index_passages()
    heavy = (
        "lancedb",
        "lance",
        "pyarrow",
        "pandas",
        "torch",
        "transformers",
        "spacy",
        "sklearn",
        "scipy",
        "rich",
        "pydantic_settings",
    )
    call = ["search", "who is this for", "-k", "3", "-a", str(tmp_path / "archive")]
    code = (
        f"import sys; from cli.main import main; c = main({call!r})\n"
        f"print(c, [m for m in {heavy!r} if m in sys.modules], file=sys.stderr)"
    )
    for _ in range(2):  # the first may make the model ready
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert done.stderr.decode().strip() == "0 []"
        assert len(done.stdout.splitlines()) == 3
