"""Classifying beside what people use for it, on the same sentences: quality, speed and memory in one run.

    python -m benchmarks.classify_peers [--python PEERS/bin/python] [--sentences 4000 | --input FILE] [--runs 3] [--steps 400]
                                        [--speed]

Quality: bag of words, MiniLM with logistic regression and SetFit, each trained on our corpus and tested on the coded
sentences of ``../shared/bench`` (macro-F1 over four labels, under its own prior and under the natural one; the better
counts). Speed: sentence-transformers' ``encode`` (its defaults), SetFit's ``predict`` and ``chorus classify``, in turn, each
in a process of its own that says how long it took once loaded, its CPU seconds and its peak memory. ``--python`` is an
interpreter that has setfit; without it SetFit is left out, and that is said. The corpus is running text, in which what stands
before a sentence is mostly judged, too; in a sample of single sentences (``--input``, as ``chorus classify`` takes it) it is not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

GOLD = Path(__file__).parents[2] / "shared/bench/classification/gold_dev.jsonl"

MEASURE = """
import json, resource, sys, time
def peak():  # what the process itself came to; the usual figure begins with its parent's
    try:
        return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
def report(work, sentences):
    start, cpu = time.perf_counter(), time.process_time()
    work()
    print(json.dumps({"per_s": len(sentences) / (time.perf_counter() - start),
                      "per_cpu_s": len(sentences) / (time.process_time() - cpu), "peak_mb": peak()}))
folder, model = sys.argv[1], sys.argv[2]
texts = [json.loads(line)["text"] for line in open(folder + "/items.jsonl", encoding="utf-8")]
"""

CLASSIFY = """
from nlp.cache import cached_encoder
from nlp.classify import Classifier, Item
from nlp.classify import encoder_of
items = [json.loads(line) for line in open(folder + "/items.jsonl", encoding="utf-8")]
encoder = cached_encoder(encoder_of(place), keep=False)
classifier = Classifier.load(place, encoder)
list(classifier.classify([Item("0", "A sentence to begin with.", None, "comment")]))
def work():  # in chunks, as the command does
    for start in range(0, len(items), 1024):
        part = [Item(r["id"], r["text"], r["context"], r["role"]) for r in items[start : start + 1024]]
        classifier.hold(part)
        list(classifier.classify(part))
report(work, items)
"""

SCRIPTS = {
    "chorus classify": "place = None" + CLASSIFY,
    "chorus classify, fast": "from pathlib import Path; place = Path('fast')" + CLASSIFY,
    "sentence-transformers encode": """
from sentence_transformers import SentenceTransformer
found = SentenceTransformer(model, device="cpu")
found.encode(["A sentence to begin with."])
report(lambda: found.encode(texts), texts)
""",
    "setfit predict": """
from setfit import SetFitModel
found = SetFitModel.from_pretrained(folder + "/setfit")
found.predict(["A sentence to begin with."])
report(lambda: found.predict(texts), texts)
""",
}

TRAIN_SETFIT = """
import json, sys
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments
folder, model, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = [json.loads(line) for line in open(folder + "/train.jsonl", encoding="utf-8")]
found = SetFitModel.from_pretrained(model)
data = Dataset.from_dict({"text": [r["text"] for r in rows], "label": [r["label"] for r in rows]})
arguments = TrainingArguments(batch_size=16, max_steps=steps, num_epochs=1, seed=0, report_to="none", output_dir=folder + "/log",
                              sampling_strategy="undersampling", save_strategy="no")
