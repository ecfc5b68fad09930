"""Writes an embedding model as ONNX. The only module that needs torch and transformers, and it runs only once a machine.

Run as a process of its own (``python -m nlp.export MODEL_DIR OUT.onnx``), so that torch and its memory are gone when it
ends. The graph takes ``input_ids``, ``attention_mask`` and ``token_type_ids`` (int64, batch x tokens) and gives ``pooled``
(float32, batch x dimensions: the mean of the last layer over the tokens of the mask, not normalised) and ``middle`` (float32,
batch x tokens x dimensions: the states two thirds of the way up, where the small words still speak for themselves).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

OPSET = 17

#: How far up the middle layer is: the fourth of six, which did best of all on held-out writers (docs/model.md).
MIDDLE = 2 / 3

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export(model_dir: Path, out: Path, middle: float = MIDDLE) -> None:
    """Trace the model on a small input with free batch and length, and write it to ``out``.

    ``middle`` says how far up the middle layer is (1: the last).
    """
    import torch

    model = _load(model_dir)
    ids = torch.arange(1000, 1014).reshape(2, 7)
    ones = torch.ones_like(ids)
    free = {name: {0: "batch", 1: "tokens"} for name in (*INPUTS, "middle")} | {"pooled": {0: "batch"}}
    with warnings.catch_warnings():
        # The tracer warns of Python values in the masks' code; test_encoder holds the result against torch at many shapes.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _pooling(model, middle),
            (ids, ones, torch.zeros_like(ids)),
            str(out),
            input_names=list(INPUTS),
            output_names=["pooled", "middle"],
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )


def _load(model_dir: Path) -> Any:
    from transformers import AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return AutoModel.from_pretrained(str(model_dir), attn_implementation="eager", local_files_only=True).eval()


def _pooling(model: Any, middle: float) -> Any:
    import torch

    class MeanPooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, mask: Any, types: Any) -> Any:
            states = self.model(
                input_ids=ids, attention_mask=mask, token_type_ids=types, output_hidden_states=True
            ).hidden_states
            weights = mask.unsqueeze(-1).to(states[-1].dtype)
            inner = states[round((len(states) - 1) * middle)]
            return (states[-1] * weights).sum(1) / weights.sum(1).clamp(min=1e-9), inner

    return MeanPooled().eval()


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
