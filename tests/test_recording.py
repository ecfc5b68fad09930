"""Each hard case of the local site and what must come of it, with the real browser."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harvest.access import Access
from harvest.behaviours import Budget
from harvest.capture import PREFIX, PageCapture, captures_from_warc
from harvest.login import LOOK_EVERY
from harvest.session import HarvestOptions, harvest_urls
from harvest.warc import check_file, read_records
from tests.site import HardCases, certificate

pytestmark = pytest.mark.browser

#: Small budgets: the cases without end must end within the test's time.
BUDGET = Budget(seconds=8.0, clicks=12, height=40_000, steps=140)


def harvest(urls: list[str], directory: Path, **options: object) -> list[PageCapture]:
    directory.mkdir(exist_ok=True)
    found: list[PageCapture] = []
    defaults = {"allow_private": True, "delay": 0.0, "budget": BUDGET}
    settings = HarvestOptions(**{**defaults, **options})  # type: ignore[arg-type]
    asyncio.run(harvest_urls(urls, warc_dir=directory, options=settings, on_page=found.append))
    return found


class Recorded:
    """One harvest of many cases: captures by path, and what lies in the WARC files."""

    def __init__(self, site: HardCases, directory: Path, captures: dict[str, PageCapture]) -> None:
        self.site, self.directory, self.captures = site, directory, captures
        self.records = [r for path in self.files for r in read_records(path)]

    @property
    def files(self) -> list[Path]:
        return sorted(self.directory.glob("*.warc.gz"))

    def urls(self) -> set[str]:
        return {r.uri or "" for r in self.records if r.type in ("response", "revisit")}

    def info(self, path: str) -> dict[str, object]:
        wanted = f"{PREFIX}pageinfo:{self.site.url}{path}"
        return dict(json.loads(next(r.payload for r in self.records if r.uri == wanted)))

    def payload(self, path: str) -> bytes:
        return next(r.payload for r in self.records if r.type == "response" and r.uri == self.site.url + path)


CASES = (
    *("/endless", "/more-without-end", "/post-paged", "/folded", "/lazy", "/service-worker", "/worker"),
    *("/closed-shadow", "/virtual", "/huge-dom", "/deep", "/meta-refresh", "/blobs", "/banner", "/wall"),
    *("/challenge", "/login-wall", "/soft-404", "/about-robots", "/push-state", "/schemes", "/media", "/popups"),
    *("/gone/2012/a-post", "/traversal", "/wrong-charset", "/cross-frame", "/busy", "/twice-503", "/download"),
    *("/with-large?3", "/with-large?20"),
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    directory = tmp_path_factory.mktemp("hard")
    with HardCases() as site:
        found = harvest([site.url + path for path in CASES], directory / "warc")
        yield Recorded(site, directory / "warc", dict(zip(CASES, found, strict=True)))


def text(capture: PageCapture) -> str:
    return re.sub(r"<script.*?</script>", "", capture.html or "", flags=re.S)


#: path -> what the capture must show. The whole table is one harvest.
EXPECTED: dict[str, Callable[[PageCapture], bool]] = {
    "/endless": lambda c: c.error is None and text(c).count("row ") > 20,
    "/more-without-end": lambda c: c.actions == BUDGET.clicks and text(c).count('class="comment"') == 3 + BUDGET.clicks,
    "/post-paged": lambda c: [f"Comment number {n} " in text(c) for n in range(1, 10)] == [True] * 9,
    "/folded": lambda c: 'hidden=""' not in text(c) and "<details open" in text(c),
    "/service-worker": lambda c: "the service worker asked for this" in text(c),
    "/worker": lambda c: "the worker asked for this" in text(c),
    "/closed-shadow": lambda c: "behind the closed door" in text(c) and "one room further" in text(c),
    "/huge-dom": lambda c: c.error is None and text(c).count("<li>") == 60_000,
    "/deep": lambda c: c.error is None and "bottom" in text(c),
    "/meta-refresh": lambda c: (c.final_url or "").endswith("/inner?refreshed") and "text of the frame" in text(c),
    "/blobs": lambda c: "from a blob" in text(c) and "from data" in text(c),
    "/banner": lambda c: c.actions == 1 and "partners" not in text(c),
    "/wall": lambda c: c.actions == 0 and "behind the wall" in text(c) and "tracking of everything" in text(c),
    "/challenge": lambda c: c.obstacle == "challenge" and "human" in (c.error or ""),
    "/login-wall": lambda c: c.obstacle == "login" and "log-in" in (c.error or ""),
    "/soft-404": lambda c: c.obstacle == "soft-404" and c.status == 200,
    "/about-robots": lambda c: c.obstacle is None and c.error is None,
    "/gone/2012/a-post": lambda c: c.obstacle == "soft-404",
    "/push-state": lambda c: (c.final_url or "").endswith("/nice-address") and c.error is None,
    "/schemes": lambda c: "plain text" in text(c) and "root:" not in text(c),
    "/popups": lambda c: c.error is None and "a quiet text" in text(c),
    "/traversal": lambda c: c.error is None and "wants to be a path" in text(c),
    "/wrong-charset": lambda c: "naïve façade" in text(c),
    "/busy": lambda c: c.status == 429 and c.retry_after == 3600,
    "/twice-503": lambda c: c.status == 200 and "after two refusals" in text(c),
    "/download": lambda c: c.status == 200 and c.html is None and c.error is None,
    "/with-large?3": lambda c: c.error is None and "small text" in text(c),
    "/with-large?20": lambda c: c.error is None and "small text" in text(c),
    "/media": lambda c: "listen" in text(c),
    "/lazy": lambda c: c.error is None,
    "/virtual": lambda c: any(part.role == "part" for part in c.parts),
    "/cross-frame": lambda c: [p.role for p in c.parts] == ["frame"] and b"from another site" in c.parts[0].body,
}


def test_every_case_has_an_expectation() -> None:
    assert set(EXPECTED) == set(CASES)


@pytest.mark.parametrize("path", CASES)
def test_what_comes_of_it(recorded: Recorded, path: str) -> None:
    capture = recorded.captures[path]
    assert EXPECTED[path](capture), (
        capture.error,
        capture.obstacle,
        capture.status,
        capture.actions,
        text(capture)[:500],
    )


def test_every_request_that_the_server_answered_is_recorded_or_explained(recorded: Recorded) -> None:
    """Downloads that a page starts are fetched by the browser outside of any page, and refused: the only misses."""
    asked = {recorded.site.url + path for path in recorded.site.paths()}
    missing = asked - {url.replace("localhost", "127.0.0.1") for url in recorded.urls()}
    unrecorded = recorded.info("/popups")["unrecorded"]
    assert isinstance(unrecorded, list)
    assert missing <= {row["url"] for row in unrecorded}
    assert all("/download?" in url for url in missing)
    assert len(recorded.site.requests) > 70


def test_files_are_whole_by_our_own_check_and_by_warcio(recorded: Recorded) -> None:
    for path in recorded.files:
        assert check_file(path).problems == []
    command = [sys.executable, "-m", "warcio.cli", "check", *map(str, recorded.files)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_captures_read_back_are_equal(recorded: Recorded) -> None:
    assert [c for path in recorded.files for c in captures_from_warc(path)] == list(recorded.captures.values())


def test_nothing_is_done_in_anyones_name(recorded: Recorded) -> None:
    acted = {"/liked", "/reported", "/followed", "/logged-in", "/submitted", "/left", "/accepted", "/session"}
    assert acted & {path for _, path in recorded.site.requests} == set()
    assert ("POST", "/declined") in recorded.site.requests


def test_every_click_is_in_the_page_record(recorded: Recorded) -> None:
    behaviours = recorded.info("/folded")["behaviours"]
    assert isinstance(behaviours, dict)
    assert [click["text"] for click in behaviours["clicks"]][:1] == ["View 1 more reply"]
    assert behaviours["unfolded"] == 1
    endless = recorded.info("/endless")["behaviours"]
    assert isinstance(endless, dict)
    assert endless["budget_exhausted"] is True


def test_lazy_parts_workers_and_cross_site_frames_are_recorded(recorded: Recorded) -> None:
    wanted = (
        "/pixel.gif?lazy",
        "/inner?lazy",
        "/asked-by-worker.txt",
        "/for-worker.txt",
        "/sw.js",
        "/worker.js",
        "/download",
    )
    assert {recorded.site.url + path for path in wanted} <= recorded.urls()
    assert f"http://localhost:{recorded.site.port}/pixel.gif?in-frame" in recorded.urls()


def test_a_file_asked_for_in_parts_is_kept_whole(recorded: Recorded) -> None:
    whole = [r.payload for r in recorded.records if r.type == "response" and (r.uri or "").endswith("/sound.wav")]
    assert any(body.startswith(b"RIFF") and len(body) == 2044 for body in whole)


def test_large_bodies_are_whole_in_the_archive(recorded: Recorded) -> None:
    assert len(recorded.payload("/large?3")) == 3 << 20
    assert len(recorded.payload("/large?20")) == 20 << 20


def test_virtualised_rows_are_kept_though_the_page_forgot_them(recorded: Recorded) -> None:
    [part] = [p for p in recorded.captures["/virtual"].parts if p.role == "part"]
    seen = {
        int(n)
        for n in re.findall(r"Row (\d+) of the long list", part.body.decode() + text(recorded.captures["/virtual"]))
    }
    assert seen == set(range(120))


def test_pictures_of_window_and_page_are_kept(recorded: Recorded) -> None:
    capture = recorded.captures["/wall"]
    assert capture.view
    assert capture.screenshot
    payloads = {r.record_id: r.payload for r in recorded.records}
    assert all(payloads[e.record_id].startswith(b"\x89PNG") for e in (capture.view, capture.screenshot))


def test_a_hanging_page_and_a_dripping_page_end_alone(tmp_path: Path) -> None:
    with HardCases() as site:
        paths = ("/hang", "/drip", "/drip-image", "/inner")
        hang, drip, image, good = harvest([site.url + p for p in paths], tmp_path / "w", timeout_s=1.0)
    assert hang.error
    assert drip.error
    assert "the text is there" in (image.html or "")
    assert good.error is None


def test_a_renderer_that_dies_ends_its_page_only(tmp_path: Path) -> None:
    def kill_renderers() -> None:
        time.sleep(2.5)
        for line in subprocess.run(["pgrep", "-f", "type=renderer"], capture_output=True, text=True).stdout.split():
            command = Path(f"/proc/{line}/cmdline")
            if command.exists() and str(os.getpid()) in ancestors(int(line)):
                os.kill(int(line), signal.SIGKILL)

    with HardCases() as site:
        threading.Thread(target=kill_renderers, daemon=True).start()
        lost, good = harvest([site.url + "/slow", site.url + "/inner"], tmp_path / "w", timeout_s=20.0)
    assert "crash" in (lost.error or "") or "browser" in (lost.error or "")
    assert good.error is None


def ancestors(pid: int) -> set[str]:
    found: set[str] = set()
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.add(str(pid))
    return found


def test_bombs_and_endless_bodies_cost_no_more_than_the_bound(tmp_path: Path) -> None:
    with HardCases() as site:
        [capture] = harvest([site.url + "/with-bomb"], tmp_path / "w", max_body=8 << 20)
    record = next(r for f in (tmp_path / "w").glob("*.gz") for r in read_records(f) if (r.uri or "").endswith("/bomb"))
    assert capture.error is None
    assert len(record.payload) == 8 << 20
    raw = b"".join(
        subprocess.run(["gzip", "-dc", str(f)], capture_output=True, check=True).stdout[-50_000_000:]
        for f in (tmp_path / "w").glob("*.gz")
    )
    assert b"WARC-Truncated: length" in raw


def private_urls(port: int) -> list[str]:
    hosts = ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.1")
    return [f"http://{host}:{port}/canary-hit" for host in hosts] + ["http://169.254.169.254/latest/meta-data/"]


def test_a_page_cannot_reach_private_addresses(tmp_path: Path) -> None:
    with HardCases() as canary, HardCases() as site:
        site.canary_urls = private_urls(canary.port)
        access = Access(allow_hosts=(f"127.0.0.1:{site.port}",))
        urls = [site.url + "/canary", site.url + "/redirect-inside", canary.url + "/inner"]
        page, moved, direct = harvest(urls, tmp_path / "w", allow_private=False, access=access)
        assert canary.requests == []
    assert "a harmless text" in (page.html or "")
    assert page.blocked >= 9
    assert "private" in (moved.error or "")
    assert "private" in (direct.error or "")


def test_a_name_that_changes_its_answer_gains_nothing(tmp_path: Path) -> None:
    from harvest.guard import AddressGuard
    from harvest.socks import GuardedProxy

    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])

    async def resolve(_host: str) -> tuple[str, ...]:
        return (next(answers, "127.0.0.1"),)

    async def connect(port: int) -> bytes:
        guard = AddressGuard(resolve=resolve)
        await guard.check(f"http://rebind.example:{port}/")  # the first answer is public
        async with GuardedProxy(guard) as proxy:
            host, _, own = proxy.url.removeprefix("socks5://").partition(":")
            reader, writer = await asyncio.open_connection(host, int(own))
            writer.write(b"\x05\x01\x00")
            await reader.readexactly(2)
            name = b"rebind.example"
            writer.write(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big"))
            reply = await reader.readexactly(10)
            writer.close()
            return reply

    with HardCases() as canary:
        assert asyncio.run(connect(canary.port))[1] == 2  # not allowed by the rules
        assert canary.requests == []


def test_https_with_a_broken_certificate_is_refused_unless_asked_for(tmp_path: Path) -> None:
    with HardCases(cert=certificate(tmp_path)) as site:
        options = {"ignore_robots": True}
        [refused] = harvest([site.url + "/inner"], tmp_path / "a", **options)
        [kept] = harvest([site.url + "/edge"], tmp_path / "b", access=Access(ignore_tls_errors=True), **options)
    assert "cert" in (refused.error or "")
    assert kept.error is None
    raw = b"".join(r.payload for f in (tmp_path / "b").glob("*.gz") for r in read_records(f) if r.type == "response")
    assert b"text of the frame" in raw


def test_identity_headers_cookies_and_language_reach_the_site(tmp_path: Path) -> None:
    cookies = ({"name": "k", "value": "v1", "domain": "127.0.0.1", "path": "/"},)
    access = Access(contact="mailto:me@uni.example", headers=(("X-Study", "7"),), cookies=cookies, locale="pt-PT")
    with HardCases() as site:
        harvest([site.url + "/inner"], tmp_path / "w", access=access)
        assert any("chorus/" in agent and "me@uni.example" in agent for agent in site.agents)
    requests = b"".join(
        subprocess.run(["gzip", "-dc", str(f)], capture_output=True, check=True).stdout
        for f in (tmp_path / "w").glob("*.gz")
    )
    for sent in (b"X-Study: 7", b"k=v1", b"pt-PT"):
        assert sent.lower() in requests.lower()


def _close_browser_after(site: HardCases, path: str) -> None:
    """Wait until the site was asked for ``path`` and the state was looked at since; then end this process's browser."""
    deadline = time.monotonic() + 30
    while ("GET", path) not in site.requests and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(4 * LOOK_EVERY)
    listing = subprocess.run(
        ["ps", "-e", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    ours = {str(os.getpid())}
    for _generation in range(4):  # pytest, the driver and its helper, the browser
        ours |= {pid for pid, parent, _ in rows if parent in ours}
    for pid, _, command in rows:
        if pid in ours and "--headless" in command and "--type=" not in command:
            os.kill(int(pid), signal.SIGTERM)


def test_a_log_in_is_kept_outside_the_archive_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window of `chorus login`, headless here, is closed from outside once the page has set its cookie."""
    from cli.jobs.access import AccessRequest, profile_path
    from cli.jobs.login import keep_login
    from store.records import ConfigError

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with pytest.raises(ConfigError, match="no such profile"):
        AccessRequest(profile="forum").resolve(None)
    with HardCases() as site:
        site.extra["/sign-in"] = b"<script>document.cookie='member=yes; Path=/'; fetch('/signed-in')</script>"
        closing = threading.Thread(target=_close_browser_after, args=(site, "/signed-in"))
        closing.start()
        path, cookies = keep_login(site.url + "/sign-in", "forum", headless=True)
        closing.join()
        assert cookies == 1
        assert path == profile_path("forum")
        assert path.stat().st_mode & 0o077 == 0
        access = AccessRequest(profile="forum").resolve(None)
        harvest([site.url + "/inner"], tmp_path / "w", access=access)
    sent = b"".join(
        subprocess.run(["gzip", "-dc", str(f)], capture_output=True, check=True).stdout
        for f in (tmp_path / "w").glob("*.gz")
    )
    assert b"member=yes" in sent


def test_a_running_browser_can_be_used(tmp_path: Path) -> None:
    from harvest.browser import FLAGS, find_browser

    command = [
        find_browser().path,
        "--headless=new",
        "--remote-debugging-port=0",
        f"--user-data-dir={tmp_path / 'p'}",
        *FLAGS,
    ]
    command += ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = subprocess.Popen([*command, "about:blank"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert browser.stderr
        line = next(line for line in browser.stderr if "DevTools listening on" in line)
        endpoint = "http://" + line.split("ws://")[1].split("/")[0]
        with HardCases() as site:
            [capture] = harvest([site.url + "/edge"], tmp_path / "w", endpoint=endpoint)
        assert capture.error is None
        assert capture.parts[0].role == "frame"
        assert browser.poll() is None  # it is not ours to close
    finally:
        browser.kill()
        browser.wait()


@pytest.mark.parametrize("secret", [["--header", "X-Key: s3cr3t"], ["--proxy=http://u:s3cr3t@proxy.example:1"]])
def test_secrets_of_the_command_line_are_not_kept(secret: list[str]) -> None:
    from store.manifest import public_argv

    kept = " ".join(public_argv(["chorus", "harvest", *secret, "https://user:s3cr3t@blog.example/"]))
    assert "s3cr3t" not in kept
    assert "blog.example" in kept
