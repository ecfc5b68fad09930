"""Packing and replaying what was captured, with the origin switched off."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.jobs.deep import verify_deep
from cli.main import main
from harvest.warc import check_file, dangling, read_records
from tests.site import HardCases

pytestmark = pytest.mark.browser

PATHS = ("/post-paged", "/folded", "/edge", "/shadow", "/worker", "/hop1", "/latin", "/lazy", "/inner")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    path = tmp_path_factory.mktemp("replay") / "archive"
    with HardCases() as site:
        urls = [site.url + p for p in PATHS]
        assert main(["harvest", *urls, "-a", str(path), "--allow-private", "--delay", "0", "--quiet"]) in (0, 3)
        url = site.url
    yield path, url  # the origin is gone from here on


def test_every_page_replays_with_the_same_text_comments_pictures_and_payloads(archive: tuple[Path, str]) -> None:
    path, url = archive
    verdicts = {v["url"].removeprefix(url): v for v in verify_deep(path, quiet=True)}
    assert {name: v["reasons"] for name, v in verdicts.items() if not v["same"]} == {}
    assert set(verdicts) == set(PATHS)
    assert verdicts["/post-paged"]["comments_replayed"] == 9  # each POST got its own answer
    assert all(v["payloads"] for v in verdicts.values())


def test_the_verdict_lies_beside_the_page(archive: tuple[Path, str]) -> None:
    path, url = archive
    kept = [
        r for f in path.glob("warc/*.gz") for r in read_records(f) if (r.uri or "").startswith("urn:chorus:verdict:")
    ]
    assert any(json.loads(r.payload)["url"] == url + "/edge" for r in kept)


def test_a_changed_payload_is_seen(archive: tuple[Path, str], tmp_path: Path) -> None:
    """A byte of a picture or text that differs fails the fixity check: recompressed so that only the digest can tell."""
    path, _ = archive
    source = next(f for f in sorted(path.glob("warc/*.gz")) if f.stat().st_size > 10_000)
    raw = subprocess.run(["gzip", "-dc", str(source)], capture_output=True, check=True).stdout
    assert b"text of the frame" in raw
    changed = tmp_path / "changed.warc"
    changed.write_bytes(raw.replace(b"text of the frame", b"text of the fraud", 1))
    assert any("digest" in problem for problem in check_file(changed).problems)


def test_a_revisit_without_its_payload_is_seen(archive: tuple[Path, str]) -> None:
    path, _ = archive
    checks = [check_file(f) for f in path.glob("warc/*.gz")]
    payloads = set().union(*(c.payloads for c in checks))
    assert sum(len(c.revisits) for c in checks) >= 1
    assert [p for c in checks for p in dangling(c, payloads)] == []
    assert any(dangling(c, set()) for c in checks)


def test_the_package_is_valid_by_another_tool_and_holds_the_threads(archive: tuple[Path, str], tmp_path: Path) -> None:
    path, url = archive
    out = tmp_path / "it.wacz"
    assert main(["wacz", "-a", str(path), "--out", str(out), "--quiet"]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "wacz.main", "validate", "-f", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(out) as package:
        threads = [json.loads(line) for line in package.read("chorus/threads.jsonl").splitlines()]
        pages = [json.loads(line) for line in package.read("pages/pages.jsonl").splitlines()][1:]
        index = package.read("indexes/index.cdx.gz")
    assert any(t["url"].endswith("/post-paged") and len(t["comments"]) == 9 for t in threads)
    assert {url + p for p in ("/post-paged", "/edge")} <= {p["url"] for p in pages}
    assert any("Comment number 9" in p["text"] for p in pages)
    keys = subprocess.run(["gzip", "-dc"], input=index, capture_output=True, check=True).stdout
    assert b"__wb_method=post" in keys.lower()


def test_an_archive_with_a_damaged_text_is_packed_and_replayed(archive: tuple[Path, str], tmp_path: Path) -> None:
    path, url = archive
    copy = tmp_path / "archive"
    shutil.copytree(path, copy)
    address = f"{url}/inner"
    [(warc, offset)] = [
        (f, r.offset) for f in copy.glob("warc/*.gz") for r in read_records(f) if r.uri == f"urn:chorus:text:{address}"
    ]
    with warc.open("r+b") as stream:
        stream.seek(offset + 30)
        stream.write(bytes(20))
    out = tmp_path / "it.wacz"
    assert main(["wacz", "-a", str(copy), "--out", str(out), "--quiet"]) == 0
    with zipfile.ZipFile(out) as package:
        pages = {row["url"]: row["text"] for row in map(json.loads, package.read("pages/pages.jsonl").splitlines()[1:])}
    assert pages[address] == "" and "Comment number 9" in pages[f"{url}/post-paged"]
    [verdict] = [v for v in verify_deep(copy, quiet=True) if v["url"] == address]
    assert "its recorded text is damaged" in verdict["reasons"] and verdict["text"] is None


def test_packing_nothing_and_packing_onto_a_folder_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wacz", "-a", str(tmp_path / "none")]) == 4
    assert "no archive" in capsys.readouterr().err
