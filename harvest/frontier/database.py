"""The frontier's file: opening it, one transaction at a time, and a clock that was set back."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from harvest.frontier import sql
from store.records import ArchiveError, ArchiveLocked

#: Seconds by which two callers' "now" may differ before the clock counts as set back.
CLOCK_TOLERANCE = 1.0

#: Seconds to wait for another process's transaction.
_BUSY_SECONDS = 30.0


class Database:
    """A connection that any thread may use, one after the other. Raises ``ArchiveError`` for whatever SQLite objects to."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self.read_only = path, read_only
        self._mutex = threading.RLock()
        try:
            self._connection = _connect(path, read_only)
        except sqlite3.Error as error:
            raise _failure(path, error) from error

    @contextmanager
    def transaction(self, now: float | None = None) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on disk at the end. With ``now`` the clock is looked at first."""
        with self._mutex, self._translated(), _Transaction(self._connection):
            if now is not None:
                _watch_clock(self._connection, now)
            yield self._connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read without locking others out."""
        with self._mutex, self._translated():
            yield self._connection

    def close(self) -> None:
        """Close the connection; the last one folds the write-ahead log into the file."""
        with self._mutex, self._translated():
            self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _failure(self.path, error) from error


class _Transaction:
    """``BEGIN IMMEDIATE`` to ``COMMIT``; the write lock is taken at once, so that what is read is still so when written."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.connection.execute("COMMIT")
        elif self.connection.in_transaction:  # a full disk has rolled back already
            self.connection.execute("ROLLBACK")


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(
        address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.row_factory = sqlite3.Row
        _prepare(connection, path, read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, read_only: bool) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > sql.SCHEMA_VERSION:
        raise ArchiveError(f"{path}: written by a later version of chorus", hint="update chorus")
    if read_only:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a page costs seconds; an fsync does not show
    connection.execute("PRAGMA secure_delete = ON")  # what was forgotten must not be found in free pages
    connection.execute("PRAGMA foreign_keys = ON")
    if version < sql.SCHEMA_VERSION:
        connection.executescript(f"BEGIN IMMEDIATE; {sql.SCHEMA} PRAGMA user_version = {sql.SCHEMA_VERSION}; COMMIT;")


def _watch_clock(connection: sqlite3.Connection, now: float) -> None:
    seen = connection.execute("SELECT seen FROM clock").fetchone()[0]
    if now < seen - CLOCK_TOLERANCE:
        connection.execute(sql.REBASE_URLS, {"now": now})
        connection.execute(sql.REBASE_HOSTS, {"now": now})
    if abs(now - seen) > CLOCK_TOLERANCE:  # not each time: a claim that finds nothing shall write nothing
        connection.execute("UPDATE clock SET seen = ?", (now,))


def _failure(path: Path, error: sqlite3.Error) -> ArchiveError:
    code = getattr(error, "sqlite_errorcode", None)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ArchiveLocked(f"{path}: another process keeps it busy", hint="wait until it is done, or stop it")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return ArchiveError(
            f"{path}: damaged ({error})", hint="move it away: what was visited is known from the archive's tables"
        )
    hint = "make room on the disk; the same command goes on" if code == sqlite3.SQLITE_FULL else None
    return ArchiveError(f"{path}: {error}", hint=hint)
