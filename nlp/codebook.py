"""The codebook: what the labels mean, as data with a hash."""

from __future__ import annotations

import hashlib
import json
import textwrap
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from store.records import ConfigError

DEFAULT = Path(__file__).with_name("codebook.toml")


@dataclass(frozen=True, slots=True)
class Code:
    """One second-level code: its label, what belongs, what does not, and examples that bear it."""

    code: str
    label: str
    name: str
    definition: str
    excludes: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Codebook:
    """Labels in decision order, rules and codes. ``digest`` is ``sha256:…`` over all of it, layout aside."""

    name: str
    version: str
    unit: str
    principle: str
    context: str
    order: tuple[str, ...]
    decision: tuple[str, ...]
    ties: tuple[str, ...]
    notes: tuple[str, ...]
    codes: tuple[Code, ...]

    @property
    def digest(self) -> str:
        """The hash that every label carries."""
        data = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(data.encode()).hexdigest()

    def rows(self) -> list[dict[str, Any]]:
        """One row a code, for tables and JSON."""
        head = {"codebook": self.name, "version": self.version, "digest": self.digest}
        return [{**asdict(code), "examples": list(code.examples), **head} for code in self.codes]

    def to_text(self) -> str:
        """The codebook for reading on a terminal."""
        lines = [
            f"{self.name}, version {self.version}",
            self.digest,
            "",
            self.principle,
            f"Unit: {self.unit}.",
            self.context,
        ]
        lines += [
            "",
            "Decision order (stop at the first yes):",
            *(f"{n}. {rule}" for n, rule in enumerate(self.decision, 1)),
        ]
        for code in self.codes:
            lines += ["", f"{code.code} {code.name} ({code.label})", f"  {code.definition}", f"  Not: {code.excludes}"]
            lines += [f"  + {example}" for example in code.examples]
        lines += ["", "Ties:", *self.ties, "", "Notes:", *(f"- {note}" for note in self.notes)]
        return "\n".join(part for line in lines for part in textwrap.wrap(line, 100, subsequent_indent="    ") or [""])


def load_codebook(path: Path | None = None) -> Codebook:
    """Read a codebook (default: the one that is shipped). Raises ``ConfigError`` for a file that is none."""
    place = path or DEFAULT
    try:
        data = tomllib.loads(place.read_text(encoding="utf-8"))
        codes = tuple(_code(row, data["order"]) for row in data["code"])
        texts = {name: str(data[name]) for name in ("name", "version", "unit", "principle", "context")}
        lists = {name: tuple(map(str, data[name])) for name in ("order", "decision", "ties", "notes")}
    except FileNotFoundError as error:
        raise ConfigError(f"{place}: no such codebook") from error
    except (KeyError, TypeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place}: no codebook ({error})", hint="nlp/codebook.toml shows the form") from error
    return Codebook(**texts, **lists, codes=codes)  # type: ignore[arg-type]


def _code(row: dict[str, Any], order: list[str]) -> Code:
    if row["label"] not in order:
        raise KeyError(f"label {row['label']!r} of code {row['code']} is not in order")
    return Code(row["code"], row["label"], row["name"], row["definition"], row["not"], tuple(row["examples"]))
