"""Making the fast classifier: ``python -m nlp.distil [--out nlp/fast] [--encoder nlp/quick]``, an hour on two cores.

The lower layers of a small encoder learn to say what the shipped classifier says (distillation: Hinton et al. 2015), together
with networks that pool by attention, of the corpus' sentences and of variants of them (``nlp.variants``); of coded sentences
they hear the code as well. Then the layers are rounded to integers (``nlp.compact``), and a regression, which explains, is
fitted on what they give. The sentence before is not read.

Three writers are kept apart from all of it. Neither teacher nor student has seen them: what is counted on them, the classifier's
own confusion among it, is the error on writers that are new to it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp import compact
from nlp.attend import BATCH, TOKENS, Attentive, batches, joined, new_network
from nlp.cache import cached_encoder
from nlp.classify import FAST, MODEL, Classifier, encoder_of, softmax
from nlp.codebook import load_codebook
from nlp.corpus import CodedSentence, load_corpus
from nlp.cues import find_cues_in
from nlp.encoder import OnnxEncoder
from nlp.features import CONTEXT_WEIGHT, EMBEDDING_WEIGHT, Reading, Sentence, columns, ngrams, read
from nlp.fitting import Data, Fitted, regression, sample_weights
from nlp.heads import Heads
from nlp.train import (
    LEAST_TEMPERATURE,
    LESS_TELLING,
    NATURAL_MIX,
    SHIPPED_COSTS,
    SHIPPED_DEEP_PART,
    SHIPPED_STRENGTHS,
    WITTY_WRITERS,
    Learned,
    Material,
    as_in_use,
    keep,
    prior_shift,
    read_all,
    temperature_of,
)
from nlp.variants import Maker, Similar
from nlp.weights import QUICK, file_digest, find_acts, find_default_weights

#: Writers that nothing is learned from, and those whose sentences are used without their codes: the teacher has not seen them
#: either, so that what it says of them is as it speaks of new text.
KEPT_APART, UNCODED = frozenset("qst"), frozenset("mnpr")

#: Layers of MiniLM's six that are kept: a third less work.
LAYERS = 4

#: Networks that learn together with the layers.
NETWORKS = 3

EPOCHS, POOL, SEED = 3, 2_048, 0

#: Rates of learning of the layers and of the networks, which rise over the first steps and then fall to nearly nothing; the decay
#: of their weights; the longest step.
RATE, NETWORK_RATE, WARMING, LEAST_RATE, DECAY, NETWORK_DECAY, LONGEST_STEP = 1e-4, 1e-3, 200, 0.02, 0.01, 0.05, 1.0

#: What the code of a coded sentence weighs beside what the teacher says of it, and the most that one sentence weighs.
CODE_PART, MOST_WEIGHT = 0.3, 3.0

#: Sentences that the teacher looks at together.
TOGETHER = 2_048

Floats = NDArray[np.float32]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lessons:
    """What there is to learn: word pieces and what needs no encoder (``reading``) of each text, the teacher's probabilities, the
    label's place (-1: no code is used), and what that code weighs."""

    pieces: list[list[int]]
    reading: Reading
    taught: Floats
    coded: NDArray[np.int64]
    weights: Floats


def sentences_by(use: Callable[[str], bool]) -> tuple[CodedSentence, ...]:
    """The corpus' sentences by the writers of whom ``use`` is true."""
    return tuple(sentence for sentence in load_corpus() if use(sentence.writer))


def material() -> Material:
    """The coded sentences that are learned from."""
    return Material(
        sentences_by(lambda writer: writer not in KEPT_APART | UNCODED),
        load_codebook(),
        NATURAL_MIX,
        strengths=SHIPPED_STRENGTHS,
        less_telling=WITTY_WRITERS,
        costs=SHIPPED_COSTS,
        context_vector=False,
        deep_part=SHIPPED_DEEP_PART,
    )


