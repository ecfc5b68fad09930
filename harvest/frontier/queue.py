"""What to visit, what was visited, when next: a queue in one SQLite file that survives ``kill -9`` at any moment.

Pages are in one of five states::

    add ──> ready ──claim──> leased ──ack──> done ──requeue──> ready
              ^                 └──nack──> waiting (another try later) or failed (given up)
              └── when due ──────────────────┘

``parked`` are pages that an earlier run left in the queue and this one was not asked for.

A host is ``idle`` (nothing ready), ``held`` (to be left alone until ``next_at``), ``free``, or ``leased``: a claim takes the
host with the page, so no two workers ask one host. Leases have no time limit: they belong to a process, and those of a
dead one are released when the next opens the file. Every method is one transaction, on disk when it returns.

One process writes an archive at a time (``store.lock``); two at one frontier would still never get the same page or host.
Times are given by the caller (seconds since the epoch); a clock that was set back makes no wait longer than it was.
"""

from __future__ import annotations

import random
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import astuple
from itertools import islice
from pathlib import Path
from types import TracebackType

from harvest.frontier import rows, sql
from harvest.frontier.database import Database
from harvest.frontier.lease import Owner
from harvest.frontier.records import (
    Added,
    Backoff,
    Claim,
    Due,
    FrontierStats,
    HostState,
    State,
    Trouble,
    Visited,
    Wanted,
)
from harvest.urls import url_key

#: The delay varies by this share, so that requests do not come in step with other clients'.
JITTER = 0.2

#: Rows of one transaction when adding: memory stays flat, and a crash loses no more than can be found again.
BATCH = 1000


