"""A generated site of many hosts harvested at length, judged from the servers' own logs; beside a bare Playwright loop.

    python -m benchmarks.harvest_site --hosts 20 --posts 100 --workers 4 [--kills 100]

Hosts have robots.txt with Crawl-delay, answer 429 and 503 now and then, break with 500, hang. Reported: posts had, posts
asked for more than once, the shortest pause per host against what it allows, pages a second beside a loop that only loads
the same pages, memory of the chorus process over the run. With --kills the harvest is killed that often at random moments
(kill -9) and started again; what was committed must be there once, and the next run must go on within seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.blogs import Blog, make_blog

FAST = ("--allow-private", "--delay", "0", "--no-behaviours", "--no-screenshots", "--timeout", "8")


@contextlib.contextmanager
def served(hosts: int, posts: int, *, weather: bool) -> Iterator[list[Blog]]:
    """The blogs, each with troubles of its own."""
    chance = random.Random(5)
    with contextlib.ExitStack() as stack:
        blogs = [stack.enter_context(make_blog(f"host{n}", posts, comments=3)) for n in range(hosts)]
        for number, blog in enumerate(blogs if weather else ()):
            if number % 4 == 1:
                blog.robots = "User-agent: *\nCrawl-delay: 0.5\n"
            for post in blog.posts:
                trouble = chance.choice([None] * 16 + [[429], [503], [500], [0]])
                if trouble:
                    blog.troubles[post.path] = list(trouble)
            blog.hang_seconds = 12.0
        yield blogs


def command(archive: Path, seeds: Path, workers: int) -> list[str]:
    """The harvest's command line."""
    return [sys.executable, "-m", "cli", "harvest", "--from", str(seeds), "--site", "-a", str(archive), *FAST,
            "--workers", str(workers)]  # fmt: skip


