"""Who holds a lease: a process, told from later ones of the same number, so that what a dead one held is free at once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Owner:
    """One process: its id, the boot of the machine it runs in, and the moment it was started (in that boot's ticks).

    ``boot`` and ``started`` are empty where the system does not tell (outside Linux).
    """

    pid: int
    boot: str
    started: str

    @classmethod
    def current(cls) -> Owner:
        """This process."""
        return cls(os.getpid(), boot_id(), _started(os.getpid()))

    def alive(self) -> bool:
        """Whether the process still runs. Another boot is the past: SQLite's WAL never spans two machines."""
        if self.boot != boot_id():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # somebody else's process has the number: alive unless it began at another time
        return _started(self.pid) == self.started


@cache
def boot_id() -> str:
    """What tells one run of the machine from another."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """The process's start in clock ticks; empty for one that is gone, or only waits to be reaped."""
    try:
        data = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = data.rpartition(")")[2].split()  # the name in brackets may hold anything
    return "" if fields[0] in ("Z", "X") else fields[19]
