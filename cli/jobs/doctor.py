"""What is installed, what is missing, and what to type."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable
from typing import Any

from store.records import ChorusError

PACKAGES = (
    "playwright",
    "beautifulsoup4",
    "spacy",
    "sentence-transformers",
    "lancedb",
    "typer",
    "onnxruntime",
    "warcio",
)


def examine() -> list[dict[str, Any]]:
    """One row a part: ``part``, ``ok``, ``found``, ``hint``."""
    parts: list[tuple[str, Callable[[], str]]] = [
        ("python", platform.python_version),
        *((name, _package(name)) for name in PACKAGES),
        ("browser", _browser),
        ("embedding model", _model),
        ("classifier", _classifier),
    ]
    return [_row(name, check) for name, check in parts]


def _row(name: str, check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"part": name, "ok": True, "found": check(), "hint": None}
    except importlib.metadata.PackageNotFoundError:
        return {"part": name, "ok": False, "found": None, "hint": f"pip install {name}"}
    except ChorusError as error:
        return {"part": name, "ok": False, "found": str(error), "hint": error.hint}


def _package(name: str) -> Callable[[], str]:
    return lambda: importlib.metadata.version(name)


def _browser() -> str:
    from harvest.browser import browser_version, find_browser

    choice = find_browser()
    return f"{browser_version(choice)} at {choice.path}" + (" (no sandbox: root)" if os.geteuid() == 0 else "")


def _model() -> str:
    from cli.jobs.index import open_encoder

    encoder = open_encoder()
    return f"{encoder.fingerprint}, {encoder.dimensions} dimensions"


def _classifier() -> str:
    from nlp.classify import Classifier

    classifier = Classifier.load()
    return f"{classifier.name}, codebook {classifier.codebook}"
