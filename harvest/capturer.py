"""Capturing one page after the other with one browser: robots.txt and delays kept, whatever goes wrong caught, all on disk.

A ``Capturer`` owns a browser and a WARC file, for the recorder sees everything its browser loads: pages of several hosts are
captured at once by several of them (``harvest.crew``).
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
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
from harvest.echo import Echoes
from harvest.fetch import Fetcher
from harvest.guard import AddressGuard
from harvest.payloads import PayloadIndex
from harvest.robots import RobotsCache, RobotsDecision
from harvest.socks import GuardedProxy
from harvest.sources.driver import Completed, Fetched
from harvest.thread import complete
from harvest.visit import NoAnswer, PageCapture, VisitOptions, visit, write_visit
from harvest.warc import WarcWriter, utc_now
from store.records import AddressBlocked, FetchError

if TYPE_CHECKING:
    from playwright.async_api import Browser

#: The delay between pages of a host is longer by a share between these two: so that requests do not come in step with other
#: clients', and that the site, which sees them after the network's own ups and downs, sees no gap shorter than it asked for.
MARGIN, JITTER = 0.1, 0.2

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


class Politeness:
    """When a host may be asked again; one for all that harvest at once."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self._next: dict[str, float] = {}

    async def wait(self, url: str, crawl_delay: float | None) -> None:
        """Wait for the host's turn: the longer of our delay and its Crawl-delay after the request before."""
        host = host_of(url)
        turn = max(time.monotonic(), self._next.get(host, 0.0))
        self._next[host] = turn + self._pause(crawl_delay)
        await asyncio.sleep(max(0.0, turn - time.monotonic()))

    def asked(self, url: str, crawl_delay: float | None) -> None:
        """The request goes out only now: the pause counts from here."""
        self.hold(url, self._pause(crawl_delay))

    def _pause(self, crawl_delay: float | None) -> float:
        longer = random.uniform(MARGIN, JITTER)  # noqa: S311 - not for secrets
        return min(max(self.delay, crawl_delay or 0.0), MAX_DELAY) * (1 + longer)

    def hold(self, url: str, seconds: float) -> None:
        """Do not ask the host again for so long."""
        host = host_of(url)
        self._next[host] = max(self._next.get(host, 0.0), time.monotonic() + seconds)


def host_of(url: str) -> str:
    """Host and port of an address."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def chorus_version() -> str:
    """The installed version."""
    try:
        return version("chorus")
    except PackageNotFoundError:
        return "unknown"


def warc_info(software: str, options: HarvestOptions) -> dict[str, str]:
    """What each WARC file says of how it came about."""
    return {
        "software": software,
        "format": "WARC File Format 1.1",
        "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "robots": "ignored" if options.ignore_robots else "classic",
        "operator": options.access.contact or "not given",
        "command": " ".join(options.argv) or "not given",
        "bodies": "as the browser decoded them; transfer and content encodings are kept as X-Orig-… headers",
    }


@dataclass(slots=True)
class Equipment:
    """What the capturers of one run share."""

    options: HarvestOptions
    warc_dir: Path
    choice: BrowserChoice
    software: str
    guard: AddressGuard
    politeness: Politeness
    echoes: Echoes
    index: PayloadIndex | None = None
    written: int = 0

    @classmethod
    def of(cls, options: HarvestOptions, warc_dir: Path, index: PayloadIndex | None = None) -> Equipment:
        """Find the browser. Raises ``BrowserUnavailable`` where there is none."""
        choice = BrowserChoice(options.endpoint, "endpoint") if options.endpoint else find_browser(options.browser)
        return cls(
            options=options,
            warc_dir=warc_dir,
            choice=choice,
            software=f"chorus {chorus_version()}, {browser_version(choice)}",
            guard=AddressGuard(allow_private=options.allow_private, allow_hosts=options.access.allow_hosts),
            politeness=Politeness(options.delay),
            echoes=Echoes(),
            index=index,
        )

    def writer(self) -> WarcWriter:
        """A WARC file of one's own."""
        return WarcWriter(self.warc_dir, warc_info(self.software, self.options), index=self.index)

    def fetcher(self, writer: WarcWriter | None) -> Fetcher:
        """What fetches without the browser, keeping what it gets in ``writer`` (``None``: nowhere)."""
        contact = self.options.access.contact
        agent = f"chorus/{chorus_version()}" + (f" (+{contact})" if contact else "")
        return Fetcher(self.guard, agent, self.options.access, writer)


