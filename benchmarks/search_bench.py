"""Search at size: whole processes and warm queries, ours beside a plain sentence-transformers + LanceDB script.

    python -m benchmarks.search_bench [--sizes 10000,100000] [--keep DIR] [--runs 5] [--no-peer]

Passages are made of the project's own sentences (sample blog and training corpus): two sentences each, a fifth of the words
drawn anew. A passage's vector is the normalised sum of its sentences' embeddings and a little noise in place of the new
words, so that 100,000 of them take seconds and lie as unevenly as real ones do. Questions are embedded for real.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.archive import Archive
from store.records import LABELS, Passage, make_id
from store.tables import Tables

QUESTIONS = (
    "thanks for sharing this with the community",
    "who is all this posting really for",
    "read my new book",
    "how do I keep slugs off the beans",
    "people who only talk about themselves",
    "the meeting about the school library",
    "a recipe for winter soup",
    "photographs of the old harbour",
    "did the council answer the letter",
    "what the children learned from the printer",
    "please vote for us in the awards",
    "I have never commented here before",
)

#: A plain script as one would write it: the model through sentence-transformers, the table through LanceDB.
PLAIN = """
import sys, lancedb
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[2], device="cpu")
table = lancedb.connect(sys.argv[1]).open_table("passages")
vector = model.encode([sys.argv[3]], normalize_embeddings=True)[0]
for row in table.search(vector, vector_column_name="vector").distance_type("cosine").limit(10).to_list():
    print(row["passage_id"], row["_distance"], row["text"][:80])
