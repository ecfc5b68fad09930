"""Harvesting a list of pages, one after the other, without a queue on disk: for single pages, tests and measurements."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from harvest.capturer import Capturer, Equipment, HarvestOptions
from harvest.retry import judge
from harvest.robots import RobotsCache
from harvest.visit import PageCapture

__all__ = ["HarvestOptions", "harvest_urls"]


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
    for attempts in count():
        capture = await capturer.capture(url)
        now = time.time()
        verdict = judge(capture, attempts=attempts, now=now, host_is_well=False)
        if verdict.kind != "again":
            break
        capturer.equipment.politeness.hold(url, (verdict.retry_at or now) - now)
    capturer.keep(capture)
    return capture
