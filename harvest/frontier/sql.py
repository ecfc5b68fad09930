"""The frontier's tables and statements. Each statement of a claim reads as many rows as it hands out, not the whole queue."""

from __future__ import annotations

#: Raised when a column changes its meaning; ``harvest.frontier`` refuses files of a later version.
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY CHECK (id = 1), seen REAL NOT NULL);
INSERT OR IGNORE INTO clock VALUES (1, 0);
CREATE TABLE IF NOT EXISTS owners (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL, boot TEXT NOT NULL, started TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS hosts (
    id INTEGER PRIMARY KEY, host TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'idle', top INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL DEFAULT 0, set_at REAL NOT NULL DEFAULT 0, asked_at REAL,
    delay REAL, backoff INTEGER NOT NULL DEFAULT 0, robots TEXT, error TEXT,
    page INTEGER, wish REAL
);
CREATE INDEX IF NOT EXISTS hosts_free ON hosts (state, top DESC, next_at);
CREATE INDEX IF NOT EXISTS hosts_next ON hosts (state, next_at);
CREATE TABLE IF NOT EXISTS urls (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, url TEXT NOT NULL, host_id INTEGER NOT NULL REFERENCES hosts (id),
    state TEXT NOT NULL, priority INTEGER NOT NULL, depth INTEGER NOT NULL, source TEXT, seed TEXT,
    added_at REAL NOT NULL, due_at REAL, set_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, deaths INTEGER NOT NULL DEFAULT 0, error TEXT,
    owner INTEGER, lease TEXT, worker TEXT,
    visits INTEGER NOT NULL DEFAULT 0, visited_at REAL, etag TEXT, last_modified TEXT, digest TEXT, comments INTEGER,
    published REAL, last_activity REAL, changes TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS urls_next ON urls (host_id, state, priority DESC, id);
CREATE INDEX IF NOT EXISTS urls_due ON urls (state, due_at);
CREATE INDEX IF NOT EXISTS urls_owner ON urls (owner) WHERE owner IS NOT NULL;
"""

ADD_HOST = "INSERT OR IGNORE INTO hosts (host) VALUES (?)"
HOST_ID = "SELECT id FROM hosts WHERE host = ?"
ADD = """
INSERT OR IGNORE INTO urls (key, url, host_id, state, priority, depth, source, seed, published, added_at, due_at, set_at)
VALUES (:key, :url, :host_id, :state, :priority, :depth, :source, :seed, :published, :now, :due_at, :now)
"""
RAISE_PRIORITY = "UPDATE urls SET priority = :priority WHERE key = :key AND priority < :priority"
AGAIN = """
UPDATE urls SET state = :state, due_at = :due_at, set_at = :now, attempts = 0, deaths = 0, error = NULL, seed = :seed
WHERE key = :key AND (state = 'parked' OR instr(:again, state))
"""

# one run's pages among those of others
PARK = "UPDATE urls SET state = 'parked' WHERE state IN ('ready', 'waiting')"
UNPARK = """
UPDATE urls SET state = 'ready', due_at = NULL, set_at = :now WHERE state = 'parked' AND (:seed IS NULL OR seed = :seed)
"""
FORGIVE_HOSTS = """
UPDATE hosts SET backoff = 0, next_at = max(coalesce(wish, 0), min(next_at, coalesce(asked_at + coalesce(delay, ?), 0)))
WHERE backoff > 0
"""
PARKED_HOSTS = "SELECT DISTINCT host_id FROM urls WHERE state = 'parked'"

# what a claim runs
RIPE = "SELECT id, host_id FROM urls WHERE state = 'waiting' AND due_at <= ? ORDER BY due_at LIMIT 1000"
RIPEN = "UPDATE urls SET state = 'ready' WHERE id = ?"
FREE_HOSTS = "UPDATE hosts SET state = 'free' WHERE state = 'held' AND next_at <= ?"
NEXT_HOST = "SELECT id, host, delay FROM hosts WHERE state = 'free' ORDER BY top DESC, next_at LIMIT 1"
NEXT_URL = "SELECT * FROM urls WHERE host_id = ? AND state = 'ready' ORDER BY priority DESC, id LIMIT 1"
LEASE_URL = "UPDATE urls SET state = 'leased', owner = ?, lease = ?, worker = ?, set_at = ? WHERE id = ?"
LEASE_HOST = """
UPDATE hosts SET state = 'leased', page = :page, asked_at = :now, next_at = :next_at, set_at = :now WHERE id = :id
"""
TOP = "SELECT priority FROM urls WHERE host_id = ? AND state = 'ready' ORDER BY priority DESC, id LIMIT 1"
SETTLE = "UPDATE hosts SET state = ?, top = ? WHERE id = ? AND state <> 'leased'"

# what ends a lease
HELD = "SELECT host_id, visits, digest, changes, attempts FROM urls WHERE id = ? AND state = 'leased' AND lease = ?"
ACK = """
UPDATE urls SET state = 'done', owner = NULL, lease = NULL, worker = NULL, attempts = 0, deaths = 0, error = NULL,
    visits = visits + 1, visited_at = :now, due_at = :due_at, set_at = :now, etag = :etag, last_modified = :last_modified,
    digest = :digest, comments = :comments, published = coalesce(:published, published),
    last_activity = coalesce(:last_activity, last_activity), changes = :changes
WHERE id = :id
"""
NACK = """
UPDATE urls SET state = :state, owner = NULL, lease = NULL, worker = NULL, attempts = :attempts, deaths = 0, error = :error,
    due_at = :due_at, set_at = :now
WHERE id = :id
"""
RELEASE = "UPDATE urls SET state = 'ready', owner = NULL, lease = NULL, worker = NULL WHERE id = ?"
UNLEASE_HOST = "UPDATE hosts SET state = 'idle', page = NULL WHERE id = ? AND page = ?"
HOST_WELL = "UPDATE hosts SET backoff = 0, error = NULL WHERE id = ? AND backoff > 0"
HOLD_HOST = """
UPDATE hosts SET next_at = max(next_at, :next_at), set_at = :now, backoff = :backoff, error = coalesce(:error, error),
    wish = :wish,
    state = CASE state WHEN 'free' THEN 'held' ELSE state END
WHERE id = :id
"""
SET_HOST = """
UPDATE hosts SET delay = coalesce(:delay, delay), robots = coalesce(:robots, robots),
    next_at = max(next_at, coalesce(asked_at + :delay, next_at)), set_at = :now
WHERE id = :id
"""

# visited pages that are to be visited again: which, and how
ALL_DONE = "state = 'done'"
ALL_DUE = "state = 'done' AND due_at <= :now"
REQUEUED_HOSTS = "SELECT DISTINCT host_id FROM urls WHERE (:host IS NULL OR host_id = :host) AND {}"
REQUEUE = """
UPDATE urls SET state = 'ready', attempts = 0, deaths = 0, error = NULL, set_at = :now
WHERE (:host IS NULL OR host_id = :host) AND {}
"""

# the leases of a process that is no more
OWNED = "SELECT id, host_id, deaths, priority FROM urls WHERE owner = ?"
ORPHAN = """
UPDATE urls SET state = :state, owner = NULL, lease = NULL, worker = NULL, deaths = :deaths, priority = :priority,
    error = coalesce(:error, error)
WHERE id = :id
"""

# a clock that was set back: what was set in the time that is yet to come keeps its distance, not its moment
REBASE_URLS = "UPDATE urls SET due_at = :now + (due_at - set_at), set_at = :now WHERE set_at > :now"
REBASE_HOSTS = """
UPDATE hosts SET next_at = :now + (next_at - set_at), asked_at = min(asked_at, :now), set_at = :now WHERE set_at > :now
"""

# what is said of it
STATES = "SELECT state, count(*) FROM urls GROUP BY state"
HOST_COUNTS = "SELECT count(*), coalesce(sum(state = 'held'), 0) FROM hosts"
DUE_COUNT = "SELECT count(*) FROM urls WHERE state = 'done' AND due_at <= ?"
DUE = """
SELECT url, host, due_at, visited_at, comments FROM urls JOIN hosts ON hosts.id = host_id
WHERE urls.state = 'done' AND due_at <= ? ORDER BY due_at, urls.id
"""
TROUBLES = """
SELECT url, state, attempts, error, due_at FROM urls
WHERE state IN ('failed', 'waiting') AND error IS NOT NULL ORDER BY state, id LIMIT ?
"""
LEFT = """
SELECT url, urls.state, attempts, coalesce(urls.error, hosts.error, '') AS error, due_at FROM urls
JOIN hosts ON hosts.id = host_id WHERE urls.state IN ('ready', 'waiting') ORDER BY urls.id LIMIT ?
"""
EARLIEST_URL = "SELECT min(due_at) FROM urls WHERE state = 'waiting'"
EARLIEST_HOST = "SELECT min(next_at) FROM hosts WHERE state = 'held'"
ANY_FREE = "SELECT 1 FROM hosts WHERE state = 'free' LIMIT 1"
