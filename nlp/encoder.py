"""Sentence embeddings: texts in, unit vectors out.

``python -m nlp.encoder`` makes the default model ready and says what it is.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nlp.any_encoder import OnnxFileEncoder, TorchEncoder, is_hub_name, wants_torch
from nlp.onnx_model import COMPACT_VERSION, OnnxModel, Use, cache_root, clean_text
from nlp.weights import PACKAGE, QUICK, ModelFiles, find_acts, find_default_weights, find_weights
from store.records import ModelUnavailable

__all__ = ["Encoder", "OnnxEncoder", "acts_encoder", "default_encoder", "load_encoder", "quick_encoder"]

#: Texts tokenised at a time, so that a long list costs no second copy of itself in word pieces.
CHUNK = 4_096


class Encoder(Protocol):
    """What search and indexing need of an embedding model."""

    @property
    def fingerprint(self) -> str:
        """Names the model and its weights; vectors of different fingerprints must not be compared."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector of length 1 for each text, in the same order: shape (texts, dimensions)."""
        ...


class OnnxEncoder:
    """A sentence-transformers model (BERT, mean pooling, normalised) through onnxruntime, without torch."""

    def __init__(self, files: ModelFiles, use: Use = "bulk", *, small: bool = False) -> None:
        self._files = files
        self._use = use
        self._small = small

    @cached_property
    def model(self) -> OnnxModel:
        """What runs it."""
        return OnnxModel(self._files, self._use, compact=self._small)

    def compact(self) -> OnnxEncoder:
        """The same model in its smaller, faster form (``nlp.compact``), whose vectors are others; itself where it has none."""
        return OnnxEncoder(self._files, self._use, small=True) if self._files.is_default else self

    @property
    def fingerprint(self) -> str:
        """The model's name, the first 12 hex digits over its weights and tokenizer, and how it was made smaller, if it was."""
        return f"{self._files.name}@{self._files.digest[:12]}" + (f"-compact{COMPACT_VERSION}" if self._small else "")

    @property
    def dimensions(self) -> int:
        """Length of a vector (384 for the default model)."""
        return self._files.dimensions

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (texts, dimensions). Texts beyond the model's 256 word pieces are cut, as it was trained."""
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), CHUNK):
            part = self.tokens(texts[start : start + CHUNK])
            out[start : start + len(part)] = self.model.pooled(part)
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return out

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The word pieces of each text, by their numbers."""
        return [self._tokens(text) for text in texts]

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.model.tokenizer.encode(clean_text(text)).ids
        if len(ids) > self._files.max_tokens:
            ids = [*ids[: self._files.max_tokens - 1], ids[-1]]
        return ids


def load_encoder(path: str | Path | None = None, *, use: Use = "bulk") -> Encoder:
    """The embedding model at ``path``, else at ``CHORUS_MODEL``, else the default one. Loads nothing heavy yet.

    ``path`` is the directory of a sentence-transformers model, its name on the hub, or an ONNX file with its tokenizer
    beside it. BERT with mean pooling needs no torch; anything else does, and so does ``CHORUS_DEVICE`` (``cuda``, ``mps``)
    for many texts. ``use`` says what for: the vectors are the same to six digits, start and speed differ
    (``nlp.onnx_model.Use``). Raises ``ModelUnavailable`` when there is none or its weights are not what they should be.
    """
    named, device = str(path or os.environ.get("CHORUS_MODEL") or ""), os.environ.get("CHORUS_DEVICE")
    if named.endswith(".onnx") or is_hub_name(named) or (named and wants_torch(Path(named).expanduser())):
        return _other(named, device)
    if device and device != "cpu" and use == "bulk":
        files = find_weights(path)
        return TorchEncoder(str(files.path), device, OnnxEncoder(files).fingerprint)
    return OnnxEncoder(find_weights(path) if use == "bulk" else _known(path), use)


def _other(named: str, device: str | None) -> Encoder:
    place = Path(named).expanduser()
    return OnnxFileEncoder(place) if place.suffix == ".onnx" else TorchEncoder(str(place), device)


def default_encoder() -> Encoder:
    """The default model, whatever is configured. Raises ``ModelUnavailable`` when it is not to be had."""
    return OnnxEncoder(find_default_weights())


def acts_encoder() -> OnnxEncoder:
    """The classifier's own encoder (``nlp/acts``, made by ``nlp.lower``). Raises ``ModelUnavailable`` when it is not there."""
    return OnnxEncoder(find_acts())


def quick_encoder() -> OnnxEncoder:
    """The fast classifier's encoder (``nlp/quick``, made by ``nlp.distil``). Raises ``ModelUnavailable`` when it is not there."""
    return OnnxEncoder(find_acts(QUICK))


def _known(path: str | Path | None) -> ModelFiles:
    """What ``find_weights`` finds; files that have not changed since their digests were last taken are not read again.

    Taking them costs 0.08 s, a tenth of a query. The system notes every change of a file in its ctime, which no program
    can set back.
    """
    folder = _folder(path)
    if folder is None:
        return find_weights(path)
    note = cache_root() / "models" / f"known-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}.json"
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["states"] == _states(folder):
            return ModelFiles(**{**known["files"], "path": folder})
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not noted yet, or by another version
    states, files = _states(folder), find_weights(path)
    if files.path == folder:
        _write_note(note, {"states": states, "files": {**asdict(files), "path": None}})
    return files


def _folder(path: str | Path | None) -> Path | None:
    """Where ``find_weights`` will look first."""
    named = path or os.environ.get("CHORUS_MODEL")
    if named:
        return Path(named).expanduser()
    spec = importlib.util.find_spec(PACKAGE)
    return Path(spec.origin).parent / "model" if spec is not None and spec.origin else None


def _states(folder: Path) -> list[list[int]]:
    """What changes when any file of the model does."""
    stats = [file.stat() for file in sorted(folder.rglob("*")) if file.is_file()]
    return [[stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino] for stat in stats]


def _write_note(note: Path, value: dict[str, Any]) -> None:
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        fresh = note.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(value), encoding="utf-8")
        fresh.replace(note)
    except OSError:
        return  # a cache that cannot be written costs time, nothing else


def main() -> int:
    """Make both models ready unless that was done; run them once, say the embedding model's fingerprint."""
    try:
        encoder = load_encoder()
        acts_encoder().encode(["ready"])
        length = float(np.linalg.norm(encoder.encode(["ready"])[0]))
    except ModelUnavailable as error:
        sys.stderr.write(f"{error}; {error.hint}\n")
        return error.exit_code
    sys.stdout.write(f"{encoder.fingerprint} {encoder.dimensions} {length:.3f}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
