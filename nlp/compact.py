"""A smaller, faster form of the default model: integers of 8 bits instead of floats where nearly all the work is.

``python -m nlp.compact MODEL.onnx OUT.onnx`` makes it, in a process of its own. The classifier reads with it; search does not,
whose vectors are kept and compared over years. ``python -m nlp.compact --measure MODEL.onnx`` writes ``ranges.json`` anew.

What a layer passes on is put on a fixed scale: the range that was seen on 1,500 sentences of the corpus. A scale taken from the
numbers at hand, as onnxruntime's own dynamic quantisation does, spans a batch, and a sentence's label would then hang on what
stands beside it. A few channels reach ten times as far as the others and would coarsen all; they are divided down, and their
weights multiplied (Xiao et al. 2023, SmoothQuant). Weights have seven bits, since sums of eight overflow the 16-bit steps of
processors without VNNI: so every processor comes to the same integers.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: What ``Span`` holds, for each quantised input in the graph's order, and of which model.
RANGES = Path(__file__).with_name("ranges.json")

#: Sentences that the ranges are taken from, and the seed of the draw.
TEXTS, SEED = 1_500, 0

#: Channels that reach farther than this part of them are divided down to where it ends. Mean cosine to the float model on real
#: sentences: .989 without, .996 with any part from .5 to .95.
ORDINARY = 0.9

#: What is worth quantising: nearly all the work. Norms and the attention's softmax stay as they are.
OPERATORS = ("MatMul", "Attention")

#: A table of more rows than this is kept in integers: the words' vectors, half of the model's bytes.
TABLE_ROWS = 10_000

#: The shape of all-MiniLM-L6-v2's attention.
HEADS, WIDTH = 12, 384

#: Greatest weight: 7 bits and a sign; in tables, which are not multiplied, 8.
LIMIT, TABLE_LIMIT = 63, 127

#: onnxruntime's own operators.
DOMAIN = "com.microsoft"


@dataclass(frozen=True, slots=True)
class Span:
    """What a quantised input holds: least and greatest number, after the channels in ``shrink`` are divided by its factors."""

    low: float
    high: float
    shrink: Mapping[int, float]

    def factors(self, channels: int) -> NDArray[np.float32]:
        """The divisor of every channel."""
        out = np.ones(channels, np.float32)
        out[list(self.shrink)] = list(self.shrink.values())
        return out


def compact(model: Path, out: Path) -> None:
    """Write the compact form of ``model``, which must be the one that the ranges were taken from, to ``out``.

    Raises ``ValueError`` if the ranges do not fit it.
    """
    rows = json.loads(RANGES.read_text(encoding="utf-8"))["inputs"]
    spans = [Span(row["low"], row["high"], {int(n): f for n, f in row["shrink"].items()}) for row in rows]
    in_integers(model, spans, out)


def in_integers(model: Path, spans: Sequence[Span], out: Path) -> None:
    """Write ``model`` to ``out`` with these ranges. Raises ``ValueError`` if they are not as many as it needs."""
    import onnx

    fused = _fused(model)
    _Quantiser(fused.graph, spans).run()
    if all(opset.domain != DOMAIN for opset in fused.opset_import):
        fused.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    onnx.save(fused, str(out))


def measure(model: Path) -> list[Span]:
    """What every input to be quantised holds on a sample of the corpus' sentences, in BERT's word pieces."""
    import onnx
    import onnxruntime

    from nlp.corpus import load_corpus
    from nlp.encoder import OnnxEncoder
    from nlp.weights import find_default_weights

    shown = _fused(model)
    names = list(dict.fromkeys(node.input[0] for node in _targets(shown.graph)))
    shown.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(shown.SerializeToString(), providers=["CPUExecutionProvider"])
    texts = random.Random(SEED).sample([sentence.text for sentence in load_corpus()], TEXTS)  # noqa: S311  # not a secret
    tokens = OnnxEncoder(find_default_weights()).tokens(texts)
    return spans_seen(session, names, tokens)


def spans_seen(session: Any, names: Sequence[str], tokens: Sequence[Sequence[int]]) -> list[Span]:
    """What the outputs ``names`` of an onnxruntime session hold on texts, given as word pieces."""
    from nlp.onnx_model import arrays_of, token_batches

    extremes: list[list[NDArray[np.float32]]] = [[] for _ in names]
    for batch in token_batches([len(ids) for ids in tokens]):
        arrays = arrays_of([tokens[n] for n in batch])
        inside = arrays["attention_mask"].astype(bool)
        for seen, values in zip(extremes, session.run(names, arrays), strict=True):
            seen += [values[inside].min(axis=0), values[inside].max(axis=0)]
    return [span_of(np.min(seen, axis=0), np.max(seen, axis=0)) for seen in extremes]


def span_of(low: NDArray[np.float32], high: NDArray[np.float32]) -> Span:
    """Of channels that hold numbers between ``low`` and ``high``."""
    reach = np.maximum(-low, high)
    factors = np.maximum(reach / np.quantile(reach, ORDINARY), 1.0).round(3)
    shrink = {int(n): float(factors[n]) for n in np.flatnonzero(factors > 1)}
    return Span(round(float((low / factors).min()), 3), round(float((high / factors).max()), 3), shrink)


def _fused(model: Path) -> Any:
    """The model with its attention as single operators."""
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions("bert")
    # onnxruntime's norm that adds as well goes number by number: seven times as long as adding and its plain norm
    options.enable_skip_layer_norm = options.enable_bias_skip_layer_norm = False
    # so that the words' vectors can be looked up in a table of integers
    options.enable_embed_layer_norm = False
    return optimizer.optimize_model(
        str(model), model_type="bert", num_heads=HEADS, hidden_size=WIDTH, opt_level=0, optimization_options=options
    ).model


def _targets(graph: Any) -> list[Any]:
    """Operators with a matrix of weights, in the graph's order."""
    weights = {one.name for one in graph.initializer}
    return [node for node in graph.node if node.op_type in OPERATORS and node.input[1] in weights]


