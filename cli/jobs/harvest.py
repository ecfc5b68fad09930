"""Harvesting into an archive: the queue filled, worked off by a crew, every page's rows in the tables."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.config import resolve
from cli.jobs.access import AccessRequest
from cli.jobs.desk import Desk, HarvestReport, untried_row, visited
from cli.jobs.forget import tell_of_returned
from cli.jobs.healing import heal, index_new
from cli.jobs.runlog import RunLog
from cli.jobs.seedbook import Seed, seeds_of_archive
from cli.output import Progress, note
from store.records import UsageError

if TYPE_CHECKING:
    from harvest.capturer import Equipment, HarvestOptions
    from harvest.crew import Crew, Limits
    from harvest.discovery import Discovery
    from harvest.frontier import Frontier, State
    from harvest.robots import RobotsCache
    from store.archive import Archive
    from store.manifest import RunRecorder
    from store.tables import Tables

#: Pages named on the command line go before those that were discovered.
ASKED_FIRST = 10

#: States from which a page is queued once more: when it is asked for again, and when it is to be visited again.
FAILED: tuple[State, ...] = ("failed", "waiting")
DONE: tuple[State, ...] = ("done",)

#: Pages left in the queue that the report lists one by one.
MAX_LEFT_ROWS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestRequest:
    """What to harvest and how. ``delay``, ``timeout`` and ``max_seconds`` are seconds.

    Without ``seeds`` the archive's own are meant, and what its queue holds. ``every``: ``update`` without looking whether
    the time for another visit has come.
    """

    seeds: tuple[Seed, ...] = ()
    delay: float = 1.0
    timeout: float = 30.0
    contact: str | None = None
    workers: int = 1
    max_pages: int | None = None
    max_bytes: int | None = None
    max_seconds: float | None = None
    min_free: float = 256.0
    update: bool = False
    every: bool = False
    allow_private: bool = False
    ignore_robots: bool = False
    behaviours: bool = True
    screenshots: bool = True
    endpoint: str | None = None
    log: Path | None = None
    access: AccessRequest = field(default_factory=AccessRequest)

    @classmethod
    def from_settings(
        cls,
        *,
        urls: Iterable[str] = (),
        seeds: Iterable[Seed] = (),
        delay: float | None = None,
        timeout: float | None = None,
        contact: str | None = None,
        **rest: Any,
    ) -> HarvestRequest:
        """Fill what the caller left open from the settings; duplicates among ``urls`` are dropped."""
        plain = (Seed(url=url) for url in dict.fromkeys(urls))
        return cls(
            seeds=(*seeds, *plain),
            delay=resolve("delay", delay).value,
            timeout=resolve("timeout", timeout).value,
            contact=resolve("contact", contact).value,
            min_free=resolve("min_free").value,
            **rest,
        )

    def options(self) -> HarvestOptions:
        """The same for the browser half."""
        from harvest.capturer import HarvestOptions
        from store.manifest import public_argv

        return HarvestOptions(
            allow_private=self.allow_private,
            ignore_robots=self.ignore_robots,
            delay=self.delay,
            timeout_s=self.timeout,
            behaviours=self.behaviours,
            screenshot=self.screenshots,
            endpoint=self.endpoint,
            access=self.access.resolve(self.contact),
            argv=public_argv(sys.argv),
            browser=resolve("browser").value,
        )

    def limits(self) -> Limits:
        """Where the run ends."""
        from harvest.crew import Limits

        return Limits(self.max_pages, self.max_bytes, self.max_seconds, int(self.min_free * 1_000_000))

    def public(self) -> dict[str, Any]:
        """What the manifest keeps."""
        names = ("delay", "timeout", "contact", "workers", "max_pages", "max_bytes", "max_seconds", "update", "every")
        more = ("allow_private", "ignore_robots", "behaviours")
        found = {name: getattr(self, name) for name in names + more}
        return {**found, "seeds": [seed.public() for seed in self.seeds], "access": self.access.public()}


# -- the plan ----------------------------------------------------------------------------------------------------------


def plan(path: Path, request: HarvestRequest, *, quiet: bool = False) -> Iterator[dict[str, Any]]:
    """What a harvest would do with each address; asks sites for their lists where it must, and writes nothing."""
    frontier = _look(path)
    seeds = request.seeds or _archive_seeds(path)
    wanted: dict[str, dict[str, Any]] = {}
    for seed in seeds:
        if not seed.site:
            wanted[seed.url] = {"url": seed.url, "source": "asked", "published": None}
    skipped: list[dict[str, Any]] = []
    for discovery in _survey_only(request, [seed for seed in seeds if seed.site], quiet):
        for found in discovery.found.values():
            wanted.setdefault(found.url, {"url": found.url, "source": found.source, "published": _day(found.moment)})
        skipped += [{"action": "skip", "url": x.url, "reason": x.reason} for x in discovery.skipped.values()]
        for line in discovery.notes:
            note(line, quiet=quiet)
    count = 0
    for row in wanted.values():
        known = frontier is not None and frontier.state(row["url"]) == "done" and not request.update
        over = request.max_pages is not None and count >= request.max_pages
        reason = "archived already" if known else "over --max-pages" if over else ""
        count += not reason
        yield {"action": "skip" if reason else "visit", **row, "reason": reason}
    yield from skipped


def _look(path: Path) -> Frontier | None:
    """The frontier of an archive that is there, for reading."""
    from harvest.frontier import Frontier

    file = path / "frontier.db"
    return Frontier(file, read_only=True) if file.is_file() else None


def _archive_seeds(path: Path) -> tuple[Seed, ...]:
    return seeds_of_archive(path / "chorus.toml")


def _survey_only(request: HarvestRequest, seeds: list[Seed], quiet: bool) -> list[Discovery]:
    from harvest.capturer import Equipment
    from harvest.robots import RobotsCache

    async def ask() -> list[Discovery]:
        equipment = Equipment.of(request.options(), Path())
        robots = RobotsCache(equipment.fetcher(None))
        return [await _survey(seed, equipment, robots, quiet) for seed in seeds]

    return asyncio.run(ask()) if seeds else []


async def _survey(seed: Seed, equipment: Equipment, robots: RobotsCache, quiet: bool) -> Discovery:
    from harvest.survey import survey

    with Progress(f"{seed.url}: lists read", quiet=quiet) as progress:

        def step(discovery: Discovery) -> None:
            progress.step(detail=f"{len(discovery.found)} posts found")

        return await survey(seed.scope(), equipment, robots, step=step)


def _day(moment: float | None) -> str | None:
    return None if moment is None else time.strftime("%Y-%m-%d", time.gmtime(moment))


# -- the harvest -------------------------------------------------------------------------------------------------------


def harvest_pages(path: Path, request: HarvestRequest, *, quiet: bool = False) -> HarvestReport:
    """Harvest into the archive at ``path`` (made if it is not there). One page's failure does not stop the others.

    Raises ``KeyboardInterrupt`` at the end if the user asked to stop; what was done until then is kept.
    """
    from harvest.frontier import Frontier
    from store.archive import Archive
    from store.lock import write_lock
    from store.manifest import RunRecorder
    from store.tables import Tables

    options = request.options()  # bad settings show before anything is written
    archive = Archive.create_or_open(path)
    with write_lock(archive, "harvest"), RunLog(request.log) as log:
        tables = Tables.open(archive)
        new = not archive.frontier_file.exists()
        with Frontier(archive.frontier_file, delay=request.delay) as frontier:
            if new:
                _adopt_visits(frontier, tables)
            heal(archive, tables, quiet=quiet, taken_up=lambda item: _record(frontier, item))
            with RunRecorder(archive, "harvest", parameters=request.public()) as run:
                work = _Harvest(archive, tables, frontier, request, options, log, run, quiet)
                work.run()
    return work.report


def _record(frontier: Frontier, item: Any) -> None:
    """Tell the frontier of a visit that a crash kept from it."""
    if item.visit.outcome != "failed":
        frontier.record(item.visit.url, visited(item, time.time()), time.time())


def _adopt_visits(frontier: Frontier, tables: Tables) -> None:
    """An archive without a frontier has lost it, or is of an earlier chorus: its visits are known from the tables.

    Imported pages, which no robots.txt was asked about, were never visited.
    """
    from harvest.frontier import Visited
    from harvest.schedule import moment

    for row in tables.rows("visits", "outcome <> 'failed' AND robots IS NOT NULL", ["url", "captured_at"]):
        at = moment(row["captured_at"]) or time.time()
        frontier.record(row["url"], Visited(due_at=at), at)


class _Harvest:
    """One run."""

    def __init__(
        self,
        archive: Archive,
        tables: Tables,
        frontier: Frontier,
        request: HarvestRequest,
        options: HarvestOptions,
        log: RunLog,
        run: RunRecorder,
        quiet: bool,
    ) -> None:
        self.archive, self.tables, self.frontier = archive, tables, frontier
        self.request, self.options, self.log, self.recorder, self.quiet = request, options, log, run, quiet
        self.report = HarvestReport()
        self.interrupted = False
        self.seeds = request.seeds or seeds_of_archive(archive.root / "chorus.toml")

    def run(self) -> None:
        """See ``harvest_pages``."""
        self.log.write("start", archive=str(self.archive.root), **self.request.public())
        if self.request.ignore_robots:
            note("robots.txt is ignored, and the archive's records say so", quiet=self.quiet)
        asyncio.run(self._main())
        self._count_left()
        self.archive.mark_ingested()
        if not self.interrupted:
            index_new(self.tables, self.quiet)
            tell_of_returned(self.archive, self.tables, self.quiet)
        self._finish()

    def _finish(self) -> None:
        rows = self.report.rows
        outcomes = ("captured", "no-thread", "failed", "skipped", "waiting")
        counts = {name: sum(row["outcome"] == name for row in rows) for name in outcomes}
        self.recorder.counts.update({**counts, "comments": sum(row["comments"] or 0 for row in rows)})
        self.recorder.errors = tuple(f"{row['url']}: {row['error']}" for row in rows if row["outcome"] == "failed")
        self.recorder.status = "partial" if self.report.exit_code else "done"
        if self.interrupted:
            raise KeyboardInterrupt

    async def _main(self) -> None:
        from harvest.capturer import Equipment
        from harvest.payloads import INDEX_FILE, PayloadIndex
        from harvest.robots import RobotsCache

        index = PayloadIndex(self.archive.root / INDEX_FILE, self.archive.warc_dir)
        equipment = Equipment.of(self.options, self.archive.warc_dir, index)
        writer = equipment.writer()
        robots = RobotsCache(equipment.fetcher(writer))
        try:
            await self._fill(equipment, robots)
            writer.sync()
            await self._work(equipment, robots)
        finally:
            writer.close()
            index.close()

    # -- the queue ---------------------------------------------------------------------------------------------

    async def _fill(self, equipment: Equipment, robots: RobotsCache) -> None:
        """Queue what this run is asked for, and only that; what other runs left stays for them."""
        self.frontier.park()
        now = time.time()
        for seed in self.seeds:
            if seed.delay is not None:
                self.frontier.set_host(seed.host, now, delay=seed.delay)
            if seed.site:
                self.frontier.unpark(now, seed.url)
                await self._discover(seed, equipment, robots)
            else:
                self._ask_for(seed)
        if not self.request.seeds:
            self.frontier.unpark(now)
        if self.request.update and not any(not seed.site for seed in self.request.seeds):
            self._revisit(now)
        skipped = sum(row["outcome"] == "skipped" for row in self.report.rows)
        if skipped:
            note(f"{skipped} pages are in the archive already (--update visits them again)", quiet=self.quiet)

    def _ask_for(self, seed: Seed) -> None:
        from harvest.frontier import Wanted

        if not self.request.update and self.frontier.state(seed.url) == "done":
            self.report.rows.append(untried_row("skipped", seed.url))
            return
        again = FAILED + DONE if self.request.update else FAILED
        wanted = Wanted(url=seed.url, priority=ASKED_FIRST, source="asked", seed=seed.url)
        self.frontier.add([wanted], time.time(), again=again)

    async def _discover(self, seed: Seed, equipment: Equipment, robots: RobotsCache) -> None:
        from harvest.frontier import Wanted

        found = await _survey(seed, equipment, robots, self.quiet)
        for line in found.notes:
            note(line, quiet=self.quiet)
        for skip in found.skipped.values():
            self.log.write("skip", url=skip.url, reason=skip.reason)
        wanted = (Wanted(url=x.url, source=x.source, seed=seed.url, published=x.moment) for x in found.found.values())
        added = self.frontier.add(wanted, time.time(), again=FAILED)
        changed = [x.url for x in found.found.values() if self.request.update and self._has_changed(x.url, x.moment)]
        self.frontier.add(changed, time.time(), again=DONE)
        skipped = len(found.skipped)
        note(
            f"{seed.url}: {len(found.found)} posts found ({added.new} new), {skipped} other addresses left out",
            quiet=self.quiet,
        )
        self.log.write("discovered", seed=seed.url, posts=len(found.found), new=added.new, skipped=skipped)
        if not found.found:
            self.report.rows.append(
                untried_row("failed", seed.url, "no posts found" + "".join(f"; {n}" for n in found.notes[:1]))
            )

    def _has_changed(self, url: str, moment: float | None) -> bool:
        """Whether a feed or sitemap says that a page changed after its last visit."""
        last = self.frontier.last(url)
        return bool(moment and last and last[0] == "done" and last[1] is not None and moment > last[1])

    def _revisit(self, now: float) -> None:
        hosts: set[str | None] = {seed.host for seed in self.request.seeds}
        count = sum(self.frontier.requeue(now, every=self.request.every, host=host) for host in hosts or {None})
        note(f"{count} pages are due for another visit", quiet=self.quiet)

    # -- the work ----------------------------------------------------------------------------------------------

    async def _work(self, equipment: Equipment, robots: RobotsCache) -> None:
        from harvest.crew import Crew

        total = self.frontier.stats(time.time()).open
        if self.request.max_pages is not None:
            total = min(total, self.request.max_pages)
        if not total:
            return
        with Progress("pages", total, quiet=self.quiet) as progress:
            desk = Desk(self.archive, self.tables, self.frontier, self.report, progress, self.log, self.quiet)
            crew = Crew(
                equipment=equipment,
                frontier=self.frontier,
                robots=robots,
                deliver=desk.take,
                workers=min(self.request.workers, total),
                limits=self.request.limits(),
            )
            try:
                with _Interrupts(crew, self):
                    await crew.run()
            finally:
                desk.commit()
        if crew.ended:
            self.report.cut_short = self.interrupted or self.request.max_pages is None
            self.log.write("stopped", reason=crew.ended)
            note(crew.ended, quiet=self.quiet)

    def _count_left(self) -> None:
        """Pages that this run could not do: their hosts ask for patience or do not answer."""
        open_pages = self.frontier.stats(time.time()).open
        if not open_pages:
            return
        told = {row["url"] for row in self.report.rows}
        left = [page for page in self.frontier.left(MAX_LEFT_ROWS) if page.url not in told]
        if left and not self.report.cut_short and self.request.max_pages is None:
            self.report.rows += [
                untried_row("waiting", page.url, page.error or "its host's turn did not come") for page in left
            ]
        if left:
            note(f"{open_pages} pages are left in the queue; the same command goes on with them", quiet=self.quiet)


class _Interrupts:
    """Ctrl-C once finishes the pages in hand, twice stops at once. Both keep what is done."""

    def __init__(self, crew: Crew, harvest: _Harvest) -> None:
        self.crew, self.harvest = crew, harvest

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        try:
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._signalled)
        except (ValueError, RuntimeError, NotImplementedError):
            return  # not the main thread: whoever runs us handles signals

    def __exit__(self, *_: object) -> None:
        try:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        except (ValueError, RuntimeError, NotImplementedError):
            return

    def _signalled(self) -> None:
        if self.harvest.interrupted and self._task is not None:
            self._task.cancel()
            return
        self.harvest.interrupted = True
        self.crew.stop("stopping: the pages in hand are finished first (Ctrl-C again stops at once)")
        note(self.crew.ended or "")


def checked_seeds(seeds: list[Seed], *, update: bool, archive: Path) -> tuple[Seed, ...]:
    """The seeds, or ``UsageError`` where there is nothing to do at all."""
    if seeds or update or seeds_of_archive(archive / "chorus.toml") or (archive / "frontier.db").exists():
        return tuple(seeds)
    raise UsageError("no URL given", hint="chorus harvest URL, or --from FILE")
