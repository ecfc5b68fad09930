"""Ask every question in every mode and score the answers.

    python -m benchmarks.retrieval.evaluate [--pool] [--misses] [--raise-floor]

Prints nDCG@10, recall@10 and MRR of text, vector and hybrid search. ``--pool`` lists what the modes put among their first ten
and nobody judged yet; ``--misses`` the questions that hybrid answers worst. Without options it is a gate: it fails if a figure
is below ``floors.json``, or if hybrid is not ahead of both its halves.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.retrieval.collection import Question, contributions, digest, passages, questions
from store.archive import Archive
from store.light import LightIndex
from store.query import parse_query
from store.records import make_id
from store.search import search
from store.tables import Tables

FLOORS = Path(__file__).with_name("floors.json")
MODES = ("text", "vector", "hybrid")
FIGURES = ("ndcg10", "recall10", "mrr")
DEPTH = 10

#: Room for another processor's rounding.
SLACK = 0.003


@dataclass(frozen=True, slots=True)
class Answer:
    """The first ten contributions that one mode gives to one question."""

    question: Question
    mode: str
    refs: tuple[str, ...]

    def figures(self) -> dict[str, float]:
        grades = [self.question.grades.get(ref, 0) for ref in self.refs[:DEPTH]]
        ideal = sorted(self.question.grades.values(), reverse=True)[:DEPTH]
        right = next((1 / rank for rank, grade in enumerate(grades, 1) if grade == 2), 0.0)
        found = sum(grade == 2 for grade in grades) / sum(grade == 2 for grade in self.question.grades.values())
        return {"ndcg10": _gain(grades) / _gain(ideal), "recall10": found, "mrr": right}


def _gain(grades: Sequence[int]) -> float:
    return sum(float(2**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def answers() -> list[Answer]:
    """Every question in every mode, through an archive's own tables and light index."""
    from cli.jobs.index import embed
    from nlp.encoder import load_encoder

    encoder = load_encoder()
    asked = questions()
    names = {make_id(item.ref): item.ref for item in contributions()}
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive.create_or_open(Path(folder) / "archive")
        tables, rows = Tables.open(archive), passages(encoder.fingerprint)
        tables.add_passages(rows, embed(encoder, rows))
        tables.index_passages()
        index = LightIndex.open(archive.tables_dir)
        assert index is not None
        parsed = [parse_query(question.text) for question in asked]
        vectors = encoder.encode([query.text for query in parsed])
        out = []
        for question, query, vector in zip(asked, parsed, vectors, strict=True):
            for mode in MODES:
                hits = search(index, query, vector, mode=mode, k=3 * DEPTH)  # type: ignore[arg-type]
                refs = dict.fromkeys(names[hit.passage.entry_id] for hit in hits)
                out.append(Answer(question, mode, tuple(refs)[:DEPTH]))
    return out


def summary(found: Sequence[Answer]) -> dict[str, dict[str, float]]:
    """Mean figures of each mode."""
    rows = {mode: [answer.figures() for answer in found if answer.mode == mode] for mode in MODES}
    return {mode: {name: mean(row[name] for row in part) for name in FIGURES} for mode, part in rows.items()}


def table(found: Sequence[Answer]) -> str:
    kinds = sorted({answer.question.kind for answer in found})
    lines = [f"{'':12} {'n':>4}  " + "  ".join(f"{mode + ' ' + name:>15}" for name in FIGURES for mode in MODES)]
    for kind in ("all", *kinds):
        part = [answer for answer in found if kind in ("all", answer.question.kind)]
        got = summary(part)
        values = "  ".join(f"{got[mode][name]:>15.3f}" for name in FIGURES for mode in MODES)
        lines.append(f"{kind:12} {len(part) // len(MODES):>4}  {values}")
    return "\n".join(lines)


def unjudged(found: Sequence[Answer]) -> str:
    texts = {item.ref: item.text for item in contributions()}
    lines = []
    for question in {id(answer.question): answer.question for answer in found}.values():
        pool: dict[str, list[str]] = {}
        for answer in found:
            if answer.question is question:
                for rank, ref in enumerate(answer.refs[:DEPTH], 1):
                    pool.setdefault(ref, []).append(f"{answer.mode[0]}{rank}")
        new = {ref: places for ref, places in pool.items() if ref not in question.grades}
        lines.append(f"\n? {question.text}")
        lines += [f"  {ref} {','.join(places)} {texts[ref][:150]}" for ref, places in new.items() if _high(places)]
    return "\n".join(lines)


def _high(places: Sequence[str]) -> bool:
    return any(int(place[1:]) <= {"v": 5, "t": 1, "h": 2}[place[0]] for place in places)


def misses(found: Sequence[Answer]) -> str:
    rows = sorted((a.figures()["ndcg10"], a.question.text, a.refs[:3]) for a in found if a.mode == "hybrid")
    return "\n".join(f"{value:.3f} {text} -> {' '.join(refs)}" for value, text, refs in rows[:30])


def shortfalls(got: dict[str, dict[str, float]], floor: dict[str, Any]) -> list[str]:
    """What is worse than the floor, and where hybrid does not lead."""
    low = [
        f"{mode} {name} {got[mode][name]:.3f} < {floor['floors'][mode][name]:.3f}"
        for mode in MODES
        for name in FIGURES
        if got[mode][name] < floor["floors"][mode][name] - SLACK
    ]
    behind = [
        f"hybrid {name} {got['hybrid'][name]:.3f} is not ahead of {mode} {got[mode][name]:.3f}"
        for mode in ("text", "vector")
        for name in FIGURES
        if got["hybrid"][name] <= got[mode][name]
    ]
    return low + behind


def main() -> int:
    found = answers()
    print(table(found))
    if "--pool" in sys.argv:
        print(unjudged(found))
        return 0
    if "--misses" in sys.argv:
        print(misses(found))
        return 0
    got = summary(found)
    if "--raise-floor" in sys.argv:
        floors = {mode: {name: round(value, 4) for name, value in row.items()} for mode, row in got.items()}
        FLOORS.write_text(json.dumps({"sha256": digest(), "floors": floors}, indent=1) + "\n", encoding="utf-8")
        return 0
    floor = json.loads(FLOORS.read_text(encoding="utf-8"))
    if floor["sha256"] != digest():
        print("retrieval gate: texts or questions are not those that the floors were measured on")
        return 1
    failed = shortfalls(got, floor)
    print("\n".join(f"retrieval gate: {line}" for line in failed) or "retrieval gate: passed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
