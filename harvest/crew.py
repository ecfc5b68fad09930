"""Harvesting many pages of many hosts at once, from a frontier, through crashes.

Each worker has a browser and a WARC file of its own and asks the frontier for its next page; the frontier gives a host to
one worker at a time. A page's way is: records synced to disk (``Capturer.keep``), then ``deliver``, which stores its rows
and tells the frontier. A crash between any two of these loses nothing: what is in the WARC files is taken up on the next
start, and what the frontier was not told of is visited again.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from harvest.capturer import Capturer, Equipment
from harvest.frontier import Claim, FrontierProtocol
from harvest.retry import LONGEST_WAIT, Verdict, judge
from harvest.robots import RobotsCache, RobotsDecision
from harvest.visit import PageCapture

#: A browser is replaced after so many pages: renderers and caches grow, and a fresh one costs half a second.
PAGES_PER_BROWSER = 100

#: Seconds between two looks at the frontier while other workers may still add to it.
LOOK_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run ends though there is more to do; ``None`` is no limit. ``free_bytes`` must stay free on the disk."""

    pages: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    free_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """A page that is on the disk, how it is judged, and how far its WARC file is written."""

    claim: Claim
    capture: PageCapture
    verdict: Verdict
    place: tuple[str, int] | None


@dataclass(slots=True)
class Crew:
    """``workers`` capturers at work on one frontier. ``deliver`` is called with each page, from one thread, one at a time.

    ``ended`` says in words why the run came to its end before the queue did. ``hosts`` are being asked at the moment.
    """

    equipment: Equipment
    frontier: FrontierProtocol
    robots: RobotsCache
    deliver: Callable[[Delivery], None]
    workers: int = 1
    limits: Limits = field(default_factory=Limits)
    ended: str | None = None
    hosts: list[str] = field(default_factory=list)
    _begun: float = 0.0
    _pages: int = 0
    _stopping: bool = False
    _well: set[str] = field(default_factory=set)

    def stop(self, reason: str) -> None:
        """Finish the pages in hand, then end."""
        self.ended = self.ended or reason
        self._stopping = True

    async def run(self) -> None:
        """Work until nothing is left that this run can do. Raises what ``deliver`` raises, and ``BrowserUnavailable``."""
        self._begun = time.monotonic()
        with ThreadPoolExecutor(1, "deliver") as shelf:
            tasks = [asyncio.ensure_future(self._work(f"worker-{n}", shelf)) for n in range(1, self.workers + 1)]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, name: str, shelf: ThreadPoolExecutor) -> None:
        claim = await self._next(name)
        writer = self.equipment.writer()
        try:
            while claim:
                async with Capturer.open(self.equipment, writer, self.robots) as capturer:
                    pages = 0
                    while claim and capturer.connected and pages < PAGES_PER_BROWSER:
                        await self._page(capturer, claim, shelf)
                        pages += 1
                        claim = await self._next(name)
        finally:
            writer.close()

    async def _next(self, worker: str) -> Claim | None:
        """The next page, waited for where its host's turn comes soon; ``None`` at the end."""
        while not self._stopping and not self._spent():
            now = time.time()
            claim = self.frontier.claim(now, worker)
            if claim is not None:
                self._pages += 1
                return claim
            ready = self.frontier.next_ready(now)
            pause = LONGEST_WAIT + 1 if ready is None else ready - now
            if pause > LONGEST_WAIT and not self.hosts:
                return None
            await asyncio.sleep(min(max(pause, 0.02), LOOK_EVERY))
        return None

    def _spent(self) -> bool:
        limits, reason = self.limits, None
        if limits.pages is not None and self._pages >= limits.pages:
            reason = f"the limit of {limits.pages} pages is reached"
        elif limits.seconds is not None and time.monotonic() - self._begun >= limits.seconds:
            reason = f"the limit of {limits.seconds:g} seconds is reached"
        elif limits.bytes is not None and self.equipment.written >= limits.bytes:
            reason = f"the limit of {limits.bytes} bytes is reached"
        elif (free := shutil.disk_usage(self.equipment.warc_dir).free) < limits.free_bytes:
            reason = (
                f"the disk is nearly full ({free // 1_000_000} MB free); the same command goes on when there is room"
            )
        if reason:
            self.stop(reason)
        return reason is not None

    async def _page(self, capturer: Capturer, claim: Claim, shelf: ThreadPoolExecutor) -> None:
        host = claim.host
        self.hosts.append(host)
        before = capturer.writer.written

        def decided(decision: RobotsDecision) -> None:
            self.frontier.set_host(host, time.time(), delay=decision.crawl_delay, robots=decision.reason)

        try:
            capture = await capturer.capture(claim.url, decided=decided)
            verdict = judge(capture, attempts=claim.attempts, now=time.time(), host_is_well=host in self._well)
            if verdict.kind == "done":
                self._well.add(host)
            if verdict.kind == "again":
                capturer.writer.sync()
                self._pages -= 1
            else:
                capturer.keep(capture)
            if verdict.kind != "again" or not verdict.host:
                self.frontier.let_go(claim)
            delivery = Delivery(claim, capture, verdict, capturer.writer.place())
            await asyncio.get_running_loop().run_in_executor(shelf, self.deliver, delivery)
        finally:
            self.equipment.written += capturer.writer.written - before
            self.hosts.remove(host)
