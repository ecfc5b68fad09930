"""Search beside the tools people use for it: chroma, sqlite-vec, txtai, and llm's ``similar``, on the same passages.

    python -m benchmarks.search_peers --python PEERS/bin/python [--size 100000] [--runs 3]

``--python`` is an interpreter that has the peers installed (they are no dependencies of chorus). All get the same vectors and
the same model; each is asked the same question from a cold process, then warm, query after query, embedding included. Recall
is against exact search. Peers that are not installed are left out, and that is said.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.search_bench import MEASURE, QUESTIONS, build, collection, megabytes, recall, warm

#: What each peer runs. ``build`` reads ids, texts and vectors from a folder; ``ask`` prints the ids found for a question.
COMMON = """
import sys, time, json, numpy as np
from pathlib import Path
mode, folder, model = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
questions = json.loads(sys.argv[4]) if len(sys.argv) > 4 else []
def rows():
    return json.loads((folder / "texts.json").read_text()), np.load(folder / "vectors.npy")
def encoder():
    from sentence_transformers import SentenceTransformer
    found = SentenceTransformer(model, device="cpu")
    return lambda text: found.encode([text], normalize_embeddings=True)[0]
def run(ask):
    out = []
    for question in questions:
        start = time.perf_counter()
        ids = ask(question)
        out.append([time.perf_counter() - start, [int(i) for i in ids]])
    print(json.dumps(out))
"""

SCRIPTS = {
    "chroma": """
import chromadb
client = chromadb.PersistentClient(str(folder / "chroma"), chromadb.Settings(anonymized_telemetry=False))
if mode == "build":
    texts, vectors = rows()
    table = client.create_collection("passages", metadata={"hnsw:space": "cosine"}, embedding_function=None)
    for start in range(0, len(texts), 5000):
        stop = start + 5000
        table.add(ids=[str(n) for n in range(start, min(stop, len(texts)))], documents=texts[start:stop],
                  embeddings=vectors[start:stop])
else:
    table, encode = client.get_collection("passages", embedding_function=None), encoder()
    run(lambda q: table.query(query_embeddings=[encode(q)], n_results=10)["ids"][0])
""",
    "sqlite-vec": """
import sqlite_vec
try:
    import pysqlite3 as sqlite3  # where Python was built without loadable extensions
except ImportError:
    import sqlite3
db = sqlite3.connect(folder / "vec.db")
db.enable_load_extension(True); sqlite_vec.load(db)
if mode == "build":
    texts, vectors = rows()
    db.execute("create virtual table p using vec0(vector float[384] distance_metric=cosine, +text text)")
    db.executemany("insert into p(rowid, vector, text) values (?, ?, ?)",
                   ((n, v.tobytes(), t) for n, (t, v) in enumerate(zip(texts, vectors))))
    db.commit()
else:
    encode = encoder()
    query = "select rowid, text from p where vector match ? and k = 10"
    run(lambda q: [row[0] for row in db.execute(query, (encode(q).astype("float32").tobytes(),))])
""",
    "txtai": """
from txtai import Embeddings  # noqa: F401 - what its users import
from txtai.ann import ANNFactory
config = {"backend": "faiss", "dimensions": 384}
table = ANNFactory.create(config)
if mode == "build":
    table.index(rows()[1])
    table.save(str(folder / "txtai.faiss"))
else:
    encode = encoder()
    table.load(str(folder / "txtai.faiss"))
    run(lambda q: [n for n, _ in table.search(np.stack([encode(q)]).astype("float32"), 10)[0]])
""",
    "llm similar": """
import llm, sqlite_utils
db = sqlite_utils.Database(folder / "llm.db")
if mode == "build":
    texts, vectors = rows()
    from llm.embeddings_migrations import embeddings_migrations
    embeddings_migrations.apply(db)
    table = db["embeddings"]
    db["collections"].insert({"id": 1, "name": "p", "model": "none"}, pk="id")
    table.insert_all(({"collection_id": 1, "id": str(n), "embedding": llm.encode(v.tolist()), "content": t}
                      for n, (t, v) in enumerate(zip(texts, vectors))), pk=("collection_id", "id"))
else:
    encode = encoder()
    from llm.embeddings import Collection
    table = Collection("p", db, create=False)
    run(lambda q: [entry.id for entry in table.similar_by_vector(encode(q).tolist(), number=10)])
