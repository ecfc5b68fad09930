"""What is installed, what is missing, and what to type."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from store.records import ArchiveError, ChorusError

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


def examine(archive: Path | None = None, *, repair: bool = False) -> list[dict[str, Any]]:
    """One row a part: ``part``, ``ok``, ``found``, ``hint``. With an archive also its search index, mended on request."""
    parts: list[tuple[str, Callable[[], str]]] = [
        ("python", platform.python_version),
        *((name, _package(name)) for name in PACKAGES),
        ("browser", _browser),
        ("embedding model", _model),
        ("classifier", _classifier),
        ("replay (optional)", _replay),
    ]
    if archive is not None and (archive / "chorus.toml").exists():
        parts.append(("search index", lambda: _search_index(archive, repair)))
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


def _replay() -> str:
    """pywb is an extra: its absence is no fault."""
    from harvest.replay import find_server

    try:
        return find_server()
    except ChorusError as error:
        return f"not installed ({error.hint})"


def _search_index(path: Path, repair: bool) -> str:
    from store.archive import Archive
    from store.light import condition
    from store.lock import write_lock
    from store.tables import Tables

    archive = Archive.open(path)
    found = condition(archive.tables_dir)
    empty = not Tables.open(archive).count("passages")
    if repair and found != "current" and not empty:
        with write_lock(archive, "doctor"):
            Tables.open(archive).index_passages()
        return f"was {found}, is {condition(archive.tables_dir)}"
    if found == "torn" and not empty:
        raise ArchiveError("torn", hint="chorus doctor --repair")
    return "nothing to search yet" if empty else found


def _classifier() -> str:
    from cli.jobs.model import load_classifier

    classifier = load_classifier()
    return f"{classifier.name}, codebook {classifier.codebook}"
