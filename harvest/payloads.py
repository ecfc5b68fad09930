"""Which payloads the archive's WARC files hold already, so that a body that has not changed is not kept again.

A body that comes again becomes a revisit record. Within one file that needs nothing else; across files the record names the
file that it leans on (``WARC-Refers-To-Filename``), and the file that leans ends with a metadata record that lists all such
files, so that one who takes it alone knows what belongs to it. The index is one SQLite file, an aid and no truth: without
it bodies are merely kept again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: Name below the archive directory.
INDEX_FILE = "payloads.db"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS payloads (
    digest TEXT PRIMARY KEY, url TEXT NOT NULL, date TEXT NOT NULL, record TEXT NOT NULL, file INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS payloads_file ON payloads (file);
"""


@dataclass(frozen=True, slots=True)
class Payload:
    """Where a payload was kept first: its URL, date, record id and WARC file."""

    url: str
    date: str
    record_id: str
    warc: str


class PayloadIndex:
    """The payloads of the files in ``warc_dir``; what lies in files that are gone is forgotten on opening.

    ``add`` holds back what is new until ``keep``, which is to be called when the WARC file is safely on the disk: a revisit
    must never refer to a record that a crash can take away.
    """

    def __init__(self, path: Path, warc_dir: Path) -> None:
        self._fresh: dict[str, Payload] = {}
        self._db: sqlite3.Connection | None = None
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_SCHEMA)
            self._forget_missing(self._db, warc_dir)
        except sqlite3.DatabaseError:  # damaged: an aid only, so do without
            self._db = None

    @staticmethod
    def _forget_missing(db: sqlite3.Connection, warc_dir: Path) -> None:
        for number, name in db.execute("SELECT id, name FROM files").fetchall():
            if not (warc_dir / name).is_file():
                db.execute("DELETE FROM payloads WHERE file = ?", (number,))
                db.execute("DELETE FROM files WHERE id = ?", (number,))

    def find(self, digest: str) -> Payload | None:
        """Where a payload lies, if it is in a file that is on the disk."""
        if self._db is None:
            return None
        query = "SELECT url, date, record, name FROM payloads JOIN files ON files.id = file WHERE digest = ?"
        row = self._db.execute(query, (digest,)).fetchone()
        return Payload(*row) if row else None

    def add(self, digest: str, payload: Payload) -> None:
        """Note a payload that was just written."""
        self._fresh[digest] = payload

    def keep(self, warc: str) -> None:
        """What was added for this file is on the disk now."""
        ours = {digest: payload for digest, payload in self._fresh.items() if payload.warc == warc}
        for digest in ours:
            del self._fresh[digest]
        if not ours or self._db is None:
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT OR IGNORE INTO files (name) VALUES (?)", (warc,))
        (number,) = self._db.execute("SELECT id FROM files WHERE name = ?", (warc,)).fetchone()
        rows = [(digest, p.url, p.date, p.record_id, number) for digest, p in ours.items()]
        self._db.executemany("INSERT OR IGNORE INTO payloads VALUES (?, ?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def forget(self, digests: Iterable[str]) -> None:
        """Payloads that are no longer what they were: nothing may refer to them any more."""
        if self._db is not None:
            self._db.executemany("DELETE FROM payloads WHERE digest = ?", ((digest,) for digest in digests))

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None
