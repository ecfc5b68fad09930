"""What was computed kept on disk, so that a text is encoded once: for a second run, another head, another command.

``CachedEncoder`` stands before any ``Encoder`` and looks like one. A vector is kept exactly as the encoder gave it
(float32), under the encoder's fingerprint and the SHA-256 of the text; the text itself is not kept. What cannot be read or
written costs time and nothing else: the encoder then works as if there were no cache, and ``trouble`` says why.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.encoder import Encoder, load_encoder
from nlp.onnx_model import cache_root
from store.records import ConfigError

__all__ = ["CachedEncoder", "EmbeddingStore", "cached_encoder", "store_path", "text_key"]

#: Stands behind every digest that begins with a given one.
AFTER = b"\xff" * 33

#: Part of the file's name: a later format never meets an older file.
FORMAT = 1

#: The file grows to so many bytes: 1.2 million sentences of 384 numbers, or a quarter of a million as the classifier reads
#: them. ``CHORUS_CACHE_MB`` sets another bound.
MAX_BYTES = 2 * 1024**3

#: When it is full the oldest tenth goes, so that making room is rare.
EVICTED_SHARE = 0.1

#: Digests in one ``IN (…)``, far below SQLite's limit; more at once is no faster.
LOOKUP = 500

#: Another process writes for milliseconds; one that takes longer than this has stopped.
BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS spaces (space INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS vectors (
    age INTEGER PRIMARY KEY, digest BLOB NOT NULL, space INTEGER NOT NULL, value BLOB NOT NULL, UNIQUE (digest, space)
);
"""


def store_path() -> Path:
    """The cache's file: in the directory that ``CHORUS_CACHE`` names, else in the user's cache directory."""
    named = os.environ.get("CHORUS_CACHE")
    folder = Path(named).expanduser() if named else cache_root() / "embeddings"
    return folder / f"embeddings-{FORMAT}.sqlite"


def store_bytes() -> int:
    """The bound on the cache's size in bytes. Raises ``ConfigError`` for a ``CHORUS_CACHE_MB`` that is no number."""
    named = os.environ.get("CHORUS_CACHE_MB")
    if not named:
        return MAX_BYTES
    try:
        return max(int(float(named) * 1024**2), 0)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"CHORUS_CACHE_MB={named}: must be a number of megabytes") from error


def cached_encoder(encoder: Encoder | None = None, *, keep: bool = True) -> CachedEncoder:
    """An encoder (default: the configured one) behind the user's cache; ``keep`` false: nothing is read from disk or written."""
    return CachedEncoder(encoder or load_encoder(), EmbeddingStore(store_path(), store_bytes()) if keep else None)


class EmbeddingStore:
    """Values by (space, digest) in one SQLite file that several processes may use; ``space`` names the encoder and what is kept.

    A file that is damaged is made anew. After any other error the store answers nothing more and ``trouble`` names it.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path, self.max_bytes = path, max_bytes
        self.trouble: str | None = None
        self._spaces: dict[str, int] = {}
        self._connection: sqlite3.Connection | None = None
        with self._forgiving():
            try:
                self._connection = _connect(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # not a database, or torn by the disk: it can all be made again
                _remove(path)
                self._connection = _connect(path)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, space: str, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values that are there, by digest."""
        found: dict[bytes, bytes] = {}
        with self._forgiving() as connection:
            if connection is not None:
                number = self._space(connection, space)
                for start in range(0, len(digests), LOOKUP):
                    found.update(_look_up(connection, number, digests[start : start + LOOKUP]))
        return found

    def put(self, space: str, values: Iterable[tuple[bytes, bytes]]) -> None:
        """Add values, all or none of them; those already there stay. Then make room if the file is full."""
        with self._forgiving() as connection:
            if connection is None:
                return
            number = self._space(connection, space)
            with connection:
                connection.executemany(
                    "INSERT OR IGNORE INTO vectors (digest, space, value) VALUES (?, ?, ?)",
                    ((digest, number, value) for digest, value in values),
                )
            while _used(connection) > self.max_bytes and _evict(connection):
                pass

    def forget(self, texts: Iterable[str]) -> int:
        """Erase what is kept of these texts, whichever model made it, and leave no trace; returns how many values went.

        Of what was found of a text in its context, this erases what the text itself was: the context counts as hash only.
        """
        with self._forgiving() as connection:
            if connection is None:
                return 0
            before = connection.total_changes
            connection.execute("PRAGMA secure_delete = ON")
            spans = ((digest, digest + AFTER) for digest in map(text_key, texts))
            with connection:
                connection.executemany("DELETE FROM vectors WHERE digest BETWEEN ? AND ?", spans)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return connection.total_changes - before
        return 0

    def __len__(self) -> int:
        with self._forgiving() as connection:
            return 0 if connection is None else int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
        return 0

    def _space(self, connection: sqlite3.Connection, name: str) -> int:
        if name not in self._spaces:
            with connection:
                connection.execute("INSERT OR IGNORE INTO spaces (name) VALUES (?)", (name,))
            row = connection.execute("SELECT space FROM spaces WHERE name = ?", (name,)).fetchone()
            self._spaces[name] = int(row[0])
        return self._spaces[name]

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[sqlite3.Connection | None]:
        try:
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            self.trouble = f"{self.path}: {error}"
            with contextlib.suppress(sqlite3.Error):
                self.close()
            if not isinstance(error, OSError | sqlite3.OperationalError):  # damaged: the next run begins a new file
                with contextlib.suppress(OSError):
                    _remove(self.path)


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # a thread of the process may encode while another goes on; they do not use it at once
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        _into_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last vectors, never the file
        connection.executescript(_SCHEMA)
        path.chmod(0o600)  # a vector tells something of its text
    except BaseException:
        connection.close()
        raise
    return connection