class Frontier:
    """The frontier in the file ``path`` (made if it is not there). Use it as a context manager: closing releases its leases.

    ``delay`` is the pause (seconds) between two pages of a host that asks for none. ``backoff`` is for pages that fail,
    ``host_backoff`` for hosts. ``chance`` gives numbers from 0 to 1 for the jitter. ``read_only`` is for looking only.
    ``released`` says how many leases of dead processes were released on opening. Raises ``ArchiveError`` where the file
    cannot be read or written, ``ArchiveLocked`` where another process keeps it busy.
    """

    def __init__(
        self,
        path: Path,
        *,
        delay: float = 1.0,
        backoff: Backoff | None = None,
        host_backoff: Backoff | None = None,
        chance: Callable[[], float] = random.random,
        read_only: bool = False,
    ) -> None:
        self.path, self.delay = path, delay
        self.backoff = backoff or Backoff()
        self.host_backoff = host_backoff or Backoff(first=5.0, factor=2.0, cap=3600.0)
        self._chance = chance
        self._file = Database(path, read_only=read_only)
        self.released = 0
        if not read_only:
            self._register()

    def _register(self) -> None:
        owner = Owner.current()
        with self._file.transaction() as db:
            self.released = rows.release_dead(db)
            cursor = db.execute(
                "INSERT INTO owners (pid, boot, started) VALUES (?, ?, ?)", (owner.pid, owner.boot, owner.started)
            )
            self._owner = cursor.lastrowid

    def __enter__(self) -> Frontier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release what is still leased, as if it had not been claimed, and close the file."""
        try:
            if not self._file.read_only:
                with self._file.transaction() as db:
                    for row in db.execute(sql.OWNED, (self._owner,)).fetchall():
                        rows.free_page(db, row["id"], row["host_id"])
                    db.execute("DELETE FROM owners WHERE id = ?", (self._owner,))
        finally:
            self._file.close()

    # -- what the harvest calls ----------------------------------------------------------------------------------------

    def add(self, urls: Iterable[str | Wanted], now: float, *, again: Collection[State] = ()) -> Added:
        """Add addresses, in batches, so that any number will do. Known ones stay as they are, but for a higher priority.

        Those in one of the states ``again`` are queued once more, and so are parked ones.
        """
        counts = [0, 0, 0, 0]
        items = iter(urls)
        while batch := list(islice(items, BATCH)):
            with self._file.transaction(now) as db:
                added = rows.add_batch(db, batch, now, again)
            counts = [a + b for a, b in zip(counts, astuple(added), strict=True)]
        new, known, queued, refused = counts
        return Added(new=new, known=known, again=queued, refused=refused)

    def claim(self, now: float, worker: str) -> Claim | None:
        """The first page (by priority, then by age in the queue) of a host that may be asked now; ``None`` if there is none.

        Hosts of equal priority take turns: the one that has waited longest is next. The host's delay runs from now.
        """
        with self._file.transaction(now) as db:
            rows.ripen(db, now)
            found = rows.next_page(db)
            if found is None and rows.release_dead(db):
                rows.ripen(db, now)
                found = rows.next_page(db)
            return self._lease(db, *found, now, worker) if found else None

    def _lease(self, db: sqlite3.Connection, host: sqlite3.Row, page: sqlite3.Row, now: float, worker: str) -> Claim:
        lease = secrets.token_hex(8)
        delay = self.delay if host["delay"] is None else float(host["delay"])
        pause = delay * (1 + JITTER * self._chance())
        db.execute(sql.LEASE_URL, (self._owner, lease, worker, now, page["id"]))
        db.execute(sql.LEASE_HOST, {"now": now, "next_at": now + pause, "id": host["id"], "page": page["id"]})
        return rows.claim_of(page, host["host"], delay, worker, lease)

    def ack(self, claim: Claim, visited: Visited, now: float) -> bool:
        """The page was visited and is safely stored. ``False``, and nothing done, if the lease was lost meanwhile."""
        with self._file.transaction(now) as db:
            row = db.execute(sql.HELD, (claim.id, claim.lease)).fetchone()
            if row is None:
                return False
            rows.store_visit(db, claim.id, row, visited, now)
            db.execute(sql.HOST_WELL, (row["host_id"],))
            rows.unlease_host(db, row["host_id"], claim.id)
        return True

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
        """The visit failed: try again at ``retry_at`` (a Retry-After), else after the backoff; ``final``: never.

        ``host``: it is the host that fails or asks for patience (429, 503, no connection), so all its pages wait, until
        ``host_until`` (a Retry-After) or for its backoff. Returns ``False``, and does nothing, if the lease was lost meanwhile.
        """
        with self._file.transaction(now) as db:
            row = db.execute(sql.HELD, (claim.id, claim.lease)).fetchone()
            if row is None:
                return False
            attempts = row["attempts"] + 1
            given_up = final or attempts >= self.backoff.attempts
            due_at = None if given_up else now + self.backoff.until(now, retry_at, attempts)
            state = "failed" if given_up else "waiting"
            values = {
                "id": claim.id,
                "now": now,
                "attempts": attempts,
                "error": error,
                "state": state,
                "due_at": due_at,
            }
            db.execute(sql.NACK, values)
            if host:
                self._hold(db, row["host_id"], now, host_until, error)
            rows.unlease_host(db, row["host_id"], claim.id)
        return True

    def let_go(self, claim: Claim) -> None:
        """The host may be asked for its next page, while this one waits to be stored and acknowledged."""
        with self._file.transaction() as db:
            row = db.execute(sql.HELD, (claim.id, claim.lease)).fetchone()
            if row is not None:
                rows.unlease_host(db, row["host_id"], claim.id)

    def park(self) -> int:
        """Set aside what is queued: the run that begins was not asked for it. Returns the number of pages.

        Hosts that did not answer get another chance; those that named a time themselves do not.
        """
        with self._file.transaction() as db:
            count = db.execute(sql.PARK).rowcount
            db.execute(sql.FORGIVE_HOSTS, (self.delay,))
            for (identity,) in db.execute(sql.PARKED_HOSTS).fetchall():
                rows.settle(db, identity)
        return count

    def unpark(self, now: float, seed: str | None = None) -> int:
        """Queue again what was set aside: all, or what was found for one seed. Returns the number of pages."""
        with self._file.transaction(now) as db:
            hosts = db.execute(sql.PARKED_HOSTS).fetchall()
            count = db.execute(sql.UNPARK, {"now": now, "seed": seed}).rowcount
            for (identity,) in hosts:
                rows.settle(db, identity)
        return count

    def release(self, claim: Claim) -> bool:
        """Give a page back as if it had not been claimed (the user stops the run). ``False`` if the lease was lost."""
        with self._file.transaction() as db:
            row = db.execute(sql.HELD, (claim.id, claim.lease)).fetchone()
            if row is not None:
                rows.free_page(db, claim.id, row["host_id"])
        return row is not None

    def record(self, url: str, visited: Visited, now: float) -> None:
        """Enter a visit that was not claimed: one that a crash kept from being acknowledged, or from an older archive.

        Raises ``UsageError`` for what is no web address.
        """
        key = url_key(url)
        with self._file.transaction(now) as db:
            rows.add_batch(db, [url], now, again=())
            row = db.execute("SELECT * FROM urls WHERE key = ?", (key,)).fetchone()
            rows.store_visit(db, row["id"], row, visited, now)
            if row["state"] == "leased":
                db.execute(sql.UNLEASE_HOST, (row["host_id"], row["id"]))
            rows.settle(db, row["host_id"])

    def next_ready(self, now: float) -> float | None:
        """The moment (``now`` or later) when ``claim`` may have something; ``None`` if nothing comes before a lease ends."""
        with self._file.reading() as db:
            if db.execute(sql.ANY_FREE).fetchone():
                return now
            found = [db.execute(one).fetchone()[0] for one in (sql.EARLIEST_URL, sql.EARLIEST_HOST)]
        moments = [moment for moment in found if moment is not None]
        return max(now, min(moments)) if moments else None

    def requeue(self, now: float, *, every: bool = False, host: str | None = None) -> int:
        """Queue visited pages again: those whose next visit is due, or ``every`` one; of all hosts, or one.

        Returns their number.
        """
        with self._file.transaction(now) as db:
            number = None if host is None else rows.host_id(db, host)
            return rows.requeue(db, sql.ALL_DONE if every else sql.ALL_DUE, now, number)

    def left(self, limit: int = 1000) -> Iterator[Trouble]:
        """Pages that are still queued, each with the error of its last try, or else of its host."""
        with self._file.reading() as db:
            found = db.execute(sql.LEFT, (limit,)).fetchall()
        return (Trouble(**dict(row)) for row in found)

    def last(self, url: str) -> tuple[State, float | None, float | None] | None:
        """State, time of the last visit and of the next one of a page; ``None`` if it is not known."""
        with self._file.reading() as db:
            row = db.execute("SELECT state, visited_at, due_at FROM urls WHERE key = ?", (url_key(url),)).fetchone()
        return tuple(row) if row else None

    def forget(self, url: str) -> bool:
        """Erase an address and all that is known of it. ``False`` if it is not there."""
        with self._file.transaction() as db:
            row = db.execute("SELECT id, host_id, state FROM urls WHERE key = ?", (url_key(url),)).fetchone()
            if row is None:
                return False
            db.execute("DELETE FROM urls WHERE id = ?", (row["id"],))
            if row["state"] == "leased":
                db.execute(sql.UNLEASE_HOST, (row["host_id"], row["id"]))
            rows.settle(db, row["host_id"])
        return True

    # -- hosts ---------------------------------------------------------------------------------------------------------

    def set_host(self, host: str, now: float, *, delay: float | None = None, robots: str | None = None) -> None:
        """Note what a host asks for: seconds between pages, and what its robots.txt says, in words.

        A longer delay holds at once, counted from the page in hand.
        """
        with self._file.transaction(now) as db:
            identity = rows.host_id(db, host)
            db.execute(sql.SET_HOST, {"delay": delay, "robots": robots, "now": now, "id": identity})
            rows.settle(db, identity)

    def hold(self, host: str, until: float | None, now: float, reason: str | None = None) -> None:
        """Leave a host alone until then (``None``: for the backoff's time, longer with each call until a page succeeds)."""
        with self._file.transaction(now) as db:
            identity = rows.host_id(db, host)
            self._hold(db, identity, now, until, reason)
            rows.settle(db, identity)

    def _hold(self, db: sqlite3.Connection, identity: int, now: float, until: float | None, reason: str | None) -> None:
        failures = db.execute("SELECT backoff FROM hosts WHERE id = ?", (identity,)).fetchone()[0] + 1
        next_at = now + self.host_backoff.until(now, until, failures)
        db.execute(
            sql.HOLD_HOST,
            {
                "id": identity,
                "now": now,
                "next_at": next_at,
                "backoff": failures,
                "error": reason,
                "wish": None if until is None else next_at,
            },
        )

    def host(self, host: str) -> HostState | None:
        """What is known of a host."""
        return next(self._hosts("SELECT * FROM hosts WHERE host = ?", (host,)), None)

    def hosts(self) -> Iterator[HostState]:
        """All hosts, by name."""
        return self._hosts("SELECT * FROM hosts ORDER BY host", ())

    def _hosts(self, statement: str, values: tuple[str, ...]) -> Iterator[HostState]:
        names = ("host", "state", "next_at", "backoff", "robots", "error")
        with self._file.reading() as db:
            found = db.execute(statement, values).fetchall()
        for row in found:
            delay = self.delay if row["delay"] is None else row["delay"]
            yield HostState(**{name: row[name] for name in names}, delay=delay)

    # -- what is said of it --------------------------------------------------------------------------------------------

    def stats(self, now: float) -> FrontierStats:
        """How many pages are in which state, and how many are due for another visit."""
        with self._file.reading() as db:
            states = {row[0]: row[1] for row in db.execute(sql.STATES)}
            hosts, held = db.execute(sql.HOST_COUNTS).fetchone()
            due = db.execute(sql.DUE_COUNT, (now,)).fetchone()[0]
        return FrontierStats(**states, hosts=hosts, held_hosts=held, due=due)

    def state(self, url: str) -> State | None:
        """The state of a page; ``None`` if it is not known."""
        with self._file.reading() as db:
            row = db.execute("SELECT state FROM urls WHERE key = ?", (url_key(url),)).fetchone()
        return row[0] if row else None

    def due(self, now: float) -> Iterator[Due]:
        """The visited pages whose next visit is due, longest due first."""
        with self._file.reading() as db:
            found = db.execute(sql.DUE, (now,)).fetchall()
        return (Due(**dict(row)) for row in found)

    def troubles(self, limit: int = 1000) -> Iterator[Trouble]:
        """The pages that failed or wait for another try, with the last error."""
        with self._file.reading() as db:
            found = db.execute(sql.TROUBLES, (limit,)).fetchall()
        return (Trouble(**dict(row)) for row in found)
