"""spaCy without torch, and without its command line.

spaCy's machine-learning half looks for torch whenever spaCy is imported, and imports it if it is installed: two seconds
and some 200 MB for blank pipelines that never train or run a network. Its command line brings a web client and a project
manager: 0.17 s and 21 MB. Import spaCy through here instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

__all__ = ["import_spacy"]

#: What ``import spacy`` asks for in its command line.
COMMAND_LINE, COMMAND = "spacy.cli", "info"


def import_spacy() -> Any:
    """The ``spacy`` module, imported with torch out of sight unless torch is loaded already.

    ``spacy.cli`` can be imported afterwards.
    """
    if "spacy" not in sys.modules:
        with _replaced({"torch": None, **_empty_command_line()}):
            import spacy
    import spacy

    return spacy


def _empty_command_line() -> dict[str, ModuleType]:
    package, module = ModuleType(COMMAND_LINE), ModuleType(f"{COMMAND_LINE}.{COMMAND}")
    package.__path__ = []
    setattr(module, COMMAND, None)
    return {package.__name__: package, module.__name__: module}


@contextmanager
def _replaced(modules: dict[str, ModuleType | None]) -> Iterator[None]:
    """Have imports within the block find these (``None``: nothing) where none is loaded; a later import finds the real ones."""
    placed = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(placed)  # type: ignore[arg-type]  # None is the documented way to say "cannot be imported"
    try:
        yield
    finally:
        for name, module in placed.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