"""

#: Runs a command and prints wall and CPU seconds and peak megabytes. A process of its own, and a small one: a child's peak
#: begins with what its parent holds at the fork.
MEASURE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""

BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Process:
    """One whole process: seconds of wall and CPU, megabytes at the peak."""

    wall: float
    cpu: float
    memory: float


# -- the collection --------------------------------------------------------------------------------------------


def sentences() -> list[str]:
    from cli.sample_blog.content import load
    from nlp.corpus import load_corpus
    from nlp.segment import split_sentences

    blog = load()
    texts = [post.text for post in blog.posts] + [c.text for post in blog.posts for c in post.comments]
    found = [span.text for text in texts for span in split_sentences(text)]
    return found + [sentence.text for sentence in load_corpus()]


def collection(count: int, seed: int = 7) -> Iterator[tuple[list[Passage], NDArray[np.float32]]]:
    """``count`` passages in batches, with their vectors."""
    from nlp.encoder import load_encoder

    encoder = load_encoder()
    base = sentences()
    vectors = encoder.encode(base)
    words = [word for sentence in base for word in sentence.split()]
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        pairs = [(rng.randrange(len(base)), rng.randrange(len(base))) for _ in numbers]
        rows = [
            _passage(n, f"{base[a]} {base[b]}", words, rng, encoder.fingerprint)
            for n, (a, b) in zip(numbers, pairs, strict=True)
        ]
        firsts, seconds = zip(*pairs, strict=True)
        mixed = vectors[list(firsts)] + vectors[list(seconds)]
        mixed += noise.normal(size=mixed.shape).astype(np.float32) * 0.02
        yield rows, (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def _passage(number: int, text: str, words: list[str], rng: random.Random, encoder: str) -> Passage:
    mixed = " ".join(rng.choice(words) if rng.random() < 0.2 else word for word in text.split())
    author = f"Author {int(rng.paretovariate(0.6)) % 5000}"
    label = rng.choices(LABELS, (2, 3, 2, 6))[0]
    thread = number // 23
    return Passage(
        passage_id=make_id("p", number), revision_id=make_id("r", number), entry_id=make_id("e", number),
        thread_id=make_id("t", thread), start=0, end=len(mixed), text=mixed, title=f"Thread {thread}",
        site=f"site{thread % 97}.example", author=author, kind="comment" if number % 23 else "post",
        published=f"20{6 + number % 14:02}-{1 + number % 12:02}-{1 + number % 28:02}T10:00:00",
        url=f"https://site{thread % 97}.example/{thread}/#comment-{number}", parent_author=None, encoder=encoder,
        labels=(label,), label_probability=round(rng.uniform(0.4, 1), 3),
    )  # fmt: skip


def build(path: Path, count: int) -> dict[str, float]:
    """An archive of ``count`` passages; returns seconds of each step and megabytes on disk."""
    archive = Archive.create_or_open(path)
    tables = Tables.open(archive)
    spent = 0.0
    for rows, vectors in collection(count):
        start = time.perf_counter()
        tables.add_passages(rows, vectors)
        spent += time.perf_counter() - start
    start = time.perf_counter()
    tables.index_passages()
    indexed = time.perf_counter() - start
    light = megabytes(archive.tables_dir / "search")
    return {"rows_s": spent, "index_s": indexed, "tables_mb": megabytes(archive.tables_dir) - light, "light_mb": light}


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


# -- measuring -------------------------------------------------------------------------------------------------


def whole(command: list[str], runs: int) -> Process:
    """Median of ``runs`` whole processes; one run before them warms the disk."""
    found = []
    for _ in range(runs + 1):
        done = subprocess.run([sys.executable, "-S", "-c", MEASURE, *command], capture_output=True, check=True)
        found.append(Process(*json.loads(done.stdout)))
    kept = found[1:]
    return Process(*(median(getattr(p, name) for p in kept) for name in ("wall", "cpu", "memory")))


def ours(path: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "cli", "search", *options, "-a", str(path)]


def warm(path: Path) -> list[tuple[str, float, float, float]]:
    """Milliseconds (median, 95th percentile, CPU) of questions to one resident process, embedding included."""
    from cli.jobs.search import Searcher, SearchRequest

    searcher = Searcher(path, resident=True)
    rows = []
    kinds: dict[str, dict[str, Any]] = {
        "hybrid": {}, "vector": {"mode": "vector"}, "text": {"mode": "text"}, "hybrid, filtered": {"label": LABELS[0]},
    }  # fmt: skip
    for name, options in kinds.items():
        spent, cpu = [], time.process_time()
        for question in QUESTIONS * 4:
            start = time.perf_counter()
            searcher.hits(SearchRequest(query=question, **options))
            spent.append((time.perf_counter() - start) * 1000)
        rows.append(
            (
                f"warm, {name}",
                median(spent),
                float(np.quantile(spent, 0.95)),
                (time.process_time() - cpu) * 1000 / len(spent),
            )
        )
    return rows


def recall(path: Path) -> float:
    """Share of the true ten nearest passages among the ten that the light index gives, over the questions."""
    from nlp.encoder import load_encoder
    from store.light import LightIndex
    from store.query import Query

    index = LightIndex.open(Archive.open(path).tables_dir)
    assert index is not None
    vectors = load_encoder().encode(QUESTIONS)
    found = 0
    for vector in vectors:
        best: list[tuple[float, str]] = []
        for segment in index._segments:
            cosines = segment.vectors @ vector
            near = np.argpartition(-cosines, 10)[:10]
            best += [(-float(cosines[n]), segment.ids()[n : n + 1].tobytes().hex()) for n in near]
        true = {key for _, key in sorted(best)[:10]}
        found += len(true & {key for key, _ in index.near(vector, (), Query(), 10)})
    return found / (10 * len(QUESTIONS))


def measure(path: Path, runs: int, peer: bool) -> Iterator[str]:
    from nlp.weights import find_default_weights

    question = QUESTIONS[0]
    commands = {
        "chorus search (hybrid)": ours(path, question),
        "chorus search, filters": ours(path, f"{question} -label:neither after:2010", "--label", LABELS[1]),
        "chorus search, context 2": ours(path, question, "--context", "2"),
        "chorus search --mode text": ours(path, question, "--mode", "text"),
    }
    if peer:
        script = path.parent / "plain.py"
        script.write_text(PLAIN, encoding="utf-8")
        model = str(find_default_weights().path)
        commands["sentence-transformers + lancedb"] = [
            sys.executable,
            str(script),
            str(path / "tables"),
            model,
            question,
        ]
    yield f"  {'whole process, one question':<34} {'wall s':>8} {'CPU s':>8} {'MB':>6}"
    for name, command in commands.items():
        got = whole(command, runs)
        yield f"  {name:<34} {got.wall:>8.2f} {got.cpu:>8.2f} {got.memory:>6.0f}"
    yield f"  {'resident, embedding included':<34} {'p50 ms':>8} {'p95 ms':>8} {'CPU ms':>6}"
    for name, middle, high, cpu in warm(path):
        yield f"  {name:<34} {middle:>8.1f} {high:>8.1f} {cpu:>6.1f}"
    yield f"  {'recall@10 of the light index':<34} {recall(path):>8.3f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="where the archives lie; those that are there are used again")
    parser.add_argument("--no-peer", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="chorus-search-"))
    try:
        for size in map(int, arguments.sizes.split(",")):
            path = folder / f"archive-{size}"
            print(f"{size:,} passages", flush=True)
            if not path.exists():
                print("  built: " + json.dumps({k: round(v, 1) for k, v in build(path, size).items()}), flush=True)
            for line in measure(path, arguments.runs, not arguments.no_peer):
                print(line, flush=True)
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
