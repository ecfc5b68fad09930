"""The classifiers on real pages may get better, never worse: ``python -m benchmarks.classify_gate [--raise-floor]``.

Classifies the bench's development sentences with the shipped classifier and with the fast one, scores them with the
bench's own scorer, and compares with ``benchmarks/classify_floor.json``. Without the bench it says so and passes.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from math import log
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).parent.parent
BENCH = ROOT.parent / "shared" / "bench" / "classification"
FLOOR = Path(__file__).with_name("classify_floor.json")

#: Figures that may only rise, and those that may only fall. The floor leaves this much room for other machines' rounding.
UP, DOWN, SLACK = ("macro_f1", "alpha"), ("meta_as_promotion", "log_loss", "ece"), 0.005

#: What chance moves by more. Only 40 of the sentences are meta-talk, so that figure moves in steps of .025: one step is no change
#: that can be told. A classifier whose probabilities are true has here an error of calibration of .031 on average, and in one
#: of twenty draws of .049 (2,000 draws from the classifiers' own probabilities): probabilities are held by the log loss.
COARSE = {"meta_as_promotion": 0.026, "ece": 0.02}


#: A probability that was written as 0 counts as this.
LEAST_CHANCE = 1e-6

#: By their names in the floor, what ``Classifier.load`` is given.
CLASSIFIERS: dict[str, Path | None] = {"shipped": None, "fast": Path("fast")}


def score(gold: Path = BENCH / "gold_dev.jsonl", classifier: Path | None = None) -> dict[str, Any]:
    """What ``score.py`` says of a classifier on ``gold``, and the mean negative log probability of the truth."""
    from nlp.classify import Classifier, Item

    rows = [json.loads(line) for line in gold.read_text(encoding="utf-8").splitlines()]
    items = [Item(row["id"], row["text"], row["context"] or None, row["role"]) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        predictions = Path(folder) / "predictions.jsonl"
        results = [result.to_json() for result in Classifier.load(classifier).classify(items)]
        predictions.write_text("".join(json.dumps(result) + "\n" for result in results), encoding="utf-8")
        command = [sys.executable, str(BENCH / "score.py"), str(gold), str(predictions), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    true = [result["probabilities"][row["label"]] for row, result in zip(rows, results, strict=True)]
    return figures | {"log_loss": mean(-log(max(chance, LEAST_CHANCE)) for chance in true)}


def shortfalls(result: dict[str, Any], floor: dict[str, Any]) -> list[str]:
    """Which figures are worse than the floor."""
    low = [f"{name} {result[name]:.3f} < {floor[name]:.3f}" for name in UP if result[name] < floor[name] - SLACK]
    high = [
        f"{name} {result[name]:.3f} > {floor[name]:.3f}"
        for name in DOWN
        if result[name] > floor[name] + COARSE.get(name, SLACK)
    ]
    return low + high


def main() -> int:
    gold = BENCH / "gold_dev.jsonl"
    if not gold.is_file():
        print(f"classify gate: skipped, no bench at {BENCH}")
        return 0
    digest = hashlib.sha256(gold.read_bytes()).hexdigest()
    results = {name: score(gold, place) for name, place in CLASSIFIERS.items()}
    for name, result in results.items():
        _show(name, result)
    floor = json.loads(FLOOR.read_text(encoding="utf-8"))
    if "--raise-floor" in sys.argv:
        known = floor if floor["gold_sha256"] == digest else {}
        raised = {name: _raised(result, known.get(name, {})) for name, result in results.items()}
        FLOOR.write_text(json.dumps({"gold_sha256": digest, **raised}, indent=1) + "\n", encoding="utf-8")
        return 0
    if floor["gold_sha256"] != digest:
        print("classify gate: the gold file is not the one that the floor was measured on")
        return 1
    failed = [f"{name}: {line}" for name, result in results.items() for line in shortfalls(result, floor[name])]
    print("\n".join(f"classify gate: {line}" for line in failed) or "classify gate: passed")
    return 1 if failed else 0


def _show(classifier: str, result: dict[str, Any]) -> None:
    print(f"{classifier} classifier")
    for name in (*UP, *DOWN, "accuracy", "random_accuracy"):
        print(f"  {name:18} {result[name]:.4f}")
    for label, row in result["classes"].items():
        print(f"  {label:18} P {row['precision']:.3f} R {row['recall']:.3f} F1 {row['f1']:.3f} n {row['support']}")


def _raised(result: dict[str, Any], floor: dict[str, float]) -> dict[str, float]:
    """A floor only rises."""
    now = {name: round(result[name], 4) for name in (*UP, *DOWN)}
    up = {name: max(now[name], floor.get(name, now[name])) for name in UP}
    return up | {name: min(now[name], floor.get(name, now[name])) for name in DOWN}


if __name__ == "__main__":
    raise SystemExit(main())
