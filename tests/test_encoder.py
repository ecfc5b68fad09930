"""The embedding model: as sentence-transformers has it, but without torch."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlp.encoder import OnnxEncoder, load_encoder
from nlp.onnx_model import cached_onnx, token_batches
from nlp.passages import split_passages
from nlp.weights import find_default_weights, find_weights
from store.records import ModelUnavailable

pytestmark = pytest.mark.model

TEXTS = [
    "Thanks for sharing this with the community!",
    "",
    "  spaces around  ",
    "😀 emoji, accents é ü ñ, العربية, 日本語",
    "a very long one " * 200,
    "one",
    "My write-up of the whole trip is at harborlog.example, have a look.\nSecond line.",
]


def test_equals_sentence_transformers() -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(find_default_weights().path), device="cpu")
    theirs = model.encode(TEXTS, normalize_embeddings=True)
    ours = load_encoder(find_default_weights().path).encode(TEXTS)
    assert ours.shape == (len(TEXTS), 384)
    assert ours.dtype == np.float32
    assert (ours * theirs).sum(axis=1).min() > 0.99999


def test_a_text_has_the_same_vector_alone_and_among_others() -> None:
    encoder = load_encoder()
    together = encoder.encode(TEXTS)
    alone = np.vstack([encoder.encode([text]) for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-5
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_odd_texts_do_no_harm() -> None:
    vectors = load_encoder().encode(["\x00", "\ud800 lone", "x" * 500_000, "word " * 100_000])
    assert np.isfinite(vectors).all()
    assert load_encoder().encode([]).shape == (0, 384)


def test_neither_encoding_nor_classifying_imports_torch() -> None:
    code = (
        "import sys; from nlp.encoder import load_encoder; load_encoder().encode(['a']);"
        "from nlp.classify import Classifier, Item; list(Classifier.load().classify([Item('1', 'Thank you', None, 'comment')]));"
        "bad = {'torch', 'sklearn', 'transformers', 'sentence_transformers', 'weasel'} & set(sys.modules);"
        "import spacy.cli; assert callable(spacy.cli.info);"  # out of the way, and not lost
        "sys.exit(str(bad) if bad else 0)"
    )
    cached_onnx(find_default_weights())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_named_model_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelUnavailable, match=r"no model\.safetensors"):
        find_weights(tmp_path)
    monkeypatch.setenv("CHORUS_MODEL", str(tmp_path))
    with pytest.raises(ModelUnavailable):
        load_encoder()


def test_other_weights_get_another_fingerprint(tmp_path: Path) -> None:
    copy = tmp_path / "mine"
    shutil.copytree(find_default_weights().path, copy)
    assert load_encoder(copy).fingerprint == load_encoder(find_default_weights().path).fingerprint
    with (copy / "tokenizer.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    find_weights.__globals__["_read"].cache_clear()
    assert not find_weights(copy).is_default
    assert load_encoder(copy).fingerprint.startswith("mine@")


def test_a_truncated_cache_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = cached_onnx(find_default_weights())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = cached_onnx(find_default_weights())
    if sys.platform.startswith("linux"):
        assert tmp_path in made.parents
    assert made.stat().st_size == real.stat().st_size
    made.write_bytes(b"cut short")
    assert cached_onnx(find_default_weights()).stat().st_size == real.stat().st_size


def test_batches_hold_every_input_once_within_the_budget() -> None:
    lengths = [3, 250, 7, 7, 120, 1, 256, 30]
    batches = list(token_batches(lengths, budget=300))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * max(lengths[i] for i in b) <= 300 for b in batches)


@pytest.mark.model
def test_the_compact_form_says_nearly_the_same_whatever_stands_beside_it() -> None:
    whole = OnnxEncoder(find_default_weights())
    small = whole.compact()
    assert small.fingerprint != whole.fingerprint  # vectors of one are never taken for the other's
    assert small.fingerprint.startswith(whole.fingerprint)
    texts = ["Thank you!", "Visit our website today.", "Follower counts mean little.", "Stir until it melts. " * 40]
    found, expected = small.encode(texts), whole.encode(texts)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found * expected).sum(axis=1).min() > 0.93  # "Thank you!"; sentences have .99
    assert not np.allclose(found, expected, atol=1e-4)
    for text, vector in zip(texts, found, strict=True):
        assert np.allclose(small.encode([text])[0], vector, atol=2e-6)
    shapes = [states.shape for _, _, states, _ in small.model.states(small.tokens(texts))]
    assert all(width == small.dimensions for *_, width in shapes)


def test_another_model_has_no_compact_form(tmp_path: Path) -> None:
    copy = tmp_path / "mine"
    shutil.copytree(find_default_weights().path, copy)
    with (copy / "tokenizer.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    find_weights.__globals__["_read"].cache_clear()
    other = OnnxEncoder(find_weights(copy))
    assert other.compact() is other


def test_passages_end_with_sentences_and_lose_no_word() -> None:
    text = "One two three four. Five six seven! " * 100
    passages = split_passages(text)
    assert len(passages) > 3
    assert all(text[p.start : p.end] == p.text and p.text[-1] in ".!" for p in passages)
    assert max(len(p.text.split()) for p in passages) <= 120
    assert " ".join(p.text for p in passages).split() == text.split()
    assert split_passages(" \n ") == []


def _tiny_model(folder: Path, kind: str) -> Path:
    """A sentence-transformers model that is no BERT with mean pooling: random weights, the real loading code."""
    import torch
    from sentence_transformers import SentenceTransformer, models  # type: ignore[attr-defined]  # made lazily
    from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

    torch.manual_seed(0)
    base = folder / "base"
    shutil.copytree(
        find_default_weights().path, base, ignore=shutil.ignore_patterns("*.safetensors", "1_*", "modules.json")
    )
    small: dict[str, Any] = {"vocab_size": 30522, "max_position_embeddings": 64}
    if kind == "distilbert":
        DistilBertModel(DistilBertConfig(dim=32, hidden_dim=64, n_layers=1, n_heads=2, **small)).save_pretrained(base)
    else:
        config = BertConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, **small)
        BertModel(config).save_pretrained(base)
    words = models.Transformer(str(base), max_seq_length=64)
    pooling = models.Pooling(32, pooling_mode="cls" if kind == "cls" else "mean")
    SentenceTransformer(modules=[words, pooling], device="cpu").save_pretrained(str(folder / kind))
    return folder / kind


@pytest.mark.model
@pytest.mark.parametrize("kind", ["distilbert", "cls"])
def test_any_sentence_transformers_model_can_be_the_encoder(tmp_path: Path, kind: str) -> None:
    from sentence_transformers import SentenceTransformer

    folder = _tiny_model(tmp_path, kind)
    encoder = load_encoder(folder)
    texts = ["Thank you, Ana.", "My new book is out.", ""]
    theirs = SentenceTransformer(str(folder), device="cpu").encode(texts, normalize_embeddings=True)
    assert np.allclose(encoder.encode(texts), theirs, atol=1e-5)
    assert encoder.dimensions == 32
    assert encoder.fingerprint.startswith(f"{kind}@")
    assert encoder.encode([]).shape == (0, 32)


@pytest.mark.model
def test_an_onnx_file_can_be_the_encoder(tmp_path: Path) -> None:
    files = find_default_weights()
    shutil.copy(cached_onnx(files), tmp_path / "mine.onnx")
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json"):
        load_encoder(tmp_path / "mine.onnx")
    shutil.copy(files.path / "tokenizer.json", tmp_path)
    encoder = load_encoder(tmp_path / "mine.onnx")
    texts = ["A sentence of some length about bees.", "Short.", "Thanks!"]
    assert np.allclose(encoder.encode(texts), load_encoder(files.path).encode(texts), atol=1e-5)
    assert (encoder.dimensions, encoder.fingerprint[:5]) == (384, "mine@")
    (tmp_path / "mine.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        load_encoder(tmp_path / "mine.onnx").encode(["a"])


@pytest.mark.model
def test_a_device_gives_the_same_vectors_under_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = load_encoder()
    monkeypatch.setenv("CHORUS_DEVICE", "cpu:0")  # torch, on the only device that every machine has
    theirs = load_encoder()
    assert theirs.fingerprint == ours.fingerprint
    assert np.allclose(theirs.encode(["One two three."]), ours.encode(["One two three."]), atol=1e-5)


def test_weights_that_would_be_unpickled_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "mpnet"}', encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelUnavailable, match="pickled"):
        load_encoder(tmp_path).fingerprint  # noqa: B018
