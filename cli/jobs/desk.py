"""Where a harvest's pages arrive: read, written to the tables in batches, and only then reported to the frontier."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cli.jobs.healing import commit
from cli.jobs.ingest import Ingested, read_capture
from cli.jobs.runlog import RunLog
from cli.output import Progress, note

if TYPE_CHECKING:
    from harvest.crew import Delivery
    from harvest.frontier import Frontier, Visited
    from store.archive import Archive
    from store.tables import Tables

#: Pages read before their rows go into the tables, or seconds, whichever is over first: few enough that little is to heal
#: after a crash, and enough that a long harvest does not leave thousands of tiny table files.
PAGES_PER_COMMIT = 20
SECONDS_PER_COMMIT = 30.0


@dataclass(slots=True)
class HarvestReport:
    """What came of each page, in order, and the exit code: 0 all well, 1 nothing worked, 3 something is missing."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    cut_short: bool = False

    @property
    def exit_code(self) -> int:
        """See the class."""
        tried = [row for row in self.rows if row["outcome"] != "skipped"]
        failed = [row for row in tried if row["outcome"] in ("failed", "waiting")]
        if tried and len(failed) == len(tried):
            return 1
        return 3 if failed or self.cut_short or any(row["completeness"] == "partial" for row in tried) else 0


class Desk:
    """Takes deliveries; ``close`` commits what is left."""

    def __init__(
        self,
        archive: Archive,
        tables: Tables,
        frontier: Frontier,
        report: HarvestReport,
        progress: Progress,
        log: RunLog,
        quiet: bool,
    ) -> None:
        self.archive, self.tables, self.frontier = archive, tables, frontier
        self.report, self.progress, self.log, self.quiet = report, progress, log, quiet
        self._waiting: list[tuple[Delivery, Ingested]] = []
        self._last_commit = time.monotonic()
        self.comments = self.errors = 0

    def take(self, delivery: Delivery) -> None:
        """One page is safely in the WARC, or is to be tried again."""
        verdict, claim = delivery.verdict, delivery.claim
        if verdict.kind == "again":
            error = delivery.capture.error or f"HTTP {delivery.capture.status}"
            self.log.write("again", url=claim.url, error=error, retry_at=verdict.retry_at)
            self._nack(delivery, error)
            return
        item = read_capture(delivery.capture)
        self._report(item, delivery)
        self._waiting.append((delivery, item))
        if len(self._waiting) >= PAGES_PER_COMMIT or time.monotonic() - self._last_commit > SECONDS_PER_COMMIT:
            self.commit()

    def _report(self, item: Ingested, delivery: Delivery) -> None:
        row = result_row(item)
        self.report.rows.append(row)
        self.log.write("page", host=delivery.claim.host, robots=item.visit.robots, verdict=delivery.verdict.kind, **row)
        self.comments += row["comments"] or 0
        if row["outcome"] == "failed":
            self.errors += 1
            note(f"{row['url']}: {row['error']}", quiet=self.quiet)
        detail = f"{self.comments} comments, {self.errors} errors  {item.visit.url}"
        self.progress.step(detail=detail)

    def commit(self) -> None:
        """Rows into the tables, then word to the frontier: a crash in between only means that ``heal`` tells it."""
        self._last_commit = time.monotonic()
        if not self._waiting:
            return
        commit(self.tables, [item for _, item in self._waiting])
        places: dict[str, int] = {}
        for delivery, _ in self._waiting:
            if delivery.place:
                name, offset = delivery.place
                places[name] = max(offset, places.get(name, 0))
        self.archive.mark_ingested(places)
        for delivery, item in self._waiting:
            self._tell(delivery, item)
        self._waiting.clear()

    def _tell(self, delivery: Delivery, item: Ingested) -> None:
        claim, verdict, now = delivery.claim, delivery.verdict, time.time()
        if verdict.kind == "done":
            changes = claim.last.changes if claim.last else ()
            before = claim.last.digest if claim.last else None
            self.frontier.ack(claim, visited(item, now, changes, before), now)
            return
        self._nack(delivery, item.visit.error or "failed")

    def _nack(self, delivery: Delivery, error: str) -> None:
        verdict = delivery.verdict
        self.frontier.nack(
            delivery.claim,
            error,
            time.time(),
            retry_at=verdict.retry_at,
            final=verdict.kind == "never",
            host=verdict.host,
            host_until=verdict.host_until,
        )


def visited(item: Ingested, now: float, changes: tuple[bool, ...] = (), before: str | None = None) -> Visited:
    """What the frontier wants to know of a visit, its next date included."""
    from harvest.frontier import Visited
    from harvest.schedule import moment, next_visit

    digest = hashlib.sha256("\n".join(item.visit.revision_ids).encode()).hexdigest()
    if item.document is None:
        return Visited(digest=digest, due_at=next_visit(now, last_activity=None, changes=changes))
    moments = [found for entry in item.document.entries if (found := moment(entry.published)) is not None]
    past = [found for found in moments if found <= now]
    history = (*changes, digest != before) if before is not None else changes
    return Visited(
        digest=digest,
        comments=item.document.thread.captured_count,
        published=moment(item.document.post.published) if item.document.post else None,
        last_activity=max(past, default=None),
        due_at=next_visit(now, last_activity=max(past, default=None), changes=history),
    )


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


def untried_row(outcome: str, url: str, error: str | None = None) -> dict[str, Any]:
    """The same for a page that was not visited: ``skipped`` or ``waiting``."""
    names = ("thread_id", "title", "comments", "announced", "completeness", "completeness_reason", "status")
    return {"outcome": outcome, "url": url, **dict.fromkeys(names), "error": error}
