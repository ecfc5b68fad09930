"""Seconds a page: chorus beside bare Playwright on the same pages, interleaved, each with a browser of its own.

    python -m benchmarks.record_overhead [--pages 20] [--rounds 5]

Bare Playwright opens a context and a page, loads it and reads its HTML. Chorus does the same and records. The first
comparison is recording alone; the second has everything on (behaviours, pictures, asking the site's API and feeds for the
rest of the thread, reading the thread), and bare Playwright takes the same two pictures.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from cli.sample_blog.server import SampleBlog
from harvest.browser import FLAGS, find_browser
from harvest.session import HarvestOptions, harvest_urls


async def bare(urls: list[str], pictures: bool) -> float:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_browser().path, args=list(FLAGS), chromium_sandbox=False
        )
        start = time.perf_counter()
        for url in urls:
            context = await browser.new_context(viewport={"width": 1280, "height": 960})
            page = await context.new_page()
            await page.goto(url, wait_until="load")
            await page.content()
            if pictures:
                await page.screenshot(animations="disabled")
                await page.screenshot(full_page=True, animations="disabled")
            await context.close()
        took = time.perf_counter() - start
        await browser.close()
    return took / len(urls)


def chorus(urls: list[str], full: bool) -> float:
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        options = HarvestOptions(
            allow_private=True, delay=0, ignore_robots=True, screenshot=full, behaviours=full, complete=full
        )
        times.append(time.perf_counter())
        asyncio.run(
            harvest_urls(
                urls, warc_dir=Path(folder), options=options, on_page=lambda _: times.append(time.perf_counter())
            )
        )
    return (times[-1] - times[1]) / (len(urls) - 1)  # without the browser's start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with SampleBlog() as blog:
        urls = (blog.post_urls * given.pages)[: given.pages]
        for name, full in (("load and record", False), ("with behaviours and two pictures", True)):
            ours, theirs = [], []
            for _ in range(given.rounds):
                theirs.append(asyncio.run(bare(urls, full)))
                ours.append(chorus(urls, full))
            ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
            print(
                f"{name}: Playwright {statistics.median(theirs):.3f} s a page, chorus {statistics.median(ours):.3f} s; "
                f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            )


if __name__ == "__main__":
    main()
