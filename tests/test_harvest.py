"""Recording with the real browser against really served hard cases."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvest.session import HarvestOptions, harvest_urls
from harvest.visit import PageCapture, captures_from_warc
from harvest.warc import Healed, check_file, heal, read_record, read_records
from tests.site import HardCases

pytestmark = pytest.mark.browser

PATHS = (
    "/edge",
    "/hop1",
    "/shadow",
    "/nuisance",
    "/paper.pdf",
    "/empty",
    "/latin",
    "/error",
    "/missing",
    "/cut",
    "/loop",
    "/edge?again",
)


def harvest(urls: list[str], directory: Path, **options: object) -> list[PageCapture]:
    directory.mkdir(exist_ok=True)
    found: list[PageCapture] = []
    settings = HarvestOptions(**{"allow_private": True, "delay": 0.0, **options})  # type: ignore[arg-type]
    asyncio.run(harvest_urls(urls, warc_dir=directory, options=settings, on_page=found.append))
    return found


@pytest.fixture(scope="module")
def site() -> Iterator[HardCases]:
    with HardCases() as served:
        yield served


@pytest.fixture(scope="module")
def session(site: HardCases, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, PageCapture]]:
    directory = tmp_path_factory.mktemp("warc")
    found = harvest([site.url + path for path in PATHS], directory)
    return directory, dict(zip(PATHS, found, strict=True))


def warcs(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.warc.gz"))


def responses(directory: Path) -> dict[str, bytes]:
    """Response payloads by URL, as an independent reader sees them."""
    from warcio.archiveiterator import ArchiveIterator

    found = {}
    for path in warcs(directory):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                if record.rec_type == "response":
                    found[record.rec_headers["WARC-Target-URI"]] = record.content_stream().read()
    return found


def test_every_response_that_the_server_sent_is_in_the_warc(site: HardCases, session: tuple[Path, object]) -> None:
    directory, _ = session
    uris = {r.uri for path in warcs(directory) for r in read_records(path, frozenset({"response", "revisit"}))}
    asked = {site.url + path for _, path in site.requests} - {site.url + "/events"}  # a stream has no end
    assert asked - uris == set()
    assert len(asked) >= 15


def test_independent_check_and_own_check_pass(session: tuple[Path, object]) -> None:
    directory, _ = session
    for path in warcs(directory):
        assert check_file(path).problems == []
    command = [sys.executable, "-m", "warcio.cli", "check", *map(str, warcs(directory))]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_captures_read_back_are_equal(session: tuple[Path, dict[str, PageCapture]]) -> None:
    directory, captures = session
    assert [c for path in warcs(directory) for c in captures_from_warc(path)] == list(captures.values())


def test_redirects_cookies_posts_and_encodings_are_kept(
    site: HardCases, session: tuple[Path, dict[str, PageCapture]]
) -> None:
    directory, captures = session
    assert captures["/hop1"].final_url == site.url + "/edge"
    assert captures["/hop1"].status == 200
    raw = b"".join(
        subprocess.run(["gzip", "-dc", str(path)], capture_output=True, check=True).stdout for path in warcs(directory)
    )
    assert b"taste=oat" in raw  # Set-Cookie, which the Fetch domain hides
    assert b'{"page": 2}' in raw  # the POST body
    assert b"X-Orig-Content-Encoding: gzip" in raw
    bodies = responses(directory)
    assert json.loads(bodies[site.url + "/gz.json"])["a"] == "x" * 999
    assert bodies[site.url + "/chunked"] == b"one two three"
    assert bodies[site.url + "/hop2"] == b""


def test_a_payload_seen_before_becomes_a_revisit_that_resolves(site: HardCases, session: tuple[Path, object]) -> None:
    from warcio.archiveiterator import ArchiveIterator

    directory, _ = session
    digests, revisits = {}, []
    for path in warcs(directory):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                headers = record.rec_headers
                if record.rec_type == "response":
                    digests[headers["WARC-Target-URI"]] = headers["WARC-Payload-Digest"]
                elif record.rec_type == "revisit":
                    revisits.append((headers["WARC-Refers-To-Target-URI"], headers["WARC-Payload-Digest"]))
    assert revisits
    assert all(digests[uri] == digest for uri, digest in revisits)


def test_rendered_page_has_frames_and_shadow_roots(
    site: HardCases, session: tuple[Path, dict[str, PageCapture]]
) -> None:
    directory, captures = session
    assert "inside the shadow" in (captures["/shadow"].html or "")
    frames = [r for p in warcs(directory) for r in read_records(p) if r.uri == f"urn:chorus:frame:{site.url}/inner"]
    assert b"text of the frame" in frames[0].payload


def test_screenshot_and_text_are_kept_with_evidence(session: tuple[Path, dict[str, PageCapture]]) -> None:
    directory, captures = session
    capture = captures["/nuisance"]
    assert capture.screenshot
    assert capture.text
    assert read_record(directory / capture.screenshot.warc, capture.screenshot.offset).payload.startswith(b"\x89PNG")
    text = read_record(directory / capture.text.warc, capture.text.offset)
    assert text.record_id == capture.text.record_id
    assert b"still here" in text.payload


def test_what_is_no_page_is_kept_and_said(session: tuple[Path, dict[str, PageCapture]]) -> None:
    _, captures = session
    assert (captures["/paper.pdf"].status, captures["/paper.pdf"].html) == (200, None)
    assert captures["/paper.pdf"].media_type == "application/pdf"
    assert captures["/error"].status == 500
    assert captures["/missing"].status == 404
    assert "café" in (captures["/latin"].html or "")
    assert "broke" in (captures["/cut"].error or "")
    assert "redirect" in (captures["/loop"].error or "")


def test_a_cut_body_says_so(session: tuple[Path, dict[str, PageCapture]]) -> None:
    directory, _ = session
    raw = b"".join(
        subprocess.run(["gzip", "-dc", str(path)], capture_output=True, check=True).stdout for path in warcs(directory)
    )
    assert b"WARC-Truncated: disconnect" in raw


def test_private_addresses_are_refused_for_page_subresource_and_redirect(site: HardCases, tmp_path: Path) -> None:
    before = len(site.requests)
    [capture] = harvest([site.url + "/edge"], tmp_path / "a", allow_private=False)
    assert "private" in (capture.error or "")
    assert len(site.requests) == before


def test_a_page_that_never_answers_does_not_stop_the_others(site: HardCases, tmp_path: Path) -> None:
    slow, good = harvest([site.url + "/slow", site.url + "/inner"], tmp_path / "a", timeout_s=2.0)
    assert "2 s" in (slow.error or "")
    assert good.error is None


def test_robots_txt_is_kept_to(tmp_path: Path) -> None:
    rules = "User-agent: *\nDisallow: /inner\nCrawl-delay: 0.1\n"
    with HardCases(robots=(200, rules)) as strict:
        no, yes = harvest([strict.url + "/inner", strict.url + "/latin"], tmp_path / "a")
        assert "robots.txt" in (no.error or "")
        assert yes.error is None
        assert ("GET", "/inner") not in strict.requests
        [ignored] = harvest([strict.url + "/inner"], tmp_path / "b", ignore_robots=True)
        assert (ignored.error, ignored.robots) == (None, "ignored")
    with HardCases(robots=(503, "")) as busy:
        [later] = harvest([busy.url + "/inner"], tmp_path / "c")
        assert "503" in (later.error or "")


def test_a_torn_tail_is_cut_off_and_the_rest_stays(session: tuple[Path, object], tmp_path: Path) -> None:
    directory, _ = session
    copy = tmp_path / "torn.warc.gz"
    shutil.copy(warcs(directory)[0], copy)
    whole = copy.stat().st_size
    records = len(list(read_records(copy)))
    with copy.open("ab") as stream:
        stream.write(warcs(directory)[0].read_bytes()[:200])
    assert heal(copy) == Healed(200)
    assert copy.stat().st_size == whole
    with copy.open("r+b") as stream:
        stream.truncate(whole - 10)
    assert heal(copy).cut > 0
    assert len(list(read_records(copy))) == records - 1
    assert heal(copy) == Healed(0)


def test_a_file_damaged_in_its_midst_is_left_whole_and_read_around_the_damage(
    session: tuple[Path, object], tmp_path: Path
) -> None:
    directory, _ = session
    copy = tmp_path / "damaged.warc.gz"
    shutil.copy(warcs(directory)[0], copy)
    records = list(read_records(copy))
    hurt, size = records[len(records) // 2], copy.stat().st_size
    with copy.open("r+b") as stream:
        stream.seek(hurt.offset + 30)
        stream.write(bytes(40))
    assert heal(copy) == Healed(0, hurt.offset)
    assert copy.stat().st_size == size
    left = [r.record_id for r in read_records(copy)]
    assert left == [r.record_id for r in records if r is not hurt]
    assert check_file(copy).problems
