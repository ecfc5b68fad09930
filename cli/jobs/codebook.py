"""Printing the codebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def codebook_rows(path: Path | None) -> list[dict[str, Any]]:
    """One row a second-level code."""
    from cli.jobs.model import codebook_in_use

    return codebook_in_use(path).rows()


def codebook_text(path: Path | None) -> str:
    """The codebook for reading."""
    from cli.jobs.model import codebook_in_use

    return codebook_in_use(path).to_text()


def codebook_toml(path: Path | None) -> str:
    """The codebook's file, to begin one's own from. Raises ``ConfigError`` for a file that is no codebook."""
    from cli.jobs.model import classifier_path, codebook_in_use
    from nlp.classify import codebook_file

    codebook_in_use(path)
    return (path or codebook_file(classifier_path())).read_text(encoding="utf-8")
