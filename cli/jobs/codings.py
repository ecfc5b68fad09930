"""Coded files as they are read: lines of sentences that people gave a label."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.records import NothingFound, UsageError

if TYPE_CHECKING:
    from nlp.codebook import Codebook

#: Keys of a coded file that name the cluster, the first that is there.
CLUSTER_KEYS = ("cluster", "host", "thread_id", "thread", "page", "url")


def read_coded(path: str) -> list[dict[str, Any]]:
    """Lines of a coded file: ``id``, ``text`` and ``label`` at least; of each unit and coder the newest that was not withdrawn.

    Raises ``UsageError`` naming the line.
    """
    import sys

    from store.annotations import newest

    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text") from error
    rows: list[dict[str, Any]] = []
    first: dict[str, tuple[int, Any]] = {}
    for number, line in enumerate(text.split("\n"), 1):  # other line ends may stand within a JSON string
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}: line {number} is not JSON") from error
        if not isinstance(row, dict) or not isinstance(row.get("label"), str) or "id" not in row:
            raise UsageError(f"{path}: line {number} has no id and label")
        earlier, said = first.setdefault(str(row["id"]), (number, row.get("text")))
        if said != row.get("text") and None not in (said, row.get("text")):
            raise UsageError(f"{path}: line {number} has the id of line {earlier} ({row['id']!r}) and another text")
        rows.append(row)
    if not rows:
        raise NothingFound(f"{path}: no coded lines in it")
    return newest(rows)


def cluster_of(row: dict[str, Any]) -> str:
    """What a coded line's sentence is not independent within: its page or thread, else it stands alone."""
    return next((str(row[key]) for key in CLUSTER_KEYS if row.get(key)), str(row["id"]))


@dataclass(frozen=True, slots=True)
class Gold:
    """What coders hold of each unit: a line a unit. ``disagreed`` units have no label that most of their coders gave, and
    ``other`` lines were coded with another codebook: both are left out."""

    rows: list[dict[str, Any]]
    disagreed: int = 0
    other: int = 0


def settled(rows: Iterable[dict[str, Any]], digest: str, name: str, decided_by: str | None = None) -> Gold:
    """One line a unit: that of the coder ``decided_by``, where there is one, else one with the label that most coders gave.

    Raises ``UsageError`` if there are codings, but none with the codebook ``digest`` (called ``name``), or none by that coder.
    """
    every = list(rows)
    own = [row for row in every if row.get("codebook") in (None, digest)]
    if every and not own:
        raise UsageError(f"{len(every)} codings are of {_codebooks(every)}, none is of {name} ({digest[:14]})")
    if decided_by is not None and not any(row.get("coder") == decided_by for row in own):
        raise UsageError(f"--decided-by {decided_by}: no coding is by that coder")
    units: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in own:
        units[str(row["id"])].append(row)
    found = [_settle(codings, decided_by) for codings in units.values()]
    return Gold([row for row in found if row is not None], found.count(None), len(every) - len(own))


def _settle(codings: Sequence[dict[str, Any]], decided_by: str | None) -> dict[str, Any] | None:
    last = [row for row in codings if decided_by is not None and row.get("coder") == decided_by]
    if last:
        return last[-1]
    votes = Counter(str(row["label"]) for row in codings).most_common()
    if len(votes) > 1 and votes[0][1] == votes[1][1]:
        return None
    return next(row for row in codings if row["label"] == votes[0][0])


def own_codings(rows: Iterable[dict[str, Any]], codebook: Codebook, decided_by: str | None = None) -> Gold:
    """``settled`` for a codebook at hand."""
    return settled(rows, codebook.digest, f"{codebook.name} {codebook.version}", decided_by)


def weights_of(rows: Sequence[dict[str, Any]]) -> list[float]:
    """What each unit stands for: the inverse of the ``chance`` with which it was drawn, on average 1; 1 each without any.

    Raises ``UsageError`` if only some lines say their chance, or one says what can be none.
    """
    given = [row.get("chance") for row in rows]
    if all(chance is None for chance in given):
        return [1.0] * len(rows)
    for row, chance in zip(rows, given, strict=True):
        if not isinstance(chance, int | float) or isinstance(chance, bool) or not 0 < chance <= 1:
            raise UsageError(
                f"unit {row['id']!r}: chance {chance!r} is none, and others have one",
                hint="each line's chance of being drawn, above 0 and at most 1, or none at all",
            )
    raw = [1.0 / float(chance) for chance in given if chance is not None]
    mean = sum(raw) / len(raw) if len(set(raw)) > 1 else raw[0]  # those that weigh alike weigh 1 to the last digit
    return [weight / mean for weight in raw]


def codebook_name(row: dict[str, Any]) -> str:
    """The codebook of a coding, as people know it."""
    name, version = row.get("codebook_name") or "a codebook", row.get("codebook_version") or ""
    return f"{name} {version} ({str(row['codebook'])[:14]})"


def _codebooks(rows: Iterable[dict[str, Any]]) -> str:
    return "; ".join(sorted({codebook_name(row) for row in rows if row.get("codebook")}))