def lessons(what: Material, teacher: Classifier, tell: Tell) -> Lessons:
    """The material, the sentences without their codes, and variants of both."""
    written = [*what.sentences, *sentences_by(UNCODED.__contains__)]
    texts = [*(Sentence(one.text, one.context, one.role) for one in written), *variants(written)]
    tell(f"the teacher looks at {len(texts):,} texts")
    taught = opinions(teacher, texts, tell)
    y, own = answers(what, what.sentences)
    coded = np.full(len(texts), -1)
    coded[: len(y)] = y
    weights = np.zeros(len(texts), np.float32)
    telling = np.array([LESS_TELLING if one.writer in what.less_telling else 1.0 for one in what.sentences])
    own = own * telling
    weights[: len(y)] = np.minimum(own / own.mean(), MOST_WEIGHT)
    cues = list(find_cues_in(one.text for one in texts))
    reading = read(texts, cues, context_vector=False)
    return Lessons(pieces_of(reading.texts), reading, taught, coded, weights)


def answers(what: Material, sentences: Sequence[CodedSentence]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The places of these sentences' labels in the codebook's order, and what each sentence weighs."""
    y = np.array([what.codebook.order.index(one.label) for one in sentences])
    return y, sample_weights(np.array([len(one.text.split()) for one in sentences]), y)


def variants(written: Sequence[CodedSentence]) -> list[Sentence]:
    """Of all these sentences, in their order."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    files = find_default_weights()
    table = load_file(str(files.path / "model.safetensors"))["embeddings.word_embeddings.weight"]
    similar = Similar(table, Tokenizer.from_file(str(files.path / "tokenizer.json")).get_vocab())
    return Maker(written, similar, frozenset({"self-promotion"}), SEED).all()


def opinions(teacher: Classifier, texts: Sequence[Sentence], tell: Tell) -> Floats:
    """The teacher's probabilities under a prior that is even, shape (texts, labels)."""
    out = np.zeros((len(texts), len(teacher.labels)), np.float32)
    for start in range(0, len(texts), TOGETHER):
        part = [(one.text, one.context or None, one.role) for one in texts[start : start + TOGETHER]]
        out[start : start + len(part)] = [look.chances for look in teacher.look(part)]
        tell(f"  {start + len(part):,} of {len(texts):,}")
    return out


def pieces_of(texts: Sequence[str]) -> list[list[int]]:
    """The word pieces of texts, no more than ``TOKENS``."""
    found = OnnxEncoder(find_default_weights()).tokens(texts)
    return [ids if len(ids) <= TOKENS else [*ids[: TOKENS - 1], ids[-1]] for ids in found]


def student(labels: int) -> Any:
    """The lower layers of MiniLM, as published, and networks that know nothing yet, as one torch module."""
    import torch
    from torch import nn
    from transformers import BertModel
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.manual_seed(SEED)
    bert: Any = BertModel.from_pretrained(
        str(find_default_weights().path), add_pooling_layer=False, local_files_only=True
    )
    bert.encoder.layer = bert.encoder.layer[:LAYERS]
    bert.config.num_hidden_layers = LAYERS
    for parameter in bert.embeddings.parameters():  # most words are too rare here to learn anything better of them
        parameter.requires_grad = False
    width = bert.config.hidden_size

    class Student(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bert = bert
            self.networks = nn.ModuleList([new_network(width, columns(width), labels) for _ in range(NETWORKS)])

        def forward(self, ids: Any, mask: Any, seen: Any) -> Any:
            """Log probabilities, shape (networks, texts, labels)."""
            states = self.bert(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            vector = nn.functional.normalize(mean, dim=1)
            x = torch.cat([vector * EMBEDDING_WEIGHT, torch.zeros_like(vector) * CONTEXT_WEIGHT, seen], 1)
            return torch.stack([network(states, mask, x) for network in self.networks]).log_softmax(-1)

    return Student()


def learn(what: Lessons, labels: int, tell: Tell) -> Any:
    """A student that has learned. Deterministic on one machine."""
    import torch

    found, rng = student(labels), np.random.default_rng(SEED)
    steps = EPOCHS * len(what.pieces) // BATCH
    groups = [
        {"params": [p for p in found.bert.parameters() if p.requires_grad], "lr": RATE, "weight_decay": DECAY},
        {"params": found.networks.parameters(), "lr": NETWORK_RATE, "weight_decay": NETWORK_DECAY},
    ]
    optimiser = torch.optim.AdamW(groups)
    rate = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(_part_of_rate, steps=steps))
    found.train()
    loss_sum = 0.0
    for step, rows in enumerate(_endless(what, rng), 1):
        loss = _loss(found(*_inputs(what, rows)).mean(0), what, rows)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(found.parameters(), LONGEST_STEP)
        optimiser.step()
        rate.step()
        loss_sum += loss.item()
        if step % 200 == 0:
            tell(f"  step {step:,} of {steps:,}, loss {loss_sum / 200:.4f}")
            loss_sum = 0.0
        if step >= steps:
            break
    return found.eval()


def _part_of_rate(step: int, steps: int) -> float:
    return min(1.0, step / WARMING) * max(LEAST_RATE, 1 - step / steps)


def _loss(said: Any, what: Lessons, rows: NDArray[np.int64]) -> Any:
    """How far what is said lies from what the teacher says, and from the code where there is one."""
    import torch

    far = -(torch.from_numpy(what.taught[rows]) * said).sum(-1)
    code = torch.from_numpy(what.coded[rows]).clamp(min=0)
    wrong = -said[torch.arange(len(rows)), code] * torch.from_numpy(what.weights[rows])
    return (far + CODE_PART * wrong).mean()


def _endless(what: Lessons, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Rows in batches of like length, all of them again and again, each time in another order."""
    while True:
        yield from batches(rng.permutation(len(what.pieces)), what.pieces, rng, pool=POOL)


def _inputs(what: Lessons, rows: NDArray[np.int64]) -> tuple[Any, Any, Any]:
    import torch

    ids = torch.zeros(len(rows), max(len(what.pieces[n]) for n in rows), dtype=torch.long)
    mask = torch.zeros_like(ids, dtype=torch.bool)
    for row, n in enumerate(rows):
        own = what.pieces[n]
        ids[row, : len(own)] = torch.tensor(own)
        mask[row, : len(own)] = True
    seen = np.concatenate([ngrams([what.reading.words[n] for n in rows]), what.reading.rest[rows]], axis=1)
    return ids, mask, torch.from_numpy(seen)


def write_encoder(bert: Any, out: Path) -> None:
    """The layers in integers, with their tokenizer and a note of what they are."""
    out.mkdir(parents=True, exist_ok=True)
    note, graph, base = out / "encoder.json", out / "model.onnx", find_default_weights()
    note.unlink(missing_ok=True)  # it comes last: an encoder whose writing was cut short does not load
    with tempfile.TemporaryDirectory() as name:
        from nlp.export import export

        folder = Path(name)
        bert.save_pretrained(folder)
        export(folder, folder / "floats.onnx", middle=1)
        compact.in_integers(folder / "floats.onnx", compact.measure(folder / "floats.onnx"), graph)
    shutil.copyfile(base.path / "tokenizer.json", out / "tokenizer.json")
    told = {
        "name": f"{base.name}-lower{LAYERS}-acts",
        "bytes": graph.stat().st_size,
        "model_sha256": file_digest(graph),
        "tokenizer_sha256": file_digest(out / "tokenizer.json"),
        "dimensions": base.dimensions,
        "max_tokens": base.max_tokens,
        "base": {
            "name": base.name,
            "license": "Apache-2.0",
            "model.safetensors": base.weights_digest,
            "tokenizer.json": base.tokenizer_digest,
        },
        "layers": LAYERS,
        "versions": {name: version(name) for name in ("numpy", "onnx", "onnxruntime", "torch", "transformers")},
    }
    note.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Apart:
    """What was found on the writers that were kept apart: macro-F1 under an even prior, sentence by sentence, the temperature,
    and truth (rows) against calls in use, in counts; and by whom and of what the student was ``taught``."""

    macro_f1: float
    sentences: int
    temperature: float
    confusion: list[list[int]]
    strength: float
    taught: dict[str, Any]

    def told(self) -> dict[str, Any]:
        """As ``model.json`` has it."""
        kept = {
            "writers": "".join(sorted(KEPT_APART)),
            "sentences": self.sentences,
            "macro_f1": round(self.macro_f1, 4),
        }
        return {"taught": self.taught, "kept_apart": kept, "strength": self.strength}


def count_apart(
    what: Material, heads: Heads, networks: Sequence[Attentive], encoder: OnnxEncoder, taught: dict[str, Any]
) -> Apart:
    """Judge the sentences that were kept apart."""
    from sklearn.metrics import confusion_matrix, f1_score

    sentences = sentences_by(KEPT_APART.__contains__)
    x, states = read_all(sentences, encoder, context_vector=False)
    y, weights = answers(what, sentences)
    scores = Fitted(heads, tuple(networks), (), what.deep_part).log_probabilities(Data(x, y, weights, states))
    temperature = max(LEAST_TEMPERATURE, temperature_of(scores, y, weights))
    natural = softmax(prior_shift(what)[None])[0]
    called = as_in_use(softmax(scores / temperature), what, natural, sentences)
    return Apart(
        macro_f1=float(f1_score(y, scores.argmax(1), average="macro")),
        sentences=len(y),
        temperature=temperature,
        confusion=confusion_matrix(y, called).tolist(),
        strength=what.strengths[0],
        taught=taught,
    )


def make(out: Path = FAST, encoder: Path = QUICK, tell: Tell = lambda text: None) -> Apart:
    """Teach, round, fit and write."""
    what = material()
    labels = list(what.codebook.order)
    with cached_encoder(encoder_of(MODEL), keep=False) as reader:
        teacher = Classifier.load(MODEL, reader)
        lesson = lessons(what, teacher, tell)
    tell("learning")
    learned = learn(lesson, len(labels), tell)
    tell("rounding, counting")
    write_encoder(learned.bert, encoder)
    networks = [Attentive(network) for network in learned.networks]
    taught = {"teacher": teacher.name, "texts": len(lesson.pieces), "uncoded_writers": "".join(sorted(UNCODED))}
    return finish(what, networks, OnnxEncoder(find_acts(encoder)), out, taught)


def finish(
    what: Material, networks: Sequence[Attentive], encoder: OnnxEncoder, out: Path, taught: dict[str, Any]
) -> Apart:
    """Fit the regression on what the rounded layers give, count on what was kept apart, and write the classifier."""
    x, _ = read_all(what.sentences, encoder, context_vector=False)
    y, weights = answers(what, what.sentences)
    linear = regression(x, y, weights, what.strengths[0])
    attention, plain_networks = joined(networks)
    apart = count_apart(what, linear, networks, encoder, taught)
    heads = Heads(linear.weights, linear.bias, plain_networks, what.deep_part)
    vectors = x[:, : encoder.dimensions] / EMBEDDING_WEIGHT
    keep(out, what, Learned(heads, attention, encoder, None, vectors), apart)
    return apart


def main() -> int:
    """Make it and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m nlp.distil", description=__doc__)
    parser.add_argument("--out", type=Path, default=FAST, help="where the classifier goes")
    parser.add_argument("--encoder", type=Path, default=QUICK, help="where its encoder goes")
    given = parser.parse_args()
    found = make(given.out, given.encoder, lambda text: print(text, file=sys.stderr, flush=True))  # noqa: T201
    sys.stdout.write(f"writers kept apart ({found.sentences:,} sentences): macro-F1 {found.macro_f1:.4f}, ")
    sys.stdout.write(f"temperature {found.temperature:.3f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
