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

    @property
    def residual(self) -> str:
        """The last label: what remains when no other applies."""
        return self.order[-1]

    def label_of(self, code: str) -> str | None:
        """The label that a code stands under; ``None`` for a code that the codebook does not have."""
        return next((one.label for one in self.codes if one.code == code), None)

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
            lines += ["", f"{code.code} {code.name} ({code.label})", f"  {code.definition}"]
            lines += [f"  Not: {code.excludes}"] if code.excludes else []
            lines += [f"  + {example}" for example in code.examples]
        lines += ["", "Ties:", *self.ties, "", "Notes:", *(f"- {note}" for note in self.notes)]
        return "\n".join(part for line in lines for part in textwrap.wrap(line, 100, subsequent_indent="    ") or [""])


def load_codebook(path: Path | None = None) -> Codebook:
    """Read a codebook (default: the one that is shipped). Raises ``ConfigError`` for a file that is none.

    A codebook needs ``name``, ``version``, ``order`` (labels, the first that applies is given, the last is what remains) and
    a ``[[code]]`` with ``code``, ``label`` and ``definition`` for each label at least; the rest may be left out.
    """
    place = path or DEFAULT
    try:
        data = tomllib.loads(place.read_text(encoding="utf-8"))
        lists = {name: _texts(data, name) for name in ("order", "decision", "ties", "notes")}
        codes = tuple(_code(row, lists["order"]) for row in data["code"])
        texts = {name: str(data[name]) for name in ("name", "version")}
        more = {name: str(data.get(name, "")) for name in ("unit", "principle", "context")}
        _check(lists["order"], codes)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ConfigError(f"{place}: no such codebook") from error
    except (KeyError, TypeError, ValueError) as error:  # TOML's and Unicode's errors are ValueErrors
        said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{place}: no codebook ({said})", hint="`chorus codebook --toml` shows the form") from error
    return Codebook(**texts, **more, **lists, codes=codes)  # type: ignore[arg-type]


def _texts(data: dict[str, Any], name: str) -> tuple[str, ...]:
    values = data[name] if name == "order" else data.get(name, [])
    if not isinstance(values, list):
        raise TypeError(f"{name} is not a list")
    return tuple(map(str, values))


def _code(row: dict[str, Any], order: tuple[str, ...]) -> Code:
    if row["label"] not in order:
        raise ValueError(f"label {row['label']!r} of code {row['code']} is not in order")
    name, excludes = str(row.get("name", row["label"])), str(row.get("not", ""))
    return Code(str(row["code"]), row["label"], name, str(row["definition"]), excludes, _texts(row, "examples"))


def _check(order: tuple[str, ...], codes: tuple[Code, ...]) -> None:
    """Raise ``ValueError`` for labels or codes that cannot be coded with."""
    if len(order) < 2 or len(set(order)) < len(order) or not all(order):
        raise ValueError("order needs two labels at least, each once")
    names = [code.code.casefold() for code in codes]
    if len(set(names)) < len(names):
        raise ValueError(f"code {next(n for n in names if names.count(n) > 1)} is there twice")
    without = set(order) - {code.label for code in codes}
    if without:
        raise ValueError(f"label {min(without)!r} has no code")
