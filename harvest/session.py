"""Harvesting a list of pages: politely, one after the other, each in a fresh context, each on disk before it counts."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harvest.access import Access
from harvest.behaviours import Budget
from harvest.bodies import MAX_BODY_BYTES
from harvest.browser import BrowserChoice, browser_version, find_browser, launch, new_context
from harvest.capture import PREFIX, Part
from harvest.fetch import Fetcher
from harvest.guard import AddressGuard
from harvest.robots import RobotsCache, RobotsDecision
from harvest.socks import GuardedProxy
from harvest.sources.driver import Completed, Fetched
from harvest.thread import complete
from harvest.visit import PageCapture, VisitOptions, visit, write_visit
from harvest.warc import WarcWriter, utc_now
from store.records import FetchError

if TYPE_CHECKING:
    from playwright.async_api import Browser

#: The delay between pages of a host varies by this share, so that requests do not come in step with other clients'.
JITTER = 0.2

#: No host can make chorus wait longer than this for one page (seconds); the run's log says when it is capped.
MAX_DELAY = 120.0

#: A context is given up after so many times the page's own time-out and so many seconds more: the renderer hangs.
HANG_FACTOR = 4
HANG_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestOptions:
    """How to harvest. ``delay`` and ``timeout_s`` are seconds, ``max_body`` bytes."""

    allow_private: bool = False
    ignore_robots: bool = False
    delay: float = 1.0
    timeout_s: float = 30.0
    max_body: int = MAX_BODY_BYTES
    screenshot: bool = True
    behaviours: bool = True
    complete: bool = True
    budget: Budget = field(default_factory=Budget)
    access: Access = field(default_factory=Access)
    argv: tuple[str, ...] = ()
    browser: str | None = None
    endpoint: str | None = None


#: A site that answers 429 or 503 is asked so many times in all, if it does not name a wait beyond ``MAX_DELAY``.
MAX_TRIES = 3

#: Seconds before the second try where the site names none; doubled for each further one.
FIRST_BACKOFF = 2.0


def busy_wait(capture: PageCapture, attempt: int) -> float | None:
    """Seconds after which a busy site may be asked again; ``None`` if it was not busy."""
    if capture.status not in (429, 503) or capture.obstacle == "challenge":
        return None
    return capture.retry_after if capture.retry_after is not None else FIRST_BACKOFF * 2 ** (attempt - 1)


class _Politeness:
    """When a host may be asked again."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self._next: dict[str, float] = {}

    async def wait(self, url: str, crawl_delay: float | None) -> None:
        """Wait for the host's turn: the longer of our delay and its Crawl-delay after the page before."""
        host = _host(url)
        await asyncio.sleep(max(0.0, self._next.get(host, 0.0) - time.monotonic()))
        pause = min(max(self.delay, crawl_delay or 0.0), MAX_DELAY)
        self._next[host] = time.monotonic() + pause * (1 + JITTER * random.random())  # noqa: S311 - not for secrets

    def hold(self, url: str, seconds: float) -> None:
        """Do not ask the host again for so long."""
        host = _host(url)
        self._next[host] = max(self._next.get(host, 0.0), time.monotonic() + seconds)


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def chorus_version() -> str:
    """The installed version."""
    try:
        return version("chorus")
    except PackageNotFoundError:
        return "unknown"


async def harvest_urls(
    urls: Sequence[str], *, warc_dir: Path, options: HarvestOptions, on_page: Callable[[PageCapture], None]
) -> None:
    """Capture ``urls`` in order into WARC files below ``warc_dir``.

    ``on_page`` is called with each capture once its records are synced to disk; one page's failure is a capture with
    ``error`` and does not stop the others. Raises ``BrowserUnavailable`` when no browser starts. Cancelling leaves whole
    records only.
    """
    choice = BrowserChoice(options.endpoint, "endpoint") if options.endpoint else find_browser(options.browser)
    software = f"chorus {chorus_version()}, {browser_version(choice)}"
    guard = AddressGuard(allow_private=options.allow_private, allow_hosts=options.access.allow_hosts)
    writer = WarcWriter(warc_dir, _info(software, options))
    contact = options.access.contact
    agent = f"chorus/{chorus_version()}" + (f" (+{contact})" if contact else "")
    fetcher = Fetcher(guard, agent, options.access, writer)
    session = _Session(choice, writer, guard, fetcher, options, software)
    try:
        remaining = list(urls)
        while remaining:
            remaining = await session.run(remaining, on_page)
    finally:
        writer.close()


def _info(software: str, options: HarvestOptions) -> dict[str, str]:
    return {
        "software": software,
        "format": "WARC File Format 1.1",
        "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "robots": "ignored" if options.ignore_robots else "classic",
        "operator": options.access.contact or "not given",
        "command": " ".join(options.argv) or "not given",
        "bodies": "as the browser decoded them; transfer and content encodings are kept as X-Orig-… headers",
    }


