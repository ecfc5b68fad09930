"""Changes to the frontier's rows, each within a transaction of its caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from typing import Any

from harvest.frontier import sql
from harvest.frontier.lease import Owner
from harvest.frontier.records import Added, Claim, LastVisit, State, Visited, Wanted
from harvest.urls import clean_url, url_host, url_key
from store.records import UsageError

#: Changes of the last visits that are kept for the schedule.
KEPT_CHANGES = 8

#: A page whose visit so many processes did not survive goes behind all others, and after the second number is given up:
#: one page that fills the memory must not stop a harvest, while a machine that is killed often must not lose pages.
DEATHS_TO_THE_END = 3
DEATHS_TO_GIVE_UP = 20
_BEHIND = 1_000_000

#: Columns of a page that its next visit wants to know.
_REMEMBERED = ("visits", "visited_at", "etag", "last_modified", "digest", "comments", "published", "last_activity")


def host_id(db: sqlite3.Connection, host: str) -> int:
    """The number of a host, which is entered if it is new."""
    db.execute(sql.ADD_HOST, (host,))
    return int(db.execute(sql.HOST_ID, (host,)).fetchone()[0])


def settle(db: sqlite3.Connection, host: int) -> None:
    """Bring a host's state in line with its pages. Whether its time has come is for the next claim to see."""
    top = db.execute(sql.TOP, (host,)).fetchone()
    db.execute(sql.SETTLE, ("idle", 0, host) if top is None else ("held", top[0], host))


def add_batch(db: sqlite3.Connection, batch: Iterable[str | Wanted], now: float, again: Collection[State]) -> Added:
    """Add addresses; see ``Frontier.add``."""
    found = Added()
    hosts: dict[str, int] = {}
    for item in batch:
        wanted = Wanted(url=item) if isinstance(item, str) else item
        try:
            url, key, host = clean_url(wanted.url), url_key(wanted.url), url_host(wanted.url)
        except UsageError:
            found = replace(found, refused=found.refused + 1)
            continue
        if host not in hosts:
            hosts[host] = host_id(db, host)
        values = _new_row(wanted, now) | {"key": key, "url": url, "host_id": hosts[host]}
        if db.execute(sql.ADD, values).rowcount:
            found = replace(found, new=found.new + 1)
            continue
        db.execute(sql.RAISE_PRIORITY, values)
        count = db.execute(sql.AGAIN, values | {"again": ",".join(again)}).rowcount
        found = replace(found, known=found.known + 1, again=found.again + count)
    for identity in hosts.values():
        settle(db, identity)
    return found


def _new_row(wanted: Wanted, now: float) -> dict[str, Any]:
    later = wanted.not_before is not None and wanted.not_before > now
    row = asdict(wanted) | {"now": now, "state": "waiting" if later else "ready", "due_at": wanted.not_before}
    del row["not_before"]
    return row


def ripen(db: sqlite3.Connection, now: float) -> None:
    """Make ready what waited and is due, and free the hosts whose pause is over."""
    rows = db.execute(sql.RIPE, (now,)).fetchall()
    db.executemany(sql.RIPEN, [(row["id"],) for row in rows])
    for identity in dict.fromkeys(row["host_id"] for row in rows):
        settle(db, identity)
    db.execute(sql.FREE_HOSTS, (now,))


def next_page(db: sqlite3.Connection) -> tuple[sqlite3.Row, sqlite3.Row] | None:
    """The host whose turn it is, and its first page."""
    while host := db.execute(sql.NEXT_HOST).fetchone():
        if page := db.execute(sql.NEXT_URL, (host["id"],)).fetchone():
            return host, page
        settle(db, host["id"])
    return None


def claim_of(page: sqlite3.Row, host: str, delay: float, worker: str, lease: str) -> Claim:
    """The claim on a page."""
    last = None
    if page["visits"]:
        changes = tuple(one == "1" for one in page["changes"])
        last = LastVisit(**{name: page[name] for name in _REMEMBERED}, changes=changes)
    names = ("id", "url", "key", "priority", "depth", "source", "seed", "published", "attempts", "added_at")
    return Claim(**{name: page[name] for name in names}, host=host, delay=delay, worker=worker, lease=lease, last=last)


def store_visit(db: sqlite3.Connection, identity: int, row: sqlite3.Row, visited: Visited, now: float) -> None:
    """The page is done; whether it had changed since the last visit joins its history."""
    changes = row["changes"]
    if row["visits"]:
        changes = (changes + ("1" if visited.digest != row["digest"] else "0"))[-KEPT_CHANGES:]
    db.execute(sql.ACK, asdict(visited) | {"id": identity, "now": now, "changes": changes})


def free_page(db: sqlite3.Connection, identity: int, host: int) -> None:
    """Put a leased page back, and its host with it."""
    db.execute(sql.RELEASE, (identity,))
    unlease_host(db, host, identity)


def unlease_host(db: sqlite3.Connection, host: int, page: int) -> None:
    """The host is free for others again when its time has come, if it is this page that held it."""
    db.execute(sql.UNLEASE_HOST, (host, page))
    settle(db, host)


def release_dead(db: sqlite3.Connection) -> int:
    """Release the leases of processes that are no more. Returns the number of pages."""
    count = 0
    for owner in db.execute("SELECT id, pid, boot, started FROM owners").fetchall():
        if Owner(owner["pid"], owner["boot"], owner["started"]).alive():
            continue
        for row in db.execute(sql.OWNED, (owner["id"],)).fetchall():
            db.execute(sql.ORPHAN, _orphaned(row))
            unlease_host(db, row["host_id"], row["id"])
            count += 1
        db.execute("DELETE FROM owners WHERE id = ?", (owner["id"],))
    return count


def _orphaned(row: sqlite3.Row) -> dict[str, Any]:
    deaths = row["deaths"] + 1
    lost = deaths >= DEATHS_TO_GIVE_UP
    behind = _BEHIND if deaths == DEATHS_TO_THE_END else 0
    return {
        "id": row["id"],
        "deaths": deaths,
        "state": "failed" if lost else "ready",
        "priority": row["priority"] - behind,
        "error": f"{deaths} processes died while they visited this page" if lost else None,
    }


def requeue(db: sqlite3.Connection, condition: str, now: float, host: int | None) -> int:
    """Make ready what meets one of the conditions of ``sql``, of one host or of all. Returns the number of pages."""
    values = {"now": now, "host": host}
    hosts = db.execute(sql.REQUEUED_HOSTS.format(condition), values).fetchall()
    count = db.execute(sql.REQUEUE.format(condition), values).rowcount
    for row in hosts:
        settle(db, row[0])
    return count
