"""One writer at a time: an advisory lock that the system releases when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from store.archive import Archive
from store.errors import ArchiveLocked
from store.redactions import READY_FILE, finish_rewrite

LOCK_FILE = ".lock"


@contextmanager
def write_lock(archive: Archive, command: str) -> Iterator[None]:
    """Hold the archive's lock; raises ``ArchiveLocked``, naming the holder, if another process has it.

    What its last holder was stopped in, files half replaced by others, is done to the end first.
    """
    descriptor = os.open(archive.root / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveLocked(
                f"{archive.root}: {_holder(descriptor)} is writing to it", hint="wait until it is done, or stop it"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(
            descriptor, json.dumps({"command": command, "pid": os.getpid(), "host": socket.gethostname()}).encode(), 0
        )
        if is_unfinished(archive):
            archive.remove_old_tables()
            finish_rewrite(archive)
        yield
    finally:
        os.close(descriptor)  # the file stays: removing it would let two processes lock two files of one name


def is_unfinished(archive: Archive) -> bool:
    """Whether a writer was stopped, or is just now, while it replaced files by others."""
    return archive.old_tables.exists() or (archive.root / READY_FILE).exists()


def _holder(descriptor: int) -> str:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
        return f"`chorus {found['command']}` (process {found['pid']} on {found['host']})"
    except (ValueError, KeyError, TypeError):
        return "another process"
