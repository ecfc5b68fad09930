"""What comes of a page that was visited: done, tried again in this run, left for a later one, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harvest.capture import PageCapture

#: Seconds that a run waits for a host or page; what takes longer is left for the next run.
LONGEST_WAIT = 120.0

#: A site that answers 429 or 503 is asked so many times in one run.
MAX_TRIES = 3

#: Seconds before the second try where the site names none; doubled for each further one.
FIRST_BACKOFF = 2.0

#: Seconds before a page that failed once on a host that works is tried again: a restart, a lost connection.
SOON = 10.0

#: Seconds before what does not work is tried by a later run.
LATER = 3600.0

#: Faults that lie with the host, not with the page: none of its pages can be had now.
HOST_FAULTS = frozenset({"unreachable", "robots-later"})

#: Faults that the next try would meet again.
LASTING_FAULTS = frozenset({"blocked", "robots"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """``again``: in this run; ``later``: by another, from ``retry_at`` on (seconds since the epoch).

    ``host``: all its pages wait: until ``host_until`` where it said so itself, else for as long as its backoff has it.
    """

    kind: Literal["done", "again", "later", "never"]
    retry_at: float | None = None
    host: bool = False
    host_until: float | None = None


def judge(capture: PageCapture, *, attempts: int, now: float, host_is_well: bool) -> Verdict:
    """``attempts`` counts failures before this one; ``host_is_well``: the host has answered with pages in this run."""
    status = capture.status or 0
    if capture.fault in LASTING_FAULTS or (400 <= status < 500 and status not in (408, 425, 429)):
        return Verdict("never")
    if status in (429, 503) and capture.obstacle != "challenge":
        return _busy(capture, attempts, now)
    if capture.obstacle == "soft-404":
        return Verdict("never")
    if capture.error is None and status < 400:
        return Verdict("done")
    host = capture.fault in HOST_FAULTS
    if host_is_well and attempts == 0:
        return Verdict("again", now + SOON, host)
    return Verdict("later", now + LATER, host)


def _busy(capture: PageCapture, attempts: int, now: float) -> Verdict:
    wait = capture.retry_after if capture.retry_after is not None else FIRST_BACKOFF * 2**attempts
    if attempts + 1 < MAX_TRIES and wait <= LONGEST_WAIT:
        return Verdict("again", now + wait, True, now + wait)
    return Verdict("later", now + max(wait, LATER), True, now + wait)
