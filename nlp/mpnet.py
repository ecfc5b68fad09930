"""The lower layers of an MPNet as an ONNX graph, made operator by operator from their weights.

MPNet (Song et al. 2020) is BERT with a learned bias on the attention's scores that hangs on how far apart two words are, the
same in every layer. onnxruntime's own rewriting knows BERT only, so the graph is put together here, at once in the form that
runs fastest: integers of eight bits on fixed scales (why: ``nlp.compact``), attention as one operator.

Inputs and outputs are those of ``nlp.export``: ``input_ids``, ``attention_mask``, ``token_type_ids`` (not used); ``pooled``, the
mean of the last layer over the mask, and ``middle``, here that last layer itself: there is nothing above it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.compact import DOMAIN, LIMIT, TABLE_LIMIT, Span, whole_numbers
from nlp.export import INPUTS, OPSET

Weights = Mapping[str, NDArray[np.float32]]

#: MPNet base: heads of the attention, width of a state, and the term that keeps a norm from dividing by nothing.
HEADS, WIDTH, EPSILON = 12, 768, 1e-5

#: Word pieces that are read at most; farther apart than ``FARTHEST`` all distances are alike.
LONGEST, FARTHEST = 256, 128

#: The first rows of MPNet's table of places stand for padding.
FIRST_PLACE = 2

#: onnx's numbers for types.
FLOAT, INT64, INT32 = 1, 7, 6


def layers_of(weights: Weights) -> int:
    """How many layers there are weights for."""
    return 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))


def graph_of(weights: Weights, spans: Sequence[Span] | None) -> Any:
    """The model (``onnx.ModelProto``). Without ``spans`` in floats, and what would be rounded is given as well.

    ``spans`` say for each product's input, in the graph's order, what it holds: four for a layer.
    """
    return _Builder(weights, spans).model()


def rounded_inputs(layers: int) -> list[str]:
    """The names of what is rounded, in the graph's order."""
    return [f"layer{n}/{part}" for n in range(layers) for part in ("in", "context", "middle_in", "wide")]


