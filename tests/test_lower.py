"""The classifier's own encoder: its graph against MPNet as transformers has it, its rounding, its files."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp import lower
from nlp.compact import span_of
from nlp.encoder import OnnxEncoder, acts_encoder
from nlp.mpnet import WIDTH, Weights, bucket_of, graph_of, rounded_inputs
from nlp.onnx_model import arrays_of
from nlp.weights import ACTS, file_digest, find_acts
from store.records import ModelUnavailable

pytestmark = pytest.mark.model

ROWS = [[0, 5, 7, 2], [0, *range(4, 60), 2], [0, 9, 2]]


@pytest.fixture(scope="module")
def mpnet() -> Any:
    """Two layers of an MPNet with weights drawn at random."""
    import torch
    from transformers import MPNetConfig, MPNetModel

    torch.manual_seed(0)
    config = MPNetConfig(vocab_size=64, num_hidden_layers=2, layer_norm_eps=1e-5, initializer_range=0.05)
    model: Any = MPNetModel(config)
    return model.eval()


@pytest.fixture(scope="module")
def weights(mpnet: Any) -> Weights:
    return {name: value.detach().numpy() for name, value in mpnet.state_dict().items()}


def run(model: Any, rows: list[list[int]], names: list[str]) -> list[Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(names, arrays_of(list(rows))))


def test_distances_fall_into_the_buckets_that_transformers_has(mpnet: Any) -> None:
    import torch

    apart = np.arange(-255, 256)
    theirs = mpnet.encoder.relative_position_bucket(torch.from_numpy(apart)).numpy()
    assert bucket_of(apart, 32).tolist() == theirs.tolist()


def test_the_graph_says_what_transformers_says(mpnet: Any, weights: Weights) -> None:
    import torch

    pooled, states = run(graph_of(weights, None), ROWS, ["pooled", "middle"])
    longest = max(map(len, ROWS))
    ids = torch.tensor([[*row, *[1] * (longest - len(row))] for row in ROWS])  # 1: MPNet's padding
    with torch.no_grad():
        theirs = mpnet(input_ids=ids, attention_mask=(ids != 1).long()).last_hidden_state.numpy()
    for n, row in enumerate(ROWS):
        assert np.allclose(states[n, : len(row)], theirs[n, : len(row)], atol=1e-4)
        assert np.allclose(pooled[n], theirs[n, : len(row)].mean(axis=0), atol=1e-4)


def test_in_integers_it_says_nearly_the_same(weights: Weights) -> None:
    names = rounded_inputs(2)
    whole = graph_of(weights, None)
    seen = run(whole, ROWS, names)
    spans = [span_of(one.min(axis=(0, 1)), one.max(axis=(0, 1))) for one in seen]
    expected, found = (run(model, ROWS, ["pooled"])[0] for model in (whole, graph_of(weights, spans)))
    cosine = (expected * found).sum(axis=1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
    assert cosine.min() > 0.99
    assert not np.allclose(expected, found, atol=1e-4)
    with pytest.raises(ValueError, match="3 ranges for 8 inputs"):
        graph_of(weights, spans[:3])


def test_the_shipped_encoder_is_what_its_note_says() -> None:
    note = json.loads((ACTS / "encoder.json").read_text(encoding="utf-8"))
    assert file_digest(ACTS / "model.onnx") == note["model_sha256"]
    assert file_digest(ACTS / "tokenizer.json") == note["tokenizer_sha256"] == lower.PUBLISHED["tokenizer.json"]
    assert note["base"]["model.safetensors"] == lower.PUBLISHED["model.safetensors"]
    assert acts_encoder().dimensions == WIDTH


def test_a_sentence_reads_the_same_whatever_stands_beside_it() -> None:
    encoder = acts_encoder()
    texts = ["Thank you!", "Visit our website today.", "Stir until it melts. " * 80, "", "\ud800 lone \x00"]
    together = encoder.encode(texts)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, together, strict=True):
        assert np.allclose(encoder.encode([text])[0], vector, atol=2e-6)
    assert encoder.compact() is encoder


def test_a_changed_encoder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    copy = tmp_path / "acts"
    shutil.copytree(ACTS, copy)
    graph = copy / "model.onnx"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 1
    graph.write_bytes(data)
    with pytest.raises(ModelUnavailable, match="SHA-256 differs"):
        OnnxEncoder(find_acts(copy)).encode(["a"])
    graph.write_bytes(data[:-1])
    with pytest.raises(ModelUnavailable, match="not the file"):
        find_acts(copy)
    graph.unlink()
    with pytest.raises(ModelUnavailable, match="no encoder"):
        find_acts(copy)


def test_other_weights_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ModelUnavailable, match="not the published file"):
        lower.check(tmp_path)
