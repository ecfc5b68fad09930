"""Peak memory of a harvest of one page with a large body, beside the browser's own: python -m benchmarks.record_memory [MiB]

Serves the body on loopback, harvests the page that fetches it, and samples this process (with the driver that Playwright
runs) and the browser apart.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
import time
from pathlib import Path

from harvest.session import HarvestOptions, harvest_urls
from tests.site import HardCases


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *children(int(child))]
    return found


def rss(pid: int) -> tuple[int, str]:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        pss = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
        return pss // 1024, Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, StopIteration):
        return 0, ""


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    peaks = {"ours": 0, "browser": 0}
    over = threading.Event()

    def sample() -> None:
        import os

        while not over.is_set():
            sums = {"ours": rss(os.getpid())[0], "browser": 0}
            for pid in children(os.getpid()):
                amount, name = rss(pid)
                sums["browser" if "chrom" in name else "ours"] += amount
            for name, value in sums.items():
                peaks[name] = max(peaks[name], value)
            time.sleep(0.05)

    rows = []
    with HardCases() as site, tempfile.TemporaryDirectory() as folder:
        for path in ("/inner", f"/with-large?{size}"):
            peaks.update(ours=0, browser=0)
            over.clear()
            watch = threading.Thread(target=sample, daemon=True)
            watch.start()
            start = time.perf_counter()
            options = HarvestOptions(allow_private=True, delay=0, timeout_s=60)
            found: list[object] = []
            asyncio.run(harvest_urls([site.url + path], warc_dir=Path(folder), options=options, on_page=found.append))
            took = time.perf_counter() - start
            over.set()
            watch.join()
            rows.append((path, dict(peaks)))
            print(f"{path}: {took:.1f} s, ours {peaks['ours']} MiB, browser {peaks['browser']} MiB (peak PSS)")
    extra = rows[1][1]["ours"] - rows[0][1]["ours"]
    print(f"a body of {size} MiB costs {extra} MiB outside of the browser")


if __name__ == "__main__":
    main()