class _Builder:
    """Collects nodes and constants."""

    def __init__(self, weights: Weights, spans: Sequence[Span] | None) -> None:
        self._weights, self._layers = weights, layers_of(weights)
        names = rounded_inputs(self._layers)
        if spans is not None and len(spans) != len(names):
            raise ValueError(f"{len(spans)} ranges for {len(names)} inputs")
        self._spans = dict(zip(names, spans, strict=True)) if spans is not None else None
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def model(self) -> Any:
        """Everything put together."""
        import onnx

        states, bias, mask = self._words(), self._distances(), self._node("Cast", ["attention_mask"], "mask", to=INT32)
        for number in range(self._layers):
            states = self._layer(number, states, bias, mask)
        self._node("Identity", [states], "middle")
        self._pool(states)
        helper = onnx.helper
        inputs = [helper.make_tensor_value_info(name, INT64, ["batch", "tokens"]) for name in INPUTS]
        outputs = [
            helper.make_tensor_value_info("pooled", FLOAT, ["batch", WIDTH]),
            helper.make_tensor_value_info("middle", FLOAT, ["batch", "tokens", WIDTH]),
        ]
        if self._spans is None:
            outputs += [helper.make_tensor_value_info(name, FLOAT, None) for name in rounded_inputs(self._layers)]
        graph = helper.make_graph(self._nodes, "mpnet", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def _words(self) -> str:
        """Vectors of the word pieces and of their places, normed."""
        table, places = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
        if self._spans is None:
            words = self._node("Gather", [self._constant("words", self._weights[table]), "input_ids"], "word_vectors")
        else:
            values, steps = whole_numbers(self._weights[table].T, TABLE_LIMIT)
            whole = self._constant("words", np.ascontiguousarray(values.T))
            rows = self._node("Gather", [whole, "input_ids"], "word_numbers")
            floats = self._node("Cast", [rows], "word_floats", to=FLOAT)
            scale = self._node("Gather", [self._constant("word_scales", steps[:, None]), "input_ids"], "word_scale")
            words = self._node("Mul", [floats, scale], "word_vectors")
        held = self._weights[places][FIRST_PLACE : FIRST_PLACE + LONGEST]
        where = self._node("Gather", [self._constant("places", held), self._order()], "place_vectors")
        return self._norm("embeddings.LayerNorm", self._node("Add", [words, where], "word_sum"), "layer0/in")

    def _order(self) -> str:
        """0, 1, 2 … for the tokens."""
        shape = self._node("Shape", ["input_ids"], "shape", start=1, end=2)
        count = self._node("Squeeze", [shape], "count")
        zero, one = self._constant("zero", np.array(0)), self._constant("one", np.array(1))
        return self._node("Range", [zero, count, one], "order")

    def _distances(self) -> str:
        """What is added to the attention's scores for each pair of places: shape (1, heads, tokens, tokens)."""
        apart = np.arange(-LONGEST + 1, LONGEST)
        table = self._weights["encoder.relative_attention_bias.weight"]
        by_distance = table[bucket_of(apart, len(table))]
        rows = self._node("Unsqueeze", ["order", self._constant("axis1", np.array([1]))], "rows")
        difference = self._node("Sub", ["order", rows], "apart")
        index = self._node("Add", [difference, self._constant("offset", np.array(LONGEST - 1))], "distance")
        found = self._node("Gather", [self._constant("by_distance", by_distance), index], "bias_by_pair")
        turned = self._node("Transpose", [found], "bias_by_head", perm=[2, 0, 1])
        return self._node("Unsqueeze", [turned, self._constant("axis0", np.array([0]))], "bias")

    def _layer(self, number: int, states: str, bias: str, mask: str) -> str:
        own, name = f"encoder.layer.{number}", f"layer{number}"
        heads = [f"{own}.attention.attn.{part}" for part in "qkv"]
        matrix = np.concatenate([self._weights[f"{part}.weight"].T for part in heads], axis=1)
        more = np.concatenate([self._weights[f"{part}.bias"] for part in heads])
        thirds = [f"{name}/{part}" for part in "qkv"]
        sizes = self._constant(f"{name}/thirds", np.array([WIDTH] * 3))
        self._node("Split", [self._product(states, matrix, more, f"{name}/qkv"), sizes], *thirds, axis=-1)
        # the scores are divided by the root of a head's width by the operator itself
        looked = self._node(
            "MultiHeadAttention", [*thirds, "", mask, bias], f"{name}/context", domain=DOMAIN, num_heads=HEADS
        )
        out = self._dense(looked, f"{own}.attention.attn.o", f"{name}/attended")
        states = self._norm(
            f"{own}.attention.LayerNorm", self._node("Add", [out, states], f"{name}/sum1"), f"{name}/middle_in"
        )
        wide = self._dense(states, f"{own}.intermediate.dense", f"{name}/inner")
        wide = self._node("Gelu", [wide], f"{name}/wide", domain=DOMAIN)
        out = self._dense(wide, f"{own}.output.dense", f"{name}/outer")
        after = f"layer{number + 1}/in"
        return self._norm(f"{own}.output.LayerNorm", self._node("Add", [out, states], f"{name}/sum2"), after)

    def _dense(self, source: str, weights: str, out: str) -> str:
        return self._product(source, self._weights[f"{weights}.weight"].T, self._weights[f"{weights}.bias"], out)

    def _product(self, source: str, matrix: NDArray[np.float32], more: NDArray[np.float32], out: str) -> str:
        """``source @ matrix + more``, in integers where ranges are known."""
        bias = self._constant(f"{out}/bias", more)
        if self._spans is None:
            parts = [source, self._constant(f"{out}/matrix", np.ascontiguousarray(matrix))]
            return self._node("Add", [self._node("MatMul", parts, f"{out}/product"), bias], out)
        span = self._spans[source]
        factors = span.factors(len(matrix))
        even = source
        if span.shrink:
            even = self._node("Mul", [source, self._constant(f"{source}/shrink", 1 / factors)], f"{source}/even")
        step = (span.high - span.low) / 255
        scale = self._constant(f"{source}/scale", np.array(step, np.float32))
        zero = self._constant(f"{source}/zero", np.array(round(-span.low / step), np.uint8))
        whole = self._node("QuantizeLinear", [even, scale, zero], f"{source}/whole")
        values, steps = whole_numbers(matrix * factors[:, None], LIMIT)
        weights: dict[str, NDArray[Any]] = {"numbers": values, "steps": steps, "zeros": np.zeros(len(steps), np.int8)}
        w, w_scale, w_zero = (self._constant(f"{out}/{part}", array) for part, array in weights.items())
        inputs = [whole, w, scale, w_scale, zero, w_zero, bias]
        return self._node("MatMulIntegerToFloat", inputs, out, domain=DOMAIN)

    def _norm(self, weights: str, source: str, out: str) -> str:
        parts = [self._constant(f"{weights}.{part}", self._weights[f"{weights}.{part}"]) for part in ("weight", "bias")]
        return self._node("LayerNormalization", [source, *parts], out, axis=-1, epsilon=EPSILON)

    def _pool(self, states: str) -> None:
        weights = self._node("Cast", ["attention_mask"], "mask_floats", to=FLOAT)
        column = self._node("Unsqueeze", [weights, self._constant("axis2", np.array([2]))], "mask_column")
        axis = self._constant("tokens_axis", np.array([1]))
        total = self._node("ReduceSum", [self._node("Mul", [states, column], "masked"), axis], "total", keepdims=0)
        self._node("Div", [total, self._node("ReduceSum", [column, axis], "said", keepdims=0)], "pooled")

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        import onnx

        self._constants.append(onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def _node(self, operator: str, inputs: Sequence[str], *outputs: str, **more: Any) -> str:
        import onnx

        self._nodes.append(onnx.helper.make_node(operator, list(inputs), list(outputs), **more))
        return outputs[0]


def bucket_of(apart: NDArray[np.int64], buckets: int) -> NDArray[np.int64]:
    """Which row of the table of distances stands for ``apart`` (key's place less query's), as T5 and MPNet have it:

    half of the rows for words after, half for words before; of each half the first half word by word, the rest on a
    logarithmic scale up to ``FARTHEST``.
    """
    half = buckets // 2
    exact = half // 2
    far = np.abs(apart)
    scaled = exact + (np.log(np.maximum(far, 1) / exact) / math.log(FARTHEST / exact) * (half - exact)).astype(np.int64)
    return np.asarray(np.where(apart > 0, half, 0) + np.where(far < exact, far, np.minimum(scaled, half - 1)))
