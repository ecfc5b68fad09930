"""What a line typed while coding means, for any codebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlp.codebook import Codebook

#: Keys that are no label. Each can be typed with a colon before it, for codebooks with a code of that name.
COMMANDS = {"?": "define", "u": "undo", "s": "skip", "n": "note", "q": "quit"}

#: What the keys do, as the legend says it.
MEANINGS = {"?": "definitions", "u": "undo", "s": "skip", "n": "note TEXT", "q": "quit"}


@dataclass(frozen=True, slots=True)
class Key:
    """What was typed: ``act`` is ``code`` (with ``label``, ``code``), a value of ``COMMANDS`` (with ``text``) or ``unknown``."""

    act: str
    label: str = ""
    code: str | None = None
    text: str = ""


class Keys:
    """The keys of one codebook. A code goes before a label's name, that before a label's number, letter case apart."""

    def __init__(self, codebook: Codebook) -> None:
        numbers = {str(n): (label, None) for n, label in enumerate(codebook.order, 1)}
        labels = {label.casefold(): (label, None) for label in codebook.order}
        codes = {code.code.casefold(): (code.label, code.code) for code in codebook.codes}
        self._codebook = codebook
        self._table: dict[str, tuple[str, str | None]] = {**numbers, **labels, **codes}

    def read(self, line: str) -> Key:
        """The meaning of one line."""
        typed = line.strip()
        found = self._table.get(typed.casefold())
        if found is not None:
            return Key("code", *found)
        name, _, rest = typed.partition(" ")
        act = COMMANDS.get(name.removeprefix(":").casefold())
        if act is None or (rest and act not in ("note", "define")):
            return Key("unknown", text=typed)
        return Key(act, text=rest.strip())

    def legend(self) -> list[str]:
        """The labels with the keys that give them, then the other keys."""
        return [f"{self._label_key(label)}: {self._codes(label)}" for label in self._codebook.order] + [self.commands()]

    def labels(self) -> str:
        """The labels with their keys, on one line."""
        return "   ".join(self._label_key(label) for label in self._codebook.order)

    def commands(self) -> str:
        """The keys that are no label, as they must be typed with this codebook."""
        return "   ".join(f"{':' * (key in self._table)}{key} {MEANINGS[key]}" for key in COMMANDS)

    def _label_key(self, label: str) -> str:
        number = str(self._codebook.order.index(label) + 1)
        return f"{number} {label}" if self._table.get(number) == (label, None) else label

    def _codes(self, label: str) -> str:
        return " · ".join(f"{code.code} {code.name}" for code in self._codebook.codes if code.label == label)
