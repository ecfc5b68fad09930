"""Harvesting a list of pages into an archive."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.config import resolve
from cli.jobs.access import AccessRequest
from cli.jobs.extract import check_url
from cli.jobs.ingest import Ingested, read_capture
from cli.output import Progress, note
from store.records import ArchiveError, ModelUnavailable, UsageError

if TYPE_CHECKING:
    from harvest.session import HarvestOptions
    from harvest.visit import PageCapture
    from store.archive import Archive
    from store.manifest import RunRecorder
    from store.tables import Tables

#: Pages read before their rows go into the tables: few enough that little is to heal after a crash, and enough that a
#: long harvest does not leave thousands of tiny table files. The WARC is on disk before a page counts at all.
PAGES_PER_COMMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestRequest:
    """What to harvest and how. ``delay`` and ``timeout`` are seconds."""

    urls: tuple[str, ...]
    delay: float = 1.0
    timeout: float = 30.0
    contact: str | None = None
    max_pages: int | None = None
    update: bool = False
    allow_private: bool = False
    ignore_robots: bool = False
    behaviours: bool = True
    screenshots: bool = True
    endpoint: str | None = None
    access: AccessRequest = field(default_factory=AccessRequest)

    @classmethod
    def from_settings(
        cls,
        *,
        urls: Iterable[str],
        delay: float | None = None,
        timeout: float | None = None,
        contact: str | None = None,
        **rest: Any,
    ) -> HarvestRequest:
        """Fill what the caller left open from the settings; duplicates among ``urls`` are dropped."""
        return cls(
            urls=tuple(dict.fromkeys(urls)),
            delay=resolve("delay", delay).value,
            timeout=resolve("timeout", timeout).value,
            contact=resolve("contact", contact).value,
            **rest,
        )

    def options(self) -> HarvestOptions:
        """The same for the browser half."""
        from harvest.session import HarvestOptions
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


@dataclass(slots=True)
class HarvestReport:
    """What came of each page, in order, and the exit code: 0 all well, 1 nothing worked, 3 something is missing."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """See the class."""
        tried = [row for row in self.rows if row["outcome"] != "skipped"]
        failed = [row for row in tried if row["outcome"] == "failed"]
        if tried and len(failed) == len(tried):
            return 1
        return 3 if failed or any(row["completeness"] == "partial" for row in tried) else 0


def read_urls(urls: Iterable[str], source: str | None) -> list[str]:
    """URLs from the command line and from a file (``-``: stdin), one a line; blank lines and ``#`` comments are skipped."""
    found = list(urls)
    if source is not None:
        found += _lines(source)
    if not found:
        raise UsageError("no URL given", hint="chorus harvest URL, or --from FILE")
    return [check_url(url) for url in found]


def _lines(source: str) -> list[str]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"{source}: no such file") from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise UsageError(f"{source}: not a text file with one URL a line") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def plan(path: Path, request: HarvestRequest) -> Iterator[dict[str, str]]:
    """What a harvest would do with each URL; touches nothing."""
    known = _known_urls(path) if path.exists() else set()
    wanted = [url for url in request.urls if request.update or url not in known]
    chosen = set(wanted[: request.max_pages])
    for url in request.urls:
        if url in chosen:
            yield {"action": "visit", "url": url, "reason": ""}
        else:
            reason = "archived already" if url in known and not request.update else "over --max-pages"
            yield {"action": "skip", "url": url, "reason": reason}


def _known_urls(path: Path) -> set[str]:
    from store.archive import Archive
    from store.tables import Tables

    return Tables.open(Archive.open(path)).captured_urls()


def harvest_pages(path: Path, request: HarvestRequest, *, quiet: bool = False) -> HarvestReport:
    """Harvest into the archive at ``path`` (made if it is not there). One page's failure does not stop the others."""
    from store.archive import Archive
    from store.lock import write_lock
    from store.manifest import RunRecorder
    from store.tables import Tables

    archive = Archive.create_or_open(path)
    with write_lock(archive, "harvest"):
        tables = Tables.open(archive)
        heal(archive, tables, quiet=quiet)
        with RunRecorder(archive, "harvest", parameters=_parameters(request)) as run:
            report = _harvest(archive, tables, request, run, quiet)
            index_new(tables, quiet)
            run.counts.update(_counts(report))
            run.status = "partial" if report.exit_code else "done"
    return report


def _parameters(request: HarvestRequest) -> dict[str, Any]:
    names = ("delay", "timeout", "contact", "max_pages", "update", "allow_private", "ignore_robots", "behaviours")
    found = {**{name: getattr(request, name) for name in names}, "urls": list(request.urls)}
    return {**found, "access": request.access.public()}


