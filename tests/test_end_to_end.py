"""The main job on the sample blog, through the command line, with the real browser, model, tables and WARC tools."""

import csv
import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from cli.sample_blog import SampleBlog, expected_threads

pytestmark = [pytest.mark.browser, pytest.mark.model]


def chorus(*arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
    """Run a command in a process of its own, as a user does; returns its JSON lines."""
    result = run(*arguments)
    assert result.returncode == code, result.stderr.decode()
    return [json.loads(line) for line in result.stdout.splitlines()]


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def blog() -> Iterator[SampleBlog]:
    with SampleBlog() as served:
        yield served


@pytest.fixture(scope="module")
def archive(blog: SampleBlog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("end-to-end") / "archive"
    rows = chorus("harvest", *blog.post_urls, "-a", path, "--allow-private", "--delay", "0", "--quiet")
    assert [row["outcome"] for row in rows] == ["captured"] * len(blog.post_urls)
    chorus("classify", "-a", path, "--quiet")
    return path


def table_rows(path: Path) -> dict[str, list[str]]:
    """Every row of every derived table as text, sorted: what two archives must share to be the same."""
    import lancedb

    database = lancedb.connect(path / "tables")
    names = ("visits", "threads", "entries", "passages")
    return {name: sorted(map(str, database.open_table(name).to_arrow().to_pylist())) for name in names}


def test_every_comment_of_the_blog_is_there_with_author_date_parent_and_text(archive: Path, blog: SampleBlog) -> None:
    for expected in expected_threads(blog.url):
        [thread] = chorus("show", expected["url"], "-a", archive)
        assert thread["title"] == expected["title"]
        assert thread["completeness"] == "complete"
        assert len(thread["comments"]) == len(expected["comments"])
        for got, wanted in zip(thread["comments"], expected["comments"], strict=True):
            for name in ("native_id", "author", "author_url", "parent", "kind", "state"):
                assert got[name] == wanted[name], (name, wanted["native_id"])
            assert " ".join(got["text"].split()) == " ".join(wanted["text"].split())


def test_evidence_leads_to_the_record_that_the_comment_was_read_from(archive: Path, blog: SampleBlog) -> None:
    from warcio.archiveiterator import ArchiveIterator

    [thread] = chorus("show", blog.post_urls[0], "-a", archive, "--evidence")
    comment = next(c for c in thread["comments"] if c["author"] and c["text"])
    evidence = comment["evidence"]
    with (archive / "warc" / evidence["warc"]).open("rb") as stream:
        stream.seek(evidence["offset"])
        record = next(iter(ArchiveIterator(stream)))
        assert record.rec_headers["WARC-Record-ID"] == evidence["record_id"]
        html = record.content_stream().read().decode()
    assert comment["author"] in html
    assert comment["native_id"] in html


def test_warc_files_pass_the_independent_check(archive: Path) -> None:
    files = sorted((archive / "warc").glob("*.warc.gz"))
    assert files
    result = subprocess.run([sys.executable, "-m", "warcio.cli", "check", *files], capture_output=True, check=False)
    assert result.returncode == 0, result.stdout.decode()


def test_labels_carry_probabilities_model_and_codebook(archive: Path) -> None:
    import lancedb

    rows = lancedb.connect(archive / "tables").open_table("labels").to_arrow().to_pylist()
    assert len(rows) > 200
    assert {row["label"] for row in rows} == {"self-promotion", "community-sharing", "meta-talk", "neither"}
    for row in rows:
        assert abs(sum(p["probability"] for p in row["probabilities"]) - 1) < 1e-3
        assert "@" in row["model"]
        assert row["codebook"]
    assert chorus("classify", "-a", archive, "--quiet")
    assert len(rows) == lancedb.connect(archive / "tables").open_table("labels").count_rows()


def test_search_finds_by_meaning_with_filters(archive: Path) -> None:
    hits = chorus("search", "thanks for sharing this with the community", "-a", archive, "-k", "5")
    assert len(hits) == 5
    promotion = chorus("search", "read my new book", "--label", "self-promotion", "-a", archive)
    assert all("self-promotion" in hit["labels"] for hit in promotion)
    author = hits[0]["author"]
    assert {h["author"] for h in chorus("search", "garden", "--author", author.upper(), "-a", archive)} == {author}
    comments = chorus("search", "a", "--kind", "comment", "-k", "100", "-a", archive)
    assert {hit["kind"] for hit in comments} == {"comment"}
    year = comments[0]["published"][:4]
    dated = chorus("search", "a", "--since", year, "--until", year, "-k", "100", "-a", archive)
    assert {hit["published"][:4] for hit in dated} == {year}
    like = chorus("search", "--like", hits[0]["entry_id"], "-k", "3", "-a", archive)
    assert hits[0]["entry_id"] not in {hit["entry_id"] for hit in like}


@pytest.mark.parametrize("value", ["x' OR '1'='1", "'; DROP TABLE entries; --", '"', "\\", "%", "🌱"])
def test_hostile_filter_values_match_nothing_and_break_nothing(archive: Path, value: str) -> None:
    for option in ("--site", "--author", "--label", "--thread"):
        assert chorus("search", "garden", option, value, "-a", archive, code=5) == []
    run("search", value, "-a", archive)
    assert chorus("threads", "-a", archive)


def test_search_and_harvest_never_import_torch(archive: Path) -> None:
    call = f"main(['search', 'garden', '-a', {str(archive)!r}])"
    code = f"import sys; from cli.main import main; {call}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.splitlines()[-1] == b"False"


def test_harvesting_again_adds_nothing(archive: Path, blog: SampleBlog) -> None:
    before = table_rows(archive)
    rows = chorus("harvest", *blog.post_urls, "-a", archive, "--allow-private", "--delay", "0", "--quiet")
    assert {row["outcome"] for row in rows} == {"skipped"}
    assert table_rows(archive) == before
    chorus("harvest", blog.post_urls[0], "-a", archive, "--allow-private", "--update", "--quiet")
    after = table_rows(archive)
    assert len(after["visits"]) == len(before["visits"]) + 1
    assert len(after["entries"]) == len(before["entries"])
    assert after["passages"] == before["passages"]


def test_rebuild_restores_the_same_rows_from_the_warc_files(archive: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    before = table_rows(copy)
    chorus("rebuild", "-a", copy, "--quiet")
    assert table_rows(copy) == before  # labels and vectors are carried over
    shutil.rmtree(copy / "tables")
    chorus("rebuild", "-a", copy, "--quiet")
    chorus("classify", "-a", copy, "--quiet")
    assert table_rows(copy) == before


def test_verify_passes_and_notices_a_flipped_byte(archive: Path, tmp_path: Path) -> None:
    assert chorus("verify", "-a", archive, "--quiet") == []
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    warc = max((copy / "warc").glob("*.warc.gz"), key=lambda p: p.stat().st_size)
    data = bytearray(warc.read_bytes())
    data[len(data) // 2] ^= 0xFF
    warc.write_bytes(data)
    assert chorus("verify", "-a", copy, "--quiet", code=3)


def test_exports_hold_every_entry(archive: Path, tmp_path: Path) -> None:
    threads = chorus("export", "--as", "jsonl", "-a", archive)
    count = sum(1 + len(thread["comments"]) for thread in threads)
    table = run("export", "--as", "csv", "-a", archive)
    assert len(list(csv.DictReader(io.StringIO(table.stdout.decode())))) == count
    out = tmp_path / "entries.parquet"
    chorus("export", "--as", "parquet", "--out", out, "-a", archive)
    import pyarrow.parquet as pq

    assert pq.read_table(out).num_rows == count


def test_status_and_threads_agree(archive: Path) -> None:
    status = {row["what"]: row["value"] for row in chorus("status", "-a", archive)}
    threads = chorus("threads", "-a", archive)
    assert status["threads"] == len(threads)
    assert status["comments"] == sum(thread["comments"] for thread in threads)


def test_failures_are_told_and_the_rest_is_kept(blog: SampleBlog, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    urls = [blog.url + "nothing-here/", "http://127.0.0.1:9/", blog.post_urls[1]]
    rows = chorus("harvest", *urls, "-a", path, "--allow-private", "--delay", "0", "--quiet", code=3)
    outcome = {row["url"]: (row["outcome"], row["error"]) for row in rows}
    assert outcome[urls[0]][0] == "failed"
    assert "404" in outcome[urls[0]][1]
    assert outcome[urls[1]][0] == "failed"
    assert outcome[urls[2]] == ("captured", None)
    assert len(chorus("threads", "-a", path)) == 1


def test_private_addresses_are_refused_by_default(blog: SampleBlog, tmp_path: Path) -> None:
    before = len(blog.requests)
    rows = chorus("harvest", blog.post_urls[0], "-a", tmp_path / "a", "--quiet", code=1)
    assert "--allow-private" in rows[0]["error"] or "private" in rows[0]["error"]
    assert len(blog.requests) == before


def test_rows_lost_between_warc_and_tables_come_back(archive: Path, blog: SampleBlog, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    before = table_rows(copy)
    shutil.rmtree(copy / "tables")  # as if the process had died after the last WARC byte and before any table write
    for state in copy.glob("*.json"):
        state.unlink()
    chorus("harvest", blog.post_urls[0], "-a", copy, "--allow-private", "--quiet")
    chorus("classify", "-a", copy, "--quiet")
    assert table_rows(copy) == before


def test_an_archive_of_a_newer_schema_is_refused_untouched(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "newer"
    path.mkdir()
    text = (archive / "chorus.toml").read_text().replace("schema_version = 1", "schema_version = 999")
    (path / "chorus.toml").write_text(text)
    result = run("threads", "-a", path)
    assert result.returncode == 4
    assert b"999" in result.stderr
    assert [p.name for p in path.iterdir()] == ["chorus.toml"]


def test_classify_answers_line_by_line_in_order() -> None:
    lines = [
        {"id": "a", "text": "Thanks so much for explaining that, Ana.", "context": None, "role": "comment"},
        {"id": "b", "text": "", "context": None, "role": "comment"},
        {"id": "c", "text": "My book is out today, order it at inkwell.example!", "context": "x", "role": "post"},
    ]
    data = "\n".join(map(json.dumps, lines)).encode()
    for unit in ("sentence", "entry"):
        result = run("classify", "--input", "-", "--unit", unit, stdin=data)
        assert result.returncode == 3, result.stderr  # there is nothing to classify in the second line
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        assert [row["id"] for row in rows] == ["a", "b", "c"]
        assert [row["label"] for row in rows] == ["community-sharing", None, "self-promotion"]
        assert "line 2" in rows[1]["error"]
        assert all(("sentences" in row) == (unit == "entry") for row in rows)
    broken = run("classify", "--input", "-", stdin=b'{"id": "a", "text": "ok"}\nnonsense\n')
    assert broken.returncode == 3
    assert b"line 2" in broken.stdout
    assert len(broken.stdout.splitlines()) == 2


def test_demo_tells_the_whole_story(tmp_path: Path) -> None:
    result = run("demo", "--keep", tmp_path / "demo", "--quiet")
    text = result.stdout.decode()
    assert result.returncode == 0, result.stderr.decode()
    assert str(tmp_path / "demo") in text
    assert "chorus search" in text
    assert "self-promotion" in text
    assert run("demo", "--keep", tmp_path / "demo").returncode == 2


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(blog: SampleBlog, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    arguments = ("harvest", *blog.post_urls, "-a", str(path), "--allow-private", "--delay", "2", "--quiet")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not any(b"urn:chorus:visit" in gzip_text(warc) for warc in path.glob("warc/*.gz")):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"interrupted" in errors
    assert b"Traceback" not in errors
    kept = len(chorus("threads", "-a", path))
    assert 1 <= kept < len(blog.post_urls)
    rows = chorus("harvest", *blog.post_urls, "-a", path, "--allow-private", "--delay", "0", "--quiet")
    assert sum(row["outcome"] == "skipped" for row in rows) == kept
    assert len(chorus("threads", "-a", path)) == len(blog.post_urls)


def gzip_text(path: Path) -> bytes:
    """What can be read of a file that is still being written."""
    return subprocess.run(["gzip", "-dcq", str(path)], capture_output=True, check=False).stdout


def test_no_browser_is_exit_10(blog: SampleBlog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_BROWSER", str(tmp_path / "no-such-browser"))
    assert main(["harvest", blog.post_urls[0], "-a", str(tmp_path / "a"), "--allow-private", "--quiet"]) == 10


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_line(archive: Path) -> None:
    result = run("export", "--as", "csv", "--out", "/dev/full", "-a", archive)
    assert result.returncode == 1
    assert b"full" in result.stderr or b"No space" in result.stderr
    assert b"Traceback" not in result.stderr


def test_what_is_forgotten_is_in_no_record_and_a_rebuild_brings_nothing_back(archive: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    name, words = "Ines Carrasco", b"take the name off"

    def everything() -> bytes:
        files = [path for path in copy.rglob("*") if path.is_file()]
        packed = [gzip.decompress(path.read_bytes()) for path in files if path.name.endswith(".warc.gz")]
        return b"".join([*packed, *(path.read_bytes() for path in files)])

    assert name.encode() in everything() and words in everything()
    rows = {row["what"]: row["count"] for row in chorus("forget", "--author", name, "--yes", "-a", copy, "--quiet")}
    assert rows["entries"] >= 2 and rows["WARC records redacted"] >= 3
    assert name.encode() not in everything() and words not in everything()
    assert chorus("verify", "-a", copy, "--quiet") == []
    before = table_rows(copy)
    chorus("rebuild", "-a", copy, "--quiet")
    assert table_rows(copy) == before
    threads = [chorus("show", row["url"], "-a", copy)[0] for row in chorus("threads", "-a", copy)]
    erased = [c for thread in threads for c in thread["comments"] if c["text"] == "[removed]"]
    assert len(erased) == rows["entries"]
    assert {(c["author"], c["state"]) for c in erased} == {(None, "deleted")}
