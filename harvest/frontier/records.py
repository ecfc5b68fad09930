"""What goes into the frontier and what comes out of it. All times are seconds since the epoch (UTC)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["ready", "waiting", "leased", "done", "failed", "parked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An address to visit. Higher ``priority`` goes first; not before ``not_before``.

    ``source`` says where it was found, ``seed`` for whose sake, ``published`` when the page says that it was.
    """

    url: str
    priority: int = 0
    depth: int = 0
    source: str | None = None
    seed: str | None = None
    published: float | None = None
    not_before: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What came of adding: ``new`` addresses, those ``known`` before, ``again`` those of them that are to be visited again.

    ``refused`` counts what is no web address.
    """

    new: int = 0
    known: int = 0
    again: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Visited:
    """What a visit that succeeded leaves for the next one. ``due_at`` ``None``: no further visit is planned.

    ``digest`` is of the content whose change matters (the thread's revisions, not the page's bytes); ``published`` and
    ``last_activity`` (the last new comment) feed the schedule.
    """

    etag: str | None = None
    last_modified: str | None = None
    digest: str | None = None
    comments: int | None = None
    published: float | None = None
    last_activity: float | None = None
    due_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastVisit:
    """What is known of a page that was visited before; ``changes`` says of each later visit, newest last, if it had changed."""

    visits: int
    visited_at: float
    etag: str | None
    last_modified: str | None
    digest: str | None
    comments: int | None
    published: float | None
    last_activity: float | None
    changes: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A page to visit, and with it the sole right to ask its host, until ``ack``, ``nack`` or ``release``.

    ``attempts`` counts failures since the last success, ``added_at`` is when the address was first heard of, ``last`` is
    ``None`` on the first visit.
    """

    id: int
    lease: str
    worker: str
    url: str
    key: str
    host: str
    priority: int
    depth: int
    source: str | None
    seed: str | None
    published: float | None
    attempts: int
    added_at: float
    delay: float
    last: LastVisit | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """A host: not to be asked before ``next_at``; ``delay`` seconds between pages; ``backoff`` failures of it in a row.

    ``robots`` is the decision in words, ``error`` why it is being left alone.
    """

    host: str
    state: Literal["idle", "free", "held", "leased"]
    next_at: float
    delay: float
    backoff: int
    robots: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A page that was visited and whose next visit is due."""

    url: str
    host: str
    due_at: float
    visited_at: float
    comments: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A page that could not be had: ``failed`` for good, or ``waiting`` for another try at ``due_at``."""

    url: str
    state: State
    attempts: int
    error: str
    due_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierStats:
    """Counts of pages by state, of hosts, and of visited pages whose next visit is ``due``."""

    parked: int = 0
    ready: int = 0
    waiting: int = 0
    leased: int = 0
    done: int = 0
    failed: int = 0
    hosts: int = 0
    held_hosts: int = 0
    due: int = 0

    @property
    def open(self) -> int:
        """Pages still to visit in this run."""
        return self.ready + self.waiting + self.leased

    @property
    def total(self) -> int:
        """All pages known."""
        return self.open + self.parked + self.done + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait after failures (seconds): ``first``, then ``factor`` times as long each time, up to ``cap``.

    A page is given up after ``attempts`` failures in a row. A Retry-After counts instead, up to ``longest``. The values: a
    server restarts within seconds, a deployment takes minutes, and what fails for hours on end is for the next run; no
    site means to be left alone for more than a day.
    """

    first: float = 10.0
    factor: float = 3.0
    cap: float = 6 * 3600.0
    longest: float = 24 * 3600.0
    attempts: int = 5

    def until(self, now: float, retry_at: float | None, failures: int) -> float:
        """Seconds to wait from ``now``, at the ``failures``-th failure in a row."""
        if retry_at is not None:
            return min(max(retry_at - now, 0.0), self.longest)
        return min(self.cap, self.first * self.factor ** min(max(failures, 1) - 1, 60))


class FrontierProtocol(Protocol):
    """What a harvest needs of a queue; ``harvest.frontier.Frontier`` keeps it on one machine."""

    def add(self, urls: Iterable[str | Wanted], now: float, *, again: Collection[State] = ()) -> Added:
        """Add addresses."""

    def claim(self, now: float, worker: str) -> Claim | None:
        """The next page whose host may be asked."""

    def let_go(self, claim: Claim) -> None:
        """The host may be asked for another page; the claim stands."""

    def ack(self, claim: Claim, visited: Visited, now: float) -> bool:
        """The page was visited."""

    def nack(
        self,
        claim: Claim,
        error: str,
        now: float,
        *,
        retry_at: float | None = None,
        final: bool = False,
        host: bool = False,
        host_until: float | None = None,
    ) -> bool:
        """The visit failed."""

    def release(self, claim: Claim) -> bool:
        """The page was not visited after all."""

    def next_ready(self, now: float) -> float | None:
        """When ``claim`` may have something, ``None`` if nothing is queued."""

    def set_host(self, host: str, now: float, *, delay: float | None = None, robots: str | None = None) -> None:
        """What a host asks for."""

    def stats(self, now: float) -> FrontierStats:
        """How many pages are in which state."""
