"""Encoders other than the default kind: any sentence-transformers model by name or directory, a model on a GPU, an ONNX file.

They give what ``nlp.encoder.Encoder`` promises. Only safetensors are loaded and no code that a model brings is run: weights
from elsewhere are data.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlp.onnx_model import clean_text, token_batches
from nlp.weights import file_digest
from store.records import ModelUnavailable

__all__ = ["OnnxFileEncoder", "TorchEncoder", "is_hub_name", "wants_torch"]

#: ``name`` or ``organisation/name``, as the hub has them.
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")

#: Texts of an ONNX file's model are cut to so many word pieces unless a ``sentence_bert_config.json`` beside it says more.
MAX_TOKENS = 256

#: Texts that a GPU gets at once.
TORCH_BATCH = 64

Floats = NDArray[np.float32]


def is_hub_name(named: str) -> bool:
    """Whether it reads as a model's name on the hub and no such file is here."""
    return _HUB_NAME.fullmatch(named) is not None and not Path(named).exists()


def wants_torch(folder: Path) -> bool:
    """Whether a sentence-transformers directory is more than BERT, mean pooling and length 1, which need no torch."""
    config, modules = _json(folder / "config.json"), _json(folder / "modules.json")
    if not isinstance(config, dict) or not config:
        return False
    kinds = {str(module.get("type", "")).rpartition(".")[2] for module in modules or () if isinstance(module, dict)}
    pooling = _json(folder / "1_Pooling" / "config.json") or {}
    other_pooling = bool(pooling) and not pooling.get("pooling_mode_mean_tokens", pooling.get("pooling_mode") == "mean")
    return config.get("model_type") != "bert" or bool(kinds - {"Transformer", "Pooling", "Normalize"}) or other_pooling


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


class TorchEncoder:
    """A sentence-transformers model run by torch: ``named`` is a directory or a name on the hub, ``device`` as torch has it.

    ``fingerprint`` may be given where the same weights are known under one.
    """

    def __init__(self, named: str, device: str | None = None, fingerprint: str | None = None) -> None:
        self._named, self._device, self._fingerprint = named, device, fingerprint

    @cached_property
    def _folder(self) -> Path:
        if Path(self._named).is_dir():
            return Path(self._named)
        try:
            from huggingface_hub import snapshot_download

            patterns = ["*.json", "*.txt", "*.model", "*.safetensors"]
            return Path(snapshot_download(self._named, allow_patterns=patterns))
        except (ImportError, OSError, ValueError) as error:
            why = f"not a directory here, and the hub cannot be reached ({type(error).__name__})"
            raise ModelUnavailable(
                f"{self._named}: {why}", hint="give the path of a sentence-transformers model"
            ) from error

    @cached_property
    def _model(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(
                str(self._folder), device=self._device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
        except (ImportError, OSError, ValueError, RuntimeError, KeyError) as error:
            raise ModelUnavailable(f"{self._named}: cannot be loaded ({_first_line(error)})") from error

    @cached_property
    def fingerprint(self) -> str:
        """The model's name and the first 12 hex digits over its weights and whatever else decides a vector."""
        if self._fingerprint is not None:
            return self._fingerprint
        files = sorted(p for p in self._folder.rglob("*") if p.suffix in (".safetensors", ".json", ".txt", ".model"))
        if not any(path.suffix == ".safetensors" for path in files):
            raise ModelUnavailable(f"{self._named}: no safetensors in it, and pickled weights are not loaded")
        parts = [f"{path.relative_to(self._folder).as_posix()}:{file_digest(path)}" for path in files]
        name = self._folder.resolve().name if Path(self._named).is_dir() else self._named.rpartition("/")[2]
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
        return f"{name}@{digest[:12]}"

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self._model.get_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, shape (texts, dimensions)."""
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        found = self._model.encode(
            [clean_text(text) for text in texts],
            batch_size=TORCH_BATCH,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return np.asarray(found, np.float32)


class OnnxFileEncoder:
    """An ONNX file with its ``tokenizer.json`` beside it. Its first output is pooled, or the last layer, which is mean-pooled."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokenizer_file = path.with_name("tokenizer.json")
        for file in (path, self._tokenizer_file):
            if not file.is_file():
                raise ModelUnavailable(f"{file}: no such file", hint="an ONNX model needs its tokenizer.json beside it")

    @cached_property
    def fingerprint(self) -> str:
        """The file's name and the first 12 hex digits over it and its tokenizer."""
        both = f"{file_digest(self._path)}:{file_digest(self._tokenizer_file)}"
        return f"{self._path.stem}@{hashlib.sha256(both.encode()).hexdigest()[:12]}"

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base but this
            raise ModelUnavailable(f"{self._path}: cannot be loaded ({_first_line(error)})") from error

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
        tokenizer.no_padding()
        config = _json(self._path.with_name("sentence_bert_config.json")) or {}
        tokenizer.enable_truncation(int(config.get("max_seq_length") or MAX_TOKENS))
        return tokenizer

    @cached_property
    def dimensions(self) -> int:
        """Length of a vector: the model is asked once."""
        return int(self._pooled([self._tokenizer.encode("a").ids]).shape[1])

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors, shape (texts, dimensions)."""
        ids = [self._tokenizer.encode(clean_text(text)).ids or [0] for text in texts]
        out = np.zeros((len(ids), self.dimensions), np.float32)
        for batch in token_batches([len(row) for row in ids]):
            out[batch] = self._pooled([ids[i] for i in batch])
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return out

    def _pooled(self, rows: list[list[int]]) -> Floats:
        width = max(map(len, rows))
        tokens = np.array([row + [0] * (width - len(row)) for row in rows], np.int64)
        mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], np.int64)
        known = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        wanted = [one.name for one in self._session.get_inputs()]
        if not set(wanted) <= set(known):
            raise ModelUnavailable(
                f"{self._path}: asks for {', '.join(wanted)}; no encoder of texts that is known here"
            )
        found = np.asarray(self._session.run(None, {name: known[name] for name in wanted})[0], np.float32)
        if found.ndim == 3:
            weights = mask[:, :, None].astype(np.float32)
            found = (found * weights).sum(axis=1) / weights.sum(axis=1)
        return found


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