def resident(pid: int) -> int:
    """Kilobytes of memory of one process."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


def follow(process: subprocess.Popen[bytes], every: float = 2.0) -> list[int]:
    """Memory over time, until the process ends."""
    sizes = []
    while process.poll() is None:
        sizes.append(resident(process.pid))
        time.sleep(every)
    return [size for size in sizes if size]


def judge(blogs: list[Blog]) -> dict[str, object]:
    """What the servers saw."""
    wanted = {blog.url.rstrip("/") + post.path for blog in blogs for post in blog.posts}
    had = Counter(blog.url.rstrip("/") + one.path for blog in blogs for one in blog.asked_posts())
    pauses = [min(b - a for a, b in itertools.pairwise(blog.page_times())) for blog in blogs if "0.5" in blog.robots]
    return {
        "posts": len(wanted),
        "had": len(wanted & set(had)),
        "asked for more than once": sum(count > 1 for count in had.values()),
        "shortest pause where 0.5 s is asked for": round(min(pauses), 3) if pauses else None,
    }


def in_archive(archive: Path) -> Counter[str]:
    """Captured threads by address."""
    import lancedb

    rows = lancedb.connect(archive / "tables").open_table("visits").search().select(["url", "outcome"]).to_list()
    return Counter(row["url"] for row in rows if row["outcome"] == "captured")


async def bare_loop(urls: list[str]) -> float:
    """Seconds a page of a loop that loads each page in a context of its own and takes its HTML."""
    from playwright.async_api import async_playwright

    from harvest.browser import FLAGS, find_browser

    async with async_playwright() as driver:
        sandbox = os.geteuid() != 0
        browser = await driver.chromium.launch(
            executable_path=find_browser().path, args=list(FLAGS), chromium_sandbox=sandbox
        )
        start = time.monotonic()
        for url in urls:
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(url, wait_until="load")
            await page.content()
            await context.close()
        seconds = (time.monotonic() - start) / len(urls)
        await browser.close()
    return seconds


def calm(hosts: int, posts: int, workers: int, folder: Path) -> dict[str, object]:
    """Speed without troubles, beside the bare loop over some of the pages."""
    with served(hosts, posts, weather=False) as blogs:
        seeds = folder / "calm.txt"
        seeds.write_text("\n".join(blog.url for blog in blogs))
        sample = [url for blog in blogs for url in blog.post_urls][:: max(1, hosts * posts // 40)]
        bare = asyncio.run(bare_loop(sample))
        start = time.monotonic()
        process = subprocess.Popen(command(folder / "calm", seeds, workers), stdout=subprocess.DEVNULL)
        sizes = follow(process)
        seconds = time.monotonic() - start
        bare = (bare + asyncio.run(bare_loop(sample))) / 2
    pages = hosts * posts
    return {
        "pages": pages,
        "seconds": round(seconds, 1),
        "seconds a page, discovery, tables and embedding included": round(seconds / pages, 3),
        "bare loop, seconds a page": round(bare, 3),
        "ratio": round(seconds / pages / bare, 2),
        "MB at a quarter, half, end": [round(sizes[int(len(sizes) * part)] / 1000) for part in (0.25, 0.5, 0.99)],
    }


def stormy(hosts: int, posts: int, workers: int, folder: Path) -> dict[str, object]:
    """Every trouble; runs until nothing is left that a later run is not told to wait for."""
    with served(hosts, posts, weather=True) as blogs:
        seeds = folder / "stormy.txt"
        seeds.write_text("\n".join(blog.url for blog in blogs))
        codes = []
        for _ in range(3):
            codes.append(
                subprocess.run(command(folder / "stormy", seeds, workers), stdout=subprocess.DEVNULL).returncode
            )
            if codes[-1] == 0:
                break
        return {**judge(blogs), "in the archive": len(in_archive(folder / "stormy")), "exit codes": codes}


def killed(hosts: int, posts: int, workers: int, kills: int, folder: Path) -> dict[str, object]:
    """``kill -9`` at random moments until the number is reached, then a run to the end."""
    chance = random.Random(9)
    archive = folder / "killed"
    with served(hosts, posts, weather=False) as blogs:
        seeds = folder / "killed.txt"
        seeds.write_text("\n".join(blog.url for blog in blogs))
        done, waits, lost = 0, [], 0
        committed: set[str] = set()
        while done < kills:
            before = sum(len(blog.asked_posts()) for blog in blogs)
            start = time.monotonic()
            process = subprocess.Popen(
                command(archive, seeds, workers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            moment = chance.uniform(4, 14)
            first = None
            while time.monotonic() - start < moment and process.poll() is None:
                if first is None and sum(len(blog.asked_posts()) for blog in blogs) > before:
                    first = time.monotonic() - start
                    waits.append(first)
                time.sleep(0.05)
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            subprocess.run(["pkill", "-9", "-P", str(process.pid)], check=False)
            done += 1
            if (archive / "tables" / "visits.lance").exists():
                now = in_archive(archive)
                lost += len(committed - set(now))
                committed |= set(now)
        code = subprocess.run(command(archive, seeds, workers), stdout=subprocess.DEVNULL).returncode
        final = in_archive(archive)
        verify = subprocess.run(
            [sys.executable, "-m", "cli", "verify", "-a", str(archive), "--quiet"], stdout=subprocess.DEVNULL
        )
        waits.sort()
        return {
            **judge(blogs),
            "kills": done,
            "last exit code": code,
            "verify": verify.returncode,
            "committed and lost": lost,
            "captured more than once": sum(count > 1 for count in final.values()),
            "in the archive": len(final),
            "start to first post, median and slowest (s)": [round(waits[len(waits) // 2], 1), round(waits[-1], 1)]
            if waits
            else None,
        }


def main() -> None:
    """Run and print one JSON object a part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--posts", type=int, default=100, help="of each host")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--parts", default="calm,stormy,killed")
    options = parser.parse_args()
    size = (options.hosts, options.posts, options.workers)
    with tempfile.TemporaryDirectory() as name:
        parts = options.parts.split(",")
        if "calm" in parts:
            print(json.dumps({"calm": calm(*size, Path(name))}), flush=True)
        if "stormy" in parts:
            print(json.dumps({"stormy": stormy(*size, Path(name))}), flush=True)
        if "killed" in parts and options.kills:
            print(json.dumps({"killed": killed(*size, options.kills, Path(name))}), flush=True)


if __name__ == "__main__":
    main()
