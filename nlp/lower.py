"""Making the classifier's own encoder: ``python -m nlp.lower --base DIR [--out nlp/acts]``, a minute.

all-mpnet-base-v2 (Apache-2.0; the directory must hold the published weights) knows English far better than the small model that
search uses, and what tells acts apart is in its lower layers: the five that are kept do as well as all twelve. Nothing is learned
here; the layers are rounded to integers and written as ``nlp.mpnet`` puts them.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from nlp.compact import Span, spans_seen
from nlp.corpus import load_corpus
from nlp.mpnet import LONGEST, WIDTH, Weights, graph_of, rounded_inputs
from nlp.plain import plain
from nlp.weights import ACTS, file_digest
from store.records import ModelUnavailable

#: What is taken, and the digests of its official release.
BASE = "all-mpnet-base-v2"
PUBLISHED = {
    "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
}

#: Layers that are kept. Networks on the third, fourth, fifth, sixth, eighth and tenth of the twelve reach a log loss of .74, .70,
#: .66, .68, .67 and .67 on real pages (docs/model.md).
LAYERS = 5

#: Sentences that the ranges of the integers are taken from, and the seed of the draw.
RANGE_TEXTS, SEED = 1_500, 0


def make(base: Path, out: Path = ACTS) -> None:
    """Write the encoder to ``out``. Raises ``ModelUnavailable`` if ``base`` does not hold the published weights."""
    check(base)
    write(weights_in(base), [sentence.text for sentence in load_corpus()], base, out)


def check(base: Path) -> None:
    """Raise ``ModelUnavailable`` unless the files in ``base`` are the published ones."""
    for name, digest in PUBLISHED.items():
        if not (base / name).is_file() or file_digest(base / name) != digest:
            raise ModelUnavailable(f"{base / name}: not the published file of {BASE}", hint="see nlp/acts/README.md")


def weights_in(base: Path) -> Weights:
    """The words' vectors and the lower layers, by their names in the model's own format."""
    from safetensors.numpy import load_file

    kept = tuple(f"encoder.layer.{number}." for number in range(LAYERS))
    found = load_file(str(base / "model.safetensors"))
    return {name: array for name, array in found.items() if name.startswith(kept) or ".layer." not in name}


def write(weights: Weights, texts: Sequence[str], base: Path, out: Path) -> None:
    """Round the layers by what they hold on ``texts``, and write them with the tokenizer and a note of what they are."""
    import onnx

    out.mkdir(parents=True, exist_ok=True)
    note = out / "encoder.json"
    note.unlink(missing_ok=True)  # it comes last: an encoder whose writing was cut short does not load
    shutil.copyfile(base / "tokenizer.json", out / "tokenizer.json")
    graph = out / "model.onnx"
    onnx.save(graph_of(weights, measure(weights, texts, base)), str(graph))
    told = {
        "name": f"{BASE}-lower{LAYERS}",
        "bytes": graph.stat().st_size,
        "model_sha256": file_digest(graph),
        "tokenizer_sha256": file_digest(out / "tokenizer.json"),
        "dimensions": WIDTH,
        "max_tokens": LONGEST,
        "base": {"name": BASE, "license": "Apache-2.0", **PUBLISHED},
        "layers": LAYERS,
        "versions": {name: version(name) for name in ("numpy", "onnx", "onnxruntime")},
    }
    note.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def measure(weights: Weights, texts: Sequence[str], base: Path) -> list[Span]:
    """What each product's input holds on a sample of the texts."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    drawn = random.Random(SEED).sample(list(texts), min(RANGE_TEXTS, len(texts)))  # noqa: S311  # not a secret
    tokens = [encoding.ids for encoding in tokenizer.encode_batch([plain(text) for text in drawn])]
    session = onnxruntime.InferenceSession(
        graph_of(weights, None).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return spans_seen(session, rounded_inputs(LAYERS), tokens)


def main() -> int:
    """Make the encoder and say its digest."""
    parser = argparse.ArgumentParser(prog="python -m nlp.lower", description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help=f"directory of {BASE}")
    parser.add_argument("--out", type=Path, default=ACTS, help="where the encoder goes")
    options = parser.parse_args()
    make(options.base, options.out)
    sys.stdout.write(f"{options.out}: {json.loads((options.out / 'encoder.json').read_text())['model_sha256']}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