Trainer(model=found, args=arguments, train_dataset=data).train()
found.save_pretrained(folder + "/setfit")
test = [json.loads(line)["text"] for line in open(folder + "/gold.jsonl", encoding="utf-8")]
json.dump(found.predict_proba(test).tolist(), open(folder + "/setfit.json", "w"))
"""


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="an interpreter that has setfit")
    parser.add_argument("--sentences", type=int, default=4_000)
    parser.add_argument("--input", type=Path, help="sentences to measure speed on, as JSON lines")
    parser.add_argument("--speed", action="store_true", help="only speed and memory")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--setfit", type=Path, help="a SetFit model trained before, to measure its speed without training"
    )
    parser.add_argument("--steps", type=int, default=400, help="SetFit's contrastive steps")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = _prepare(folder, given.sentences)
        if given.input:
            rows = [json.loads(line) for line in given.input.read_text(encoding="utf-8").splitlines()]
            _write(folder / "items.jsonl", [{"context": None, "role": "comment", **row} for row in rows])
        if given.setfit:
            (folder / "setfit").symlink_to(given.setfit.resolve())
        elif given.python and GOLD.exists() and not given.speed:
            _run(given.python, TRAIN_SETFIT, str(folder), model, str(given.steps))
        if GOLD.exists() and not given.speed:
            _quality(folder)
        _speed(folder, model, given.python if (folder / "setfit").exists() else None, given.runs)
    return 0


def _prepare(folder: Path, count: int) -> str:
    """Write the sentences to classify, the training and the test sentences; the model's directory comes back."""
    from nlp.corpus import load_corpus
    from nlp.weights import find_default_weights

    corpus = load_corpus()
    items = [{"id": s.id, "text": s.text, "context": s.context, "role": s.role} for s in corpus[:count]]
    _write(folder / "items.jsonl", items)
    _write(folder / "train.jsonl", [{"text": s.text, "label": s.label} for s in corpus])
    if GOLD.exists():
        (folder / "gold.jsonl").write_bytes(GOLD.read_bytes())
    return str(find_default_weights().path)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _run(python: str, script: str, *arguments: str) -> str:
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [python, "-c", script, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def _quality(folder: Path) -> None:
    """Macro-F1 of each method on the coded sentences."""
    from nlp.classify import Classifier, Item
    from nlp.codebook import load_codebook
    from nlp.corpus import load_corpus

    labels = list(load_codebook().order)
    corpus = load_corpus()
    gold = [json.loads(line) for line in GOLD.read_text(encoding="utf-8").splitlines()]
    texts, truth = [row["text"] for row in gold], np.array([labels.index(row["label"]) for row in gold])
    train, y = [s.text for s in corpus], np.array([labels.index(s.label) for s in corpus])
    items = [Item(row["id"], row["text"], row["context"] or None, row["role"]) for row in gold]
    found = {}
    for name, place in (("chorus", None), ("chorus, fast", Path("fast"))):
        ours = np.array([labels.index(one.label) for one in Classifier.load(place).classify(items)])
        found[name] = _f1(truth, ours)
    for name, chances in (("bag of words", _words(train, y, texts)), ("MiniLM, regression", _minilm(train, y, texts))):
        found[name] = _better(truth, chances)
    if (folder / "setfit.json").exists():
        order = sorted(labels)  # setfit numbers string labels so
        chances = np.array(json.loads((folder / "setfit.json").read_text()))[:, [order.index(one) for one in labels]]
        found["SetFit"] = _better(truth, chances)
    print(f"{len(corpus):,} sentences to learn from, {len(gold)} to be tested on\n{'':24}macro-F1")
    for name, value in found.items():
        print(f"{name:24}{value:.3f}")


def _f1(truth: Any, called: Any) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, called, average="macro"))


def _better(truth: Any, chances: Any) -> float:
    """Under the training prior, or moved to the natural one: the better."""
    from nlp.codebook import load_codebook
    from nlp.train import NATURAL_MIX

    natural = np.array([NATURAL_MIX[label] for label in load_codebook().order])
    return max(_f1(truth, chances.argmax(1)), _f1(truth, (chances * natural).argmax(1)))


def _words(train: list[str], y: Any, texts: list[str]) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    return (
        make_pipeline(words, LogisticRegression(C=10, class_weight="balanced", max_iter=500))
        .fit(train, y)
        .predict_proba(texts)
    )


def _minilm(train: list[str], y: Any, texts: list[str]) -> Any:
    from sklearn.linear_model import LogisticRegression

    from nlp.encoder import default_encoder

    encoder = default_encoder()
    model = LogisticRegression(C=10, class_weight="balanced", max_iter=500).fit(encoder.encode(train), y)
    return model.predict_proba(encoder.encode(texts))


def _speed(folder: Path, model: str, peers: str | None, runs: int) -> None:
    """Each in turn, so that a slow minute hits all of them."""
    names = [name for name in SCRIPTS if peers or not name.startswith("setfit")]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            python = peers if peers and name.startswith("setfit") else sys.executable
            found[name].append(json.loads(_run(python, MEASURE + SCRIPTS[name], str(folder), model).splitlines()[-1]))
    base = found[names[0]]
    print(f"\n{'':32}{'a second':>10}{'a CPU second':>14}{'peak MB':>10}   chorus is x times as fast (CPU), memory")
    for name in names:
        middle = {key: median(one[key] for one in found[name]) for key in base[0]}
        pairs = list(zip(base, found[name], strict=True))
        ratios = [median(a[key] / b[key] for a, b in pairs) for key in ("per_s", "per_cpu_s", "peak_mb")]
        row = f"{name:32}{middle['per_s']:10.0f}{middle['per_cpu_s']:14.0f}{middle['peak_mb']:10.0f}"
        print(row + f"   {ratios[0]:.2f} ({ratios[1]:.2f}), {ratios[2]:.2f}")
    if peers is None:
        print("setfit left out: --python names no interpreter that has it, or there are no coded sentences")


if __name__ == "__main__":
    raise SystemExit(main())