class _Quantiser:
    """Replaces the operators of ``_targets``, and tables, by those that work on integers."""

    def __init__(self, graph: Any, spans: Sequence[Span]) -> None:
        targets = _targets(graph)
        names = list(dict.fromkeys(node.input[0] for node in targets))
        if len(names) != len(spans):
            raise ValueError(f"{len(spans)} ranges for {len(names)} inputs")
        self._graph = graph
        self._targets = {node.output[0] for node in targets}
        self._spans = dict(zip(names, spans, strict=True))
        self._weights = {one.name: one for one in graph.initializer}
        self._biases = {node.input[n]: node for node in graph.node for n in self._bias_beside(node)}
        self._nodes: list[Any] = []
        self._made: set[str] = set()

    def _bias_beside(self, node: Any) -> Sequence[int]:
        """Where the product stands that the operator adds a bias to, if it does nothing else or a GELU."""
        if node.op_type not in ("Add", "BiasGelu"):
            return ()
        return [n for n in (0, 1) if node.input[n] in self._targets and node.input[1 - n] in self._weights]

    def run(self) -> None:
        """Change the graph."""
        for node in list(self._graph.node):
            if self._is_table(node):
                self._look_up(node)
            elif node.output[0] in self._targets:
                self._multiply(node)
            elif any(self._biases.get(name) is node for name in node.input):
                self._after_bias(node)
            else:
                self._nodes.append(node)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)

    def _after_bias(self, node: Any) -> None:
        """What is left of an operator whose bias the product has taken on."""
        if node.op_type == "BiasGelu":
            self._add("Gelu", [node.input[0]], node.output, domain=DOMAIN)

    def _is_table(self, node: Any) -> bool:
        """Whether the operator looks rows up in a large matrix."""
        table = self._weights.get(node.input[0]) if node.op_type == "Gather" else None
        return table is not None and table.dims[0] > TABLE_ROWS

    def _look_up(self, node: Any) -> None:
        """Rows are looked up in integers, each with its own scale."""
        name, rows, out = node.input[0], node.input[1], node.output[0]
        values, steps = whole_numbers(self._take(name).T, TABLE_LIMIT)
        halves: dict[str, NDArray[Any]] = {"whole": np.ascontiguousarray(values.T), "scale": steps[:, None]}
        for part, array in halves.items():
            self._add("Gather", [self._constant(f"{name}/{part}", array), rows], [f"{out}/{part}"])
        self._add("Cast", [f"{out}/whole"], [f"{out}/float"], to=1)  # 1: float32
        self._add("Mul", [f"{out}/float", f"{out}/scale"], [out])

    def _multiply(self, node: Any) -> None:
        matrix = self._take(node.input[1])
        span = self._spans[node.input[0]]
        source = self._rounded(node.input[0], span, len(matrix))
        values, steps = whole_numbers(matrix * span.factors(len(matrix))[:, None], LIMIT)
        parts: dict[str, NDArray[Any]] = {"whole": values, "scale": steps, "zero": np.zeros(len(steps), np.int8)}
        w, w_scale, w_zero = (self._constant(f"{node.input[1]}/{part}", array) for part, array in parts.items())
        x, scale, zero = (f"{source}/{part}" for part in ("whole", "scale", "zero"))
        if node.op_type == "MatMul":
            adder = self._biases.get(node.output[0])
            inputs, out = [x, w, scale, w_scale, zero, w_zero], node.output
            if adder is not None:  # the product adds it as it goes, to the same numbers and in a twentieth less time
                inputs += [name for name in adder.input if name in self._weights]
                out = adder.output if adder.op_type == "Add" else out
            self._add("MatMulIntegerToFloat", inputs, out, domain=DOMAIN)
        else:
            bias, mask = node.input[2:4]
            names = [x, w, bias, scale, w_scale, mask, zero, w_zero]
            self._add("QAttention", names, node.output, domain=DOMAIN, num_heads=HEADS)

    def _rounded(self, source: str, span: Span, channels: int) -> str:
        """Make ``source`` whole numbers, once; returns the name that they and their scale go by."""
        even = f"{source}/even"
        if source in self._made:
            return even
        self._made.add(source)
        self._add("Mul", [source, self._constant(f"{source}/shrink", 1 / span.factors(channels))], [even])
        step = (span.high - span.low) / 255
        scale = self._constant(f"{even}/scale", np.array(step, np.float32))
        zero = self._constant(f"{even}/zero", np.array(round(-span.low / step), np.uint8))
        self._add("QuantizeLinear", [even, scale, zero], [f"{even}/whole"])
        return even

    def _take(self, name: str) -> NDArray[np.float32]:
        """A matrix of weights, which leaves the graph."""
        import onnx

        self._graph.initializer.remove(self._weights[name])
        return np.asarray(onnx.numpy_helper.to_array(self._weights[name]), np.float32)

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        import onnx

        self._graph.initializer.append(onnx.numpy_helper.from_array(value, name))
        return name

    def _add(self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **more: Any) -> None:
        import onnx

        self._nodes.append(onnx.helper.make_node(operator, list(inputs), list(outputs), **more))


def whole_numbers(weights: NDArray[np.float32], limit: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A matrix in integers up to ``limit``, and the scale of each of its columns."""
    steps = np.maximum(np.abs(weights).max(axis=0), 1e-12) / limit
    return np.clip(np.round(weights / steps), -limit, limit).astype(np.int8), steps.astype(np.float32)


def main(arguments: Sequence[str]) -> None:
    """``MODEL.onnx OUT.onnx`` or ``--measure MODEL.onnx``."""
    if arguments[0] != "--measure":
        compact(Path(arguments[0]), Path(arguments[1]))
        return
    from nlp.weights import DEFAULT_MODEL

    rows = [{"low": span.low, "high": span.high, "shrink": span.shrink} for span in measure(Path(arguments[1]))]
    lines = ",\n".join(json.dumps(row) for row in rows)
    RANGES.write_text(f'{{"model": "{DEFAULT_MODEL}", "inputs": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