class _Session:
    """One list of pages, over as many browser lives as it takes."""

    def __init__(
        self,
        choice: BrowserChoice,
        writer: WarcWriter,
        guard: AddressGuard,
        fetcher: Fetcher,
        options: HarvestOptions,
        software: str,
    ) -> None:
        self.choice, self.writer, self.guard, self.fetcher = choice, writer, guard, fetcher
        self.robots = RobotsCache(fetcher)
        self.options, self.software = options, software
        self.politeness = _Politeness(options.delay)
        self.proxy: GuardedProxy | None = None

    async def run(self, urls: Sequence[str], on_page: Callable[[PageCapture], None]) -> list[str]:
        """Harvest with one browser; returns what is left when it died."""
        async with launch(self.choice) as browser, self._way_out() as proxy:
            self.proxy = proxy
            for n, url in enumerate(urls):
                capture = await self._one(browser, url)
                write_visit(self.writer, capture)
                self.writer.sync()
                on_page(capture)
                if not browser.is_connected():
                    return list(urls[n + 1 :])
        return []

    @asynccontextmanager
    async def _way_out(self) -> AsyncIterator[GuardedProxy | None]:
        """The guarded proxy, but where all addresses are allowed, the user's own proxy is used, or the browser is remote."""
        if self.options.allow_private or self.options.access.proxy or self.options.endpoint:
            yield None
            return
        async with GuardedProxy(self.guard) as proxy:
            yield proxy

    async def _one(self, browser: Browser, url: str) -> PageCapture:
        """Capture one page; whatever goes wrong with it becomes a capture with ``error``."""
        decision: RobotsDecision | None = None
        try:
            await self.guard.check(url)
            if not self.options.ignore_robots:
                decision = await self.robots.decide(url)
                if not decision.allowed:
                    raise FetchError(f"{url}: {decision.reason}", url=url, hint="--ignore-robots")
            capture = await self._patiently(browser, url, decision.crawl_delay if decision else None)
        except FetchError as error:
            capture = self._failure(url, str(error).removeprefix(f"{url}: "), error.hint)
        except TimeoutError:
            capture = self._failure(url, "the page hangs", None)
        reason = "ignored" if self.options.ignore_robots else decision.reason if decision else None
        return replace(capture, robots=reason, software=self.software)

    async def _patiently(self, browser: Browser, url: str, crawl_delay: float | None) -> PageCapture:
        """Visit; a site that says it is busy is asked again, as late as it wishes, but not for ever."""
        limit = self.options.timeout_s * HANG_FACTOR + HANG_SECONDS
        for attempt in range(1, MAX_TRIES + 1):
            await self.politeness.wait(url, crawl_delay)
            capture, cookies = await asyncio.wait_for(self._visit(browser, url), limit)
            wait = busy_wait(capture, attempt)
            if wait is None or wait > MAX_DELAY or attempt == MAX_TRIES:
                break
            self.politeness.hold(url, wait)
        return await self._completed(capture, cookies)

    async def _visit(self, browser: Browser, url: str) -> tuple[PageCapture, tuple[str, ...]]:
        from playwright.async_api import Error

        try:
            context = await new_context(
                browser,
                self.options.access,
                version=chorus_version(),
                guarded_proxy=self.proxy.url if self.proxy else None,
            )
            try:
                capture = await visit(
                    browser,
                    context,
                    url,
                    writer=self.writer,
                    guard=self.guard,
                    options=self._bounds(),
                    connected=self.proxy.connected if self.proxy else lambda _url: None,
                )
                cookies = await context.cookies(capture.final_url or url)
            finally:
                await context.close()
        except Error as error:
            first = str(error).splitlines()[0]
            raise FetchError(f"{url}: the browser failed on this page ({first})", url=url) from error
        return capture, tuple(f"{c.get('name')}={c.get('value')}" for c in cookies)

    async def _completed(self, capture: PageCapture, cookies: tuple[str, ...]) -> PageCapture:
        """The capture with what its site says of the thread besides: asked for as politely as pages, and recorded."""
        if not self.options.complete or capture.html is None or capture.error or (capture.status or 0) >= 400:
            return capture
        parts: list[Part] = []

        async def fetch(url: str) -> Fetched:
            decision = None if self.options.ignore_robots else await self.robots.decide(url)
            if decision is not None and not decision.allowed:
                raise FetchError(f"{url}: {decision.reason}", url=url)
            await self.politeness.wait(url, decision.crawl_delay if decision else None)
            same = _host(url) == _host(capture.final_url or capture.url)
            answer = await self.fetcher.get(url, cookies=cookies if same else ())
            if answer.evidence:
                media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower() or None
                parts.append(
                    Part(role="answer", url=answer.url, evidence=answer.evidence, body=answer.body, asked=url,
                         status=answer.status, media_type=media_type)
                )  # fmt: skip
            return answer.status, answer.headers, answer.body

        completed = await complete(capture, fetch)
        if completed is not None and completed.requests:
            self._keep_course(capture, completed)
        return replace(capture, parts=(*capture.parts, *parts))

    def _keep_course(self, capture: PageCapture, completed: Completed) -> None:
        """Write down what was asked for the thread's sake, and where the sources disagree."""
        row = {
            "page": capture.url,
            "requests": [asdict(request) for request in completed.requests],
            "disagreements": completed.disagreements,
            "shortfalls": completed.shortfalls,
        }
        data = json.dumps(row, indent=1, ensure_ascii=False, default=str).encode("utf-8", "replace")
        self.writer.resource(f"{PREFIX}thread:{capture.url}", "application/json", data, date=capture.captured_at)

    def _bounds(self) -> VisitOptions:
        names = ("timeout_s", "max_body", "screenshot", "behaviours", "budget")
        return VisitOptions(**{name: getattr(self.options, name) for name in names})

    @staticmethod
    def _failure(url: str, message: str, hint: str | None) -> PageCapture:
        return PageCapture(url=url, captured_at=utc_now(), error=message + (f" ({hint})" if hint else ""))