""",
}


def main() -> int:
    """Build everything, ask everything, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="interpreter with the peers")
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", help="one peer")
    options = parser.parse_args()
    from nlp.weights import find_default_weights

    model = str(find_default_weights().path)
    with tempfile.TemporaryDirectory(prefix="chorus-peers-") as name:
        folder = Path(name)
        _, vectors = gather(folder, options.size)
        true = exact(vectors)
        heads = ("build s", "disk MB", "cold wall s", "cold CPU s", "peak MB", "warm p50 ms", "p95 ms", "recall@10")
        print(f"{options.size:<14,}" + "".join(f"{head:>12}" for head in heads), flush=True)
        archive = folder / "archive"
        spent = build(archive, options.size)
        ours = [sys.executable, "-m", "cli", "search", QUESTIONS[0], "--mode", "vector", "-a", str(archive)]
        row = [spent["rows_s"] + spent["index_s"], spent["tables_mb"] + spent["light_mb"], *cold(ours, options.runs)]
        _, middle, high, _ = next(iter(one for one in warm(archive) if "vector" in one[0]), ("", 0.0, 0.0, 0.0))
        show("chorus", [*row, middle, high, recall(archive)])
        for peer, script in SCRIPTS.items():
            if options.only not in (None, peer):
                continue
            measure(peer, script, options, folder, model, true)
    return 0


def gather(folder: Path, size: int) -> tuple[list[str], np.ndarray[Any, Any]]:
    """The passages' texts and vectors, also as files for the peers."""
    texts: list[str] = []
    parts = []
    for rows, vectors in collection(size):
        texts += [row.text for row in rows]
        parts.append(vectors)
    whole = np.concatenate(parts)
    (folder / "texts.json").write_text(json.dumps(texts))
    np.save(folder / "vectors.npy", whole)
    return texts, whole


def exact(vectors: np.ndarray[Any, Any]) -> list[set[int]]:
    """The true ten for each question."""
    from nlp.encoder import load_encoder

    asked = load_encoder().encode(QUESTIONS)
    return [set(np.argpartition(-(vectors @ vector), 10)[:10].tolist()) for vector in asked]


def measure(peer: str, script: str, options: Any, folder: Path, model: str, true: list[set[int]]) -> None:
    """One peer's row; a line of its error where it does not run."""
    file = folder / f"ask_{peer.replace(' ', '_')}.py"
    file.write_text(COMMON + script, encoding="utf-8")
    before = megabytes(folder)
    base = [options.python, str(file)]
    made = subprocess.run(
        [sys.executable, "-c", MEASURE, *base, "build", str(folder), model], capture_output=True, text=True
    )
    if made.returncode:
        tried = subprocess.run([*base, "build", str(folder), model], capture_output=True, text=True)
        lines = tried.stderr.strip().splitlines() or ["?"]
        print(f"{peer:<14} left out: {lines[-1][:110]}", flush=True)
        return
    build_s = json.loads(made.stdout)[0]
    ask = [*base, "ask", str(folder), model]
    done = subprocess.run([*ask, json.dumps(list(QUESTIONS) * 3)], capture_output=True, text=True)
    if done.returncode:
        print(f"{peer:<14} left out: {done.stderr.strip().splitlines()[-1][:110]}", flush=True)
        return
    figures = cold([*ask, json.dumps(QUESTIONS[:1])], options.runs)
    answers = json.loads(done.stdout.splitlines()[-1])
    times = sorted(1000 * seconds for seconds, _ in answers[len(QUESTIONS) :])
    found = sum(len(set(ids) & one) for (_, ids), one in zip(answers, true, strict=False))
    warm_up = [median(times), times[int(len(times) * 0.95)], found / (10 * len(true))]
    show(peer, [build_s, megabytes(folder) - before, *figures, *warm_up])


def cold(command: list[str], runs: int) -> list[float]:
    """Median wall, CPU seconds and megabytes of whole processes."""
    rows = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout))
    return [median(column) for column in zip(*rows, strict=True)]


def show(name: str, values: list[float]) -> None:
    """One row."""
    widths = (".1f", ".0f", ".2f", ".2f", ".0f", ".1f", ".1f", ".3f")
    print(
        f"{name:<14}" + "".join(f"{value:>12{width}}" for value, width in zip(values, widths, strict=True)), flush=True
    )


if __name__ == "__main__":
    raise SystemExit(main())