def _counts(report: HarvestReport) -> dict[str, int]:
    outcomes = ("captured", "no-thread", "failed", "skipped")
    counts = {name: sum(row["outcome"] == name for row in report.rows) for name in outcomes}
    return {**counts, "comments": sum(row["comments"] or 0 for row in report.rows)}


def _harvest(archive: Archive, tables: Tables, request: HarvestRequest, run: RunRecorder, quiet: bool) -> HarvestReport:
    from harvest.session import harvest_urls

    known = set() if request.update else tables.captured_urls()
    report = HarvestReport([_skipped(url) for url in request.urls if url in known])
    urls = [url for url in request.urls if url not in known][: request.max_pages]
    if report.rows:
        note(f"{len(report.rows)} pages are in the archive already (--update visits them again)", quiet=quiet)
    if not urls:
        return report
    if request.ignore_robots:
        note("robots.txt is ignored, and the archive's records say so", quiet=quiet)
    with Progress("pages", len(urls), quiet=quiet) as progress, _Sink(tables, report, progress, quiet) as sink:
        asyncio.run(harvest_urls(urls, warc_dir=archive.warc_dir, options=request.options(), on_page=sink.take))
    archive.mark_ingested()
    run.errors = tuple(f"{row['url']}: {row['error']}" for row in report.rows if row["outcome"] == "failed")
    return report


class _Sink:
    """Takes captures as they come, and commits their rows in batches; on the way out whatever is left."""

    def __init__(self, tables: Tables, report: HarvestReport, progress: Progress, quiet: bool) -> None:
        self.tables, self.report, self.progress, self.quiet = tables, report, progress, quiet
        self.waiting: list[Ingested] = []

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, *_: object) -> None:
        commit(self.tables, self.waiting)
        self.waiting.clear()

    def take(self, page: PageCapture) -> None:
        """One page is safely in the WARC."""
        item = read_capture(page)
        row = result_row(item)
        self.report.rows.append(row)
        if row["outcome"] == "failed":
            note(f"{row['url']}: {row['error']}", quiet=self.quiet)
        self.waiting.append(item)
        self.progress.step(detail=item.visit.url)
        if len(self.waiting) >= PAGES_PER_COMMIT:
            commit(self.tables, self.waiting)
            self.waiting.clear()


def commit(tables: Tables, items: Iterable[Ingested]) -> None:
    """Write visits, threads and entries in one batch."""
    from store.records import Entry, Thread

    batch = list(items)
    threads: list[Thread] = [item.document.thread for item in batch if item.document]
    entries: list[Entry] = [entry for item in batch if item.document for entry in item.document.entries]
    if batch:
        tables.write([item.visit for item in batch], threads, entries)


def result_row(item: Ingested) -> dict[str, Any]:
    """What the command line reports of one page."""
    thread = item.document.thread if item.document else None
    return {
        "outcome": item.visit.outcome,
        "url": item.visit.url,
        "thread_id": thread.thread_id if thread else None,
        "title": thread.title if thread else None,
        "comments": thread.captured_count if thread else None,
        "announced": thread.announced_count if thread else None,
        "completeness": thread.completeness if thread else None,
        "completeness_reason": thread.completeness_reason if thread else None,
        "status": item.visit.status,
        "error": item.visit.error,
    }


def _skipped(url: str) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("thread_id", "title", "comments", "announced", "completeness", "completeness_reason", "status", "error")
    )
    return {"outcome": "skipped", "url": url, **empty}


def index_new(tables: Tables, quiet: bool) -> None:
    """Embed what is new. Without a model the harvest still stands; full-text search and a later run make up for it."""
    from cli.jobs.index import index_missing

    try:
        index_missing(tables, quiet=quiet)
    except ModelUnavailable as error:
        note(f"harvested, but not searchable yet: {error}" + (f" - {error.hint}" if error.hint else ""))


def heal(archive: Archive, tables: Tables, *, quiet: bool = False) -> int:
    """Take up what an interrupted run left: cut torn WARC tails, read captures whose rows are missing. Returns their number."""
    from harvest.warc import heal as heal_warc

    healed = 0
    for warc in archive.warcs_to_ingest():
        cut = heal_warc(warc)
        if cut:
            note(f"{warc.name}: an interrupted write was cut off ({cut} bytes)", quiet=quiet)
        items = [item for item in captures_of(warc) if not tables.has_visit(item.visit.visit_id)]
        commit(tables, items)
        healed += len(items)
    if healed:
        note(f"{healed} pages of an interrupted run were taken up from the WARC files", quiet=quiet)
    archive.mark_ingested()
    return healed


def captures_of(warc: Path) -> Iterator[Ingested]:
    """Every capture that a WARC file holds, read anew."""
    from harvest.visit import captures_from_warc

    try:
        for capture in captures_from_warc(warc):
            yield read_capture(capture)
    except OSError as error:
        raise ArchiveError(f"{warc}: cannot be read ({error})") from error
