"""A long batch through ``chorus classify --input``: rate, memory along the way, and the second run from the cache.

    python -m benchmarks.classify_long [--sentences 20000] [--goal 1000000]

The sentences are all different: halves of corpus sentences joined anew. The rate of the first run's second half is
extrapolated to ``--goal``; memory is the process' peak at each tenth, so that growth shows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=20_000)
    parser.add_argument("--goal", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sentences(folder / "items.jsonl", given.sentences)
        first = _run(folder, "first.jsonl", given.sentences)
        second = _run(folder, "second.jsonl", given.sentences)
        same = (folder / "first.jsonl").read_bytes() == (folder / "second.jsonl").read_bytes()
        cache = sum(file.stat().st_size for file in (folder / "cache").iterdir())
    (half, done), seconds = first["half"], first["seconds"]
    print(f"{given.sentences:,} different sentences: {seconds:.1f} s, {given.sentences / seconds:.0f} a second")
    if done < given.sentences:
        rate = (given.sentences - done) / (seconds - half)
        print(f"at the second half's rate {given.goal:,} take {given.goal / rate / 60:.0f} minutes")
    else:
        print("too few sentences to extrapolate from: all were written at once")
    print("peak MB along the way: " + " ".join(f"{mb:.0f}" for mb in first["memory"]))
    print(
        f"from the cache: {second['seconds']:.1f} s, {seconds / second['seconds']:.1f} times as fast; the same bytes: {same}"
    )
    print(f"the cache takes {cache / given.sentences / 1024:.1f} KB a sentence")
    return 0


def write_sentences(path: Path, count: int) -> None:
    """So many different sentences, as ``chorus classify --input`` takes them."""
    from nlp.corpus import load_corpus

    words = [s.text.split() for s in load_corpus()]
    rng, seen = random.Random(0), set()  # not for secrets
    with path.open("w", encoding="utf-8") as file:
        while len(seen) < count:
            one, other = rng.choice(words), rng.choice(words)
            text = " ".join(one[: len(one) // 2 + 1] + other[len(other) // 2 :])
            if text not in seen:
                file.write(json.dumps({"id": str(len(seen)), "text": text, "context": None, "role": "comment"}) + "\n")
                seen.add(text)


def classify_command(folder: Path, out: str) -> list[str]:
    """Classifies ``items.jsonl`` of a folder into ``out`` beside it."""
    files = ("--input", str(folder / "items.jsonl"), "--out", str(folder / out))
    return [sys.executable, "-m", "cli", "classify", *files]


def _run(folder: Path, out: str, count: int) -> dict[str, Any]:
    """Seconds, when about half the rows were there (seconds, rows), and the peak at each tenth of the run."""
    environment = {**os.environ, "CHORUS_CACHE": str(folder / "cache")}
    start = time.monotonic()
    process = subprocess.Popen([*classify_command(folder, out), "--quiet"], env=environment, stdout=subprocess.DEVNULL)
    marks: list[tuple[float, int, float]] = []
    while process.poll() is None:
        time.sleep(0.25)
        rows = lines_in(folder / out)
        peak = _peak(process.pid)
        if peak and rows >= count * (len(marks) + 1) / 10 and len(marks) < 10:
            marks.append((time.monotonic() - start, rows, peak))
    if process.returncode:
        raise SystemExit(f"chorus classify ended with {process.returncode}")
    seconds = time.monotonic() - start
    half = next(((at, rows) for at, rows, _ in marks if rows >= count / 2), (0.0, 0))
    return {"seconds": seconds, "half": half, "memory": [peak for _, _, peak in marks]}


def lines_in(path: Path) -> int:
    """How many lines are written; 0 without a file."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _peak(process: int) -> float | None:
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None


if __name__ == "__main__":
    raise SystemExit(main())