class Capturer:
    """One browser and the WARC file that it fills. ``connected`` turns false when the browser has died."""

    def __init__(self, equipment: Equipment, writer: WarcWriter, robots: RobotsCache, browser: Browser) -> None:
        self.equipment, self.options, self.writer = equipment, equipment.options, writer
        self.guard, self.robots, self.fetcher = equipment.guard, robots, equipment.fetcher(writer)
        self.browser = browser
        self.proxy: GuardedProxy | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, equipment: Equipment, writer: WarcWriter, robots: RobotsCache) -> AsyncIterator[Capturer]:
        """Start a browser. Raises ``BrowserUnavailable``."""
        async with launch(equipment.choice) as browser:
            capturer = cls(equipment, writer, robots, browser)
            async with capturer._way_out() as proxy:
                capturer.proxy = proxy
                yield capturer

    @property
    def connected(self) -> bool:
        """Whether the browser still answers."""
        return self.browser.is_connected()

    @asynccontextmanager
    async def _way_out(self) -> AsyncIterator[GuardedProxy | None]:
        """The guarded proxy, but where all addresses are allowed, the user's own proxy is used, or the browser is remote."""
        if self.options.allow_private or self.options.access.proxy or self.options.endpoint:
            yield None
            return
        async with GuardedProxy(self.guard) as proxy:
            yield proxy

    async def capture(self, url: str, *, decided: Callable[[RobotsDecision], None] = lambda _: None) -> PageCapture:
        """Capture one page. What goes wrong with it becomes its ``error``; it counts only when ``keep`` was called with it.

        ``decided`` is told what robots.txt says as soon as that is known.
        """
        return self.equipment.echoes.check(await self._one(url, decided))

    def keep(self, capture: PageCapture) -> None:
        """Write the capture's own record, and have all of it on the disk."""
        write_visit(self.writer, capture)
        self.writer.sync()

    async def _one(self, url: str, decided: Callable[[RobotsDecision], None]) -> PageCapture:
        decision: RobotsDecision | None = None
        try:
            await self.guard.check(url)
            if not self.options.ignore_robots:
                decision = await self.robots.decide(url)
                decided(decision)
            if decision is not None and not decision.allowed:
                fault = "robots-later" if decision.later else "robots"
                capture = _failure(url, decision.reason, "--ignore-robots", fault)
            else:
                capture = await self._visited(url, decision.crawl_delay if decision else None)
        except FetchError as error:
            fault = _fault(error)
            capture = _failure(url, str(error).removeprefix(f"{url}: "), error.hint, fault)
        except TimeoutError:
            capture = _failure(url, "the page hangs", None, "hang")
        reason = "ignored" if self.options.ignore_robots else decision.reason if decision else None
        return replace(capture, robots=reason, software=self.equipment.software)

    async def _visited(self, url: str, crawl_delay: float | None) -> PageCapture:
        limit = self.options.timeout_s * HANG_FACTOR + HANG_SECONDS
        await self.equipment.politeness.wait(url, crawl_delay)
        capture, cookies = await asyncio.wait_for(self._visit(url, crawl_delay), limit)
        return await self._completed(capture, cookies)

    async def _visit(self, url: str, crawl_delay: float | None) -> tuple[PageCapture, tuple[str, ...]]:
        from playwright.async_api import Error

        try:
            context = await new_context(
                self.browser,
                self.options.access,
                version=chorus_version(),
                guarded_proxy=self.proxy.url if self.proxy else None,
            )
            try:
                capture = await visit(
                    self.browser,
                    context,
                    url,
                    writer=self.writer,
                    guard=self.guard,
                    options=self._bounds(),
                    connected=self.proxy.connected if self.proxy else lambda _url: None,
                    asked=lambda: self.equipment.politeness.asked(url, crawl_delay),
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
            await self.equipment.politeness.wait(url, decision.crawl_delay if decision else None)
            same = host_of(url) == host_of(capture.final_url or capture.url)
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


def _fault(error: FetchError) -> str:
    if isinstance(error, AddressBlocked):
        return "blocked"
    return "hang" if isinstance(error, NoAnswer) else "unreachable"


def _failure(url: str, message: str, hint: str | None, fault: str) -> PageCapture:
    return PageCapture(url=url, captured_at=utc_now(), error=message + (f" ({hint})" if hint else ""), fault=fault)
