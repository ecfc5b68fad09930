"""Harvesting a list of pages, one after the other, without a queue on disk: for single pages, tests and measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harvest.capturer import MAX_DELAY, Capturer, Equipment, HarvestOptions
from harvest.robots import RobotsCache
from harvest.visit import PageCapture

__all__ = ["HarvestOptions", "busy_wait", "harvest_urls"]

#: A site that answers 429 or 503 is asked so many times in all, if it does not name a wait beyond ``MAX_DELAY``.
MAX_TRIES = 3

#: Seconds before the second try where the site names none; doubled for each further one.
FIRST_BACKOFF = 2.0


def busy_wait(capture: PageCapture, attempt: int) -> float | None:
    """Seconds after which a busy site may be asked again; ``None`` if it was not busy, or too often, or for too long."""
    if capture.status not in (429, 503) or capture.obstacle == "challenge" or attempt >= MAX_TRIES:
        return None
    wait = capture.retry_after if capture.retry_after is not None else FIRST_BACKOFF * 2 ** (attempt - 1)
    return wait if wait <= MAX_DELAY else None


async def harvest_urls(
    urls: Sequence[str], *, warc_dir: Path, options: HarvestOptions, on_page: Callable[[PageCapture], None]
) -> None:
    """Capture ``urls`` in order into WARC files below ``warc_dir``.

    ``on_page`` is called with each capture once its records are synced to disk; one page's failure is a capture with
    ``error`` and does not stop the others. Raises ``BrowserUnavailable`` when no browser starts. Cancelling leaves whole
    records only.
    """
    equipment = Equipment.of(options, warc_dir)
    writer = equipment.writer()
    robots = RobotsCache(equipment.fetcher(writer))
    remaining = list(urls)
    try:
        while remaining:
            async with Capturer.open(equipment, writer, robots) as capturer:
                while remaining and capturer.connected:
                    on_page(await _patiently(capturer, remaining.pop(0)))
    finally:
        writer.close()


async def _patiently(capturer: Capturer, url: str) -> PageCapture:
    """A site that says it is busy is asked again, as late as it wishes, but not for ever."""
    for attempt in range(1, MAX_TRIES + 1):
        capture = await capturer.capture(url)
        wait = busy_wait(capture, attempt)
        if wait is None:
            break
        capturer.equipment.politeness.hold(url, wait)
    capturer.keep(capture)
    return capture
