"""The deep check: replay every captured page offline, compare, and keep the verdicts in the archive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.config import resolve
from cli.output import Progress

if TYPE_CHECKING:
    from harvest.capture import PageCapture
    from harvest.proof import Payload, Verdict
    from harvest.replay import Replay
    from store.archive import Archive


def verify_deep(path: Path, *, quiet: bool = False) -> list[dict[str, Any]]:
    """One verdict for each captured page, the newest capture of each URL; written into the archive, too."""
    from harvest.replay import serve
    from store.archive import Archive
    from store.lock import write_lock

    archive = Archive.open(path)
    captures = list(_newest(archive))
    with write_lock(archive, "verify"), serve(archive.warcs()) as replay:
        verdicts = asyncio.run(_judge_all(archive, captures, replay, quiet))
    return [asdict(verdict) for verdict in verdicts]


def _newest(archive: Archive) -> Iterator[PageCapture]:
    from harvest.capture import captures_from_warc

    newest: dict[str, PageCapture] = {}
    for warc in archive.warcs():
        for capture in captures_from_warc(warc):
            if capture.html is not None and capture.response is not None:
                newest[capture.url] = capture
    yield from newest.values()


async def _judge_all(archive: Archive, captures: list[PageCapture], replay: Replay, quiet: bool) -> list[Verdict]:
    from harvest.browser import find_browser, launch
    from harvest.capturer import chorus_version
    from harvest.proof import keep_verdict, offline_guard, payloads
    from harvest.socks import GuardedProxy
    from harvest.warc import WarcWriter

    choice = find_browser(resolve("browser").value)
    writer = WarcWriter(archive.warc_dir, {"software": f"chorus {chorus_version()}", "description": "replay verdicts"})
    verdicts = []
    recorded: dict[str, dict[str, Payload]] = {}
    try:
        async with launch(choice) as browser, GuardedProxy(offline_guard(replay)) as proxy:
            with Progress("pages replayed", len(captures), quiet=quiet) as progress:
                for capture in captures:
                    name = capture.response.warc if capture.response else ""
                    if name not in recorded:
                        recorded = {name: payloads(archive.warc_dir / name)}  # one file's at a time
                    verdict = await _judge(archive.warc_dir, capture, browser, proxy, replay, recorded[name])
                    keep_verdict(writer, verdict)
                    writer.sync()
                    verdicts.append(verdict)
                    progress.step(detail=capture.url)
    finally:
        writer.close()
        archive.mark_ingested()
    return verdicts


async def _judge(
    directory: Path, capture: PageCapture, browser: Any, proxy: Any, replay: Replay, recorded: dict[str, Payload]
) -> Verdict:
    from playwright.async_api import Error

    from harvest.capture import recorded_text
    from harvest.proof import differs, judge, page_resources, show

    try:
        shown = await show(browser, proxy, replay, capture)
    except Error:
        shown = None
    resources, images = page_resources(directory, capture)
    wanted = [recorded[key] for key in resources if key in recorded]
    differing = [p.url for p in wanted if await asyncio.to_thread(differs, replay, p)]
    counts = (_comments(capture, capture.html), _comments(capture, shown.html if shown else None))
    text = recorded_text(directory, capture)
    return judge(capture, shown, text=text, images=images, comments=counts, compared=len(wanted), differing=differing)


def _comments(capture: PageCapture, html: str | None) -> int | None:
    """How many comments the extractor finds; ``None`` where it finds no page."""
    from harvest.extract import extract
    from store.records import ExtractError

    if not html:
        return None
    try:
        url = capture.final_url or capture.url
        document = extract(html, url=url, captured_at=capture.captured_at, visit_id="", evidence=None)
    except ExtractError:
        return None
    return document.thread.captured_count
