"""The floors that extraction must not fall below, on the dev pages of the three benches.

    python -m benchmarks.extract_gate [--write]

Exits 1 when a figure is under its floor or the data is not the data the floors were measured on; skips, saying so, when
``../shared/bench`` is not there. ``--write`` raises floors to the figures measured (less a margin), never lowers one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.extract_bench import BENCH, GOLD, PAGES, predict, score

FLOORS = Path(__file__).with_name("floors.json")
#: Room for another version of a library below the measured figure.
MARGIN = 0.002
#: Figures of which less is better.
CEILINGS = ("false_comments",)


def digest() -> str:
    """SHA-256 over names and bytes of all pages and gold."""
    found = hashlib.sha256()
    for folder in sorted({*PAGES.values(), *GOLD.values()}):
        for path in sorted(folder.iterdir()):
            if path.suffix in (".html", ".json"):
                found.update(
                    f"{folder.relative_to(BENCH)}/{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest()
                )
    return found.hexdigest()


def figures(bench: str, result: dict[str, Any]) -> dict[str, float]:
    """The figures of a bench that have floors."""
    if bench == "pages":
        return {
            **{
                name: result[name]["f1"] if isinstance(result[name], dict) else result[name][2]
                for name in ("content", "comments", "both")
            },
            "false_comments": result["false"],
        }
    total = result["total"]
    names = ("F1", "author", "date", "parent", "exact_count") if bench == "threads" else ("F1", "author", "date")
    return {name: total[name] for name in names}


def measure() -> dict[str, dict[str, float]]:
    """All figures, freshly extracted."""
    found = {}
    for bench in PAGES:
        with tempfile.TemporaryDirectory(prefix="extract-gate-") as folder:
            predict(bench, Path(folder))
            found[bench] = figures(bench, score(bench, Path(folder)))
    return found


def failures(measured: dict[str, dict[str, float]], floors: dict[str, dict[str, float]]) -> list[str]:
    """One line for each figure on the wrong side of its floor."""
    lines = []
    for bench, row in floors.items():
        for name, floor in row.items():
            value = measured[bench][name]
            if (value > floor) if name in CEILINGS else (value < floor):
                lines.append(f"{bench} {name}: {value:.3f}, floor {floor:.3f}")
    return lines


def raised(measured: dict[str, dict[str, float]], floors: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The floors, moved up to what was measured where that is better."""
    new: dict[str, dict[str, float]] = {}
    for bench, row in measured.items():
        old = floors.get(bench, {})
        new[bench] = {}
        for name, value in row.items():
            moved = round(value + MARGIN, 4) if name in CEILINGS else round(value - MARGIN, 4)
            better = min if name in CEILINGS else max
            new[bench][name] = better(moved, old[name]) if name in old else moved
    return new


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if not BENCH.is_dir():
        print(f"skipped: {BENCH} is not there")
        return 0
    stored = json.loads(FLOORS.read_text(encoding="utf-8")) if FLOORS.exists() else {"digest": digest(), "floors": {}}
    if stored["digest"] != digest():
        print("the bench's data is not the data that the floors were measured on")
        return 1
    measured = measure()
    print(json.dumps(measured, indent=1))
    if arguments.write:
        stored["floors"] = raised(measured, stored["floors"])
        FLOORS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    lines = failures(measured, stored["floors"])
    print("\n".join(lines) or "no figure below its floor")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
