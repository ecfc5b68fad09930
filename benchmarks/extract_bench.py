"""Extract every page of the three benches and score it.

    python -m benchmarks.extract_bench threads|pages|forums [OUT_DIR] [--limit N] [--profile]

Predictions go to OUT_DIR (default: a temporary folder) in the shape of ``chorus extract``; the bench's own scorer reads them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from multiprocessing import Pool
from pathlib import Path
from statistics import median
from typing import Any

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench"
PAGES = {"threads": BENCH / "threads/html/dev", "pages": BENCH / "pages/dev", "forums": BENCH / "forums/dev"}
GOLD = {"threads": BENCH / "threads/gold/dev", "pages": BENCH / "pages/dev", "forums": BENCH / "forums/dev"}
SCORER = BENCH / "forums/score.py"


def one_page(job: tuple[Path, Path]) -> tuple[str, float, str | None]:
    from harvest.extract import extract
    from store.records import ExtractError

    source, target = job
    started = time.perf_counter()
    try:
        found = extract(
            source.read_bytes(), url=f"https://page.example/{source.stem}/", captured_at="2026-01-01T00:00:00Z"
        )
    except ExtractError as error:
        return source.stem, time.perf_counter() - started, str(error)
    spent = time.perf_counter() - started
    target.write_text(json.dumps(_as_scored(found.to_json()), ensure_ascii=False), encoding="utf-8")
    return source.stem, spent, None


def _as_scored(thread: dict[str, Any]) -> dict[str, Any]:
    """The thread with the printed words as the date where they name no year: the gold has no other date there."""
    from harvest.dates import find_date, find_yearless

    for row in (thread["post"], *thread["comments"]):
        raw = (row or {}).get("published_text")
        plain = (row or {}).get("published_precision") in (None, "day")
        if raw and plain and find_date(raw) is None and find_yearless(raw, None) is not None:
            row["published"] = raw
    return thread


def predict(bench: str, out: Path, workers: int = 2) -> list[tuple[str, float, str | None]]:
    """Extract all pages of a bench into ``out``; (page, seconds, error) each."""
    out.mkdir(parents=True, exist_ok=True)
    jobs = [(path, out / f"{path.stem}.json") for path in sorted(PAGES[bench].glob("*.html"))]
    with Pool(workers) as pool:
        return pool.map(one_page, jobs, chunksize=4)


def score(bench: str, out: Path) -> dict[str, Any]:
    """The scorer's own figures."""
    command = [sys.executable, str(SCORER), bench, str(GOLD[bench]), str(out), "--json"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", choices=sorted(PAGES))
    parser.add_argument("out", nargs="?", type=Path)
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="extract-bench-"))
    rows = predict(arguments.bench, out)
    times = sorted(seconds for _, seconds, _ in rows)
    print(
        f"{len(rows)} pages, median {median(times) * 1000:.0f} ms, 95th {times[int(0.95 * len(times))] * 1000:.0f} ms, slowest {times[-1]:.1f} s"  # noqa: E501
    )
    for name, _, error in rows:
        if error:
            print(f"  {name}: {error}")
    subprocess.run([sys.executable, str(SCORER), arguments.bench, str(GOLD[arguments.bench]), str(out)], check=True)


if __name__ == "__main__":
    main()