def _into_wal(connection: sqlite3.Connection) -> None:
    """Two that change the mode of a new file at once do not wait for each other as they do elsewhere: one is refused."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def _look_up(connection: sqlite3.Connection, space: int, digests: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    marks = ",".join("?" * len(digests))
    query = f"SELECT digest, value FROM vectors WHERE digest IN ({marks}) AND space = ?"  # noqa: S608  # question marks only
    return iter(connection.execute(query, (*digests, space)))


def _used(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _evict(connection: sqlite3.Connection) -> bool:
    """Remove the oldest; returns whether there was anything to remove."""
    count = int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
    with connection:
        done = connection.execute(
            "DELETE FROM vectors WHERE age IN (SELECT age FROM vectors ORDER BY age LIMIT ?)",
            (max(int(count * EVICTED_SHARE), 1),),
        )
    return done.rowcount > 0


def text_key(text: str) -> bytes:
    """What a text is kept under. A longer digest that begins with this one is of the text in some context."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class CachedEncoder:
    """An ``Encoder`` that asks the one behind it only for what it does not have.

    ``encoded`` counts the texts that were really encoded, ``found`` those that came from the store. What is not part of
    ``Encoder`` goes to the one behind.
    """

    def __init__(self, encoder: Encoder, store: EmbeddingStore | None = None) -> None:
        self._encoder, self._store = encoder, store
        self._held: dict[str, NDArray[np.float32]] = {}
        self.encoded = 0
        self.found = 0

    def __enter__(self) -> CachedEncoder:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._store is not None:
            self._store.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    @property
    def fingerprint(self) -> str:
        """That of the encoder behind."""
        return self._encoder.fingerprint

    @property
    def dimensions(self) -> int:
        """That of the encoder behind."""
        return self._encoder.dimensions

    @property
    def store(self) -> EmbeddingStore | None:
        """What it keeps things in, or ``None``."""
        return self._store

    @property
    def trouble(self) -> str | None:
        """Why the store was given up, or ``None``."""
        return self._store.trouble if self._store is not None else None

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector for each text, in the same order: shape (texts, dimensions)."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._held]
        fresh = dict(zip(missing, self._vectors(missing), strict=True))
        out = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(out, texts, strict=True):
            row[:] = fresh[text] if text in fresh else self._held[text]
        return out

    def hold(self, texts: Iterable[str]) -> None:
        """Encode these together and keep them at hand until the next call.

        Many texts at once are sorted by length and padded less; ``encode`` then answers small questions from memory.
        """
        unique = list(dict.fromkeys(texts))
        self._held = dict(zip(unique, self._vectors(unique), strict=True))

    def _vectors(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of different texts: from the store, and the rest from the encoder in one call."""
        if self._store is None:
            self.encoded += len(texts)
            return self._encoder.encode(texts)
        out = np.zeros((len(texts), self.dimensions), np.float32)
        digests = [text_key(text) for text in texts]
        missing = self._fill(out, digests, self._store)
        if missing:
            out[missing] = self._encoder.encode([texts[n] for n in missing])
            self._store.put(self._space, [(digests[n], out[n].tobytes()) for n in missing])
        self.encoded += len(missing)
        self.found += len(texts) - len(missing)
        return out

    @property
    def _space(self) -> str:
        return f"{self.fingerprint}/mean/float32"

    def _fill(self, out: NDArray[np.float32], digests: list[bytes], store: EmbeddingStore) -> list[int]:
        """Put what the store has into ``out``; returns the rows that it has not."""
        known = store.get(self._space, digests)
        missing = []
        for n, digest in enumerate(digests):
            value = known.get(digest, b"")
            if len(value) == out[n].nbytes:
                out[n] = np.frombuffer(value, np.float32)
            else:
                missing.append(n)
        return missing
