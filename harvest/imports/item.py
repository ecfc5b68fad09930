"""What an import yields: a page or a thread, with where in the file it stood; or a problem in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: How a thread that was read from an export is kept in the archive: as the contract's JSON.
THREAD_TYPE = "application/vnd.chorus.thread+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing found in a file. Exactly one of ``html``, ``thread`` and ``problem`` is set.

    ``where`` names the file and the place in it. ``captured_at`` is when a web archive had the page; a saved file does not
    say. ``record`` is the raw record of a foreign web archive that the page came with (warcio's record object).
    """

    where: str
    url: str | None = None
    html: str | None = None
    thread: dict[str, Any] | None = None
    problem: str | None = None
    captured_at: str | None = None
    status: int | None = None
    final_url: str | None = None
    origin: bytes | None = None


class Unreadable(Exception):
    """A file or a part of it cannot be read; the message says why."""
