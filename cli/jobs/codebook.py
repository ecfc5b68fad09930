"""Printing the codebook."""

from __future__ import annotations

from typing import Any


def codebook_rows() -> list[dict[str, Any]]:
    """One row a second-level code."""
    from nlp.codebook import load_codebook

    return load_codebook().rows()


def codebook_text() -> str:
    """The codebook for reading."""
    from nlp.codebook import load_codebook

    return load_codebook().to_text()
