"""A batch killed without warning, time and again: ``python -m benchmarks.crash_classify [--sentences 40000] [--kills 20]``.

``chorus classify --input … --out …`` is killed with SIGKILL after a random time, started again, killed again, and at last left to
finish; without a cache, so that each start has to go on from what the file holds. The file must be, byte for byte, the one that
an undisturbed run writes. Exit 1 if it is not.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.classify_long import classify_command, lines_in, write_sentences


def main() -> int:
    """Print how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=40_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sentences(folder / "items.jsonl", given.sentences)
        start = time.perf_counter()
        _classify(folder, "whole.jsonl").wait()
        whole = time.perf_counter() - start
        kills, rows = 0, []
        while kills < given.kills:
            run = _classify(folder, "killed.jsonl")
            time.sleep(chance.uniform(2.0, 10.0))
            if run.poll() is not None:
                break  # done before it could be killed
            run.send_signal(signal.SIGKILL)
            run.wait()
            kills += 1
            rows.append(lines_in(folder / "killed.jsonl"))
        _classify(folder, "killed.jsonl").wait()
        same = (folder / "whole.jsonl").read_bytes() == (folder / "killed.jsonl").read_bytes()
    print(
        f"{given.sentences:,} sentences, {whole:.1f} s undisturbed; killed {kills} times, with so many rows there: {rows}"
    )
    print(f"the same bytes: {same}")
    return 0 if same and kills == given.kills else 1


def _classify(folder: Path, out: str) -> subprocess.Popen[bytes]:
    command = [*classify_command(folder, out), "--classifier", "fast", "--no-cache", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(command, env=environment)


if __name__ == "__main__":
    raise SystemExit(main())
