"""spaCy without torch.

spaCy's machine-learning half looks for torch whenever spaCy is imported, and imports it if it is installed: two seconds
and some 200 MB for blank pipelines that never train or run a network. Import spaCy through here instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["import_spacy"]


def import_spacy() -> Any:
    """The ``spacy`` module, imported with torch out of sight unless torch is loaded already."""
    with _hidden("torch"):
        import spacy
    return spacy


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Make ``import module`` fail within the block; a later import finds it again."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # None is the documented way to say "cannot be imported"
    try:
        yield
    finally:
        del sys.modules[module]
