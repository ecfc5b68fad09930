"""Agreement between coders: over coded files, or over an archive's annotations; and the units on which they differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from cli.jobs.codings import codebook_name, read_coded
from cli.jobs.label import KEPT, KEPT_IF_GIVEN
from store.records import NothingFound, UsageError

#: From how many codings on agreement on a code of the second level tells anything, and the share of the units above which one
#: label makes alpha fall although coders agree: both as the rules of reliability for this project have them.
ENOUGH, PREVAILING = 10, 0.85

#: What coders gave each unit, by coder; ``None`` is no code.
Given = list[dict[str, str | None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``rows`` to print, and what to know about them."""

    rows: list[dict[str, Any]]
    warning: str | None = None


def agreement_of(
    paths: Iterable[str], archive: Path | None = None, codebook: Path | None = None, *, leave_out: Iterable[str] = ()
) -> Outcome:
    """Agreement over coded files, without any over the archive's annotations: all labels, one label and one code of the second
    level against the rest, pairs of coders.

    Of each unit the newest coding of each coder counts (``coder`` of the line, else the file's name), but for coders to
    ``leave_out``. Raises ``UsageError`` if they were made with several codebooks and ``codebook`` does not choose one,
    ``NothingFound`` if no unit was coded twice.
    """
    units = _units(paths, archive, codebook, leave_out)
    labels: Given = [{coder: row["label"] for coder, row in unit.items()} for unit in units]
    codes = _second_level(units)
    given = sorted({row["label"] for unit in units for row in unit.values()})
    rows = [
        _row("all labels", labels),
        *(_row(f"{label} against the rest", _against(labels, label)) for label in given),
        *(_row(f"code {code} against the rest", _against(codes, code)) for code in _frequent(codes)),
        *_pairs(labels),
    ]
    return Outcome(rows, _prevailing(labels))


def disagreed(
    paths: Iterable[str], archive: Path | None = None, codebook: Path | None = None, *, leave_out: Iterable[str] = ()
) -> Outcome:
    """The units on whose label coders differ, as a sample to code: not with what they said, which would lead who decides.

    Takes and raises what ``agreement_of`` does; ``NothingFound`` also if coders agree throughout.
    """
    units = [list(unit.values()) for unit in _units(paths, archive, codebook, leave_out)]
    lines = [_unit_line(rows) for rows in units if len({row["label"] for row in rows}) > 1]
    if not lines:
        twice = sum(len(rows) > 1 for rows in units)
        raise NothingFound(f"coders agree on all {twice} units that were coded twice", hint="nothing is to be decided")
    whole = [line for line in lines if isinstance(line.get("text"), str) and line["text"].strip()]
    missing = f"{len(lines) - len(whole)} of {len(lines)} units on which coders differ have no text in their codings"
    if not whole:
        raise NothingFound(missing, hint="code what `chorus sample` draws with `chorus label`, which keeps the text")
    return Outcome(whole, f"{missing}: left out" if len(whole) < len(lines) else None)


def _units(
    paths: Iterable[str], archive: Path | None, codebook: Path | None, leave_out: Iterable[str]
) -> list[dict[str, dict[str, Any]]]:
    """The codings of each unit, by coder."""
    rows = _one_codebook(_without(_codings(paths, archive), leave_out), codebook)
    units: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        units[str(row["id"])][str(row["coder"])] = row
    if not any(len(unit) > 1 for unit in units.values()):
        raise NothingFound("no unit was coded twice", hint="give two files that code the same ids, or lines with coder")
    return list(units.values())


def _without(rows: list[dict[str, Any]], leave_out: Iterable[str]) -> list[dict[str, Any]]:
    """The codings of the other coders. A name that nobody has is refused: whom it was meant for would count."""
    coders, names = {str(row["coder"]) for row in rows}, set(leave_out)
    for name in sorted(names - coders):
        raise UsageError(
            f"--leave-out {name}: no coding is by that coder", hint="coders here: " + ", ".join(sorted(coders))
        )
    return [row for row in rows if str(row["coder"]) not in names]


def _second_level(units: Iterable[dict[str, dict[str, Any]]]) -> Given:
    """The codes of the units that have any: a coder who gave only a label there, gave no code."""
    found: Given = [{coder: str(row.get("code") or "") or None for coder, row in unit.items()} for unit in units]
    return [unit for unit in found if any(unit.values())]


def _frequent(codes: Given) -> list[str]:
    """The codes that were given often enough in units that were coded twice: others tell nothing of agreement."""
    given = Counter(code for unit in codes if len(unit) > 1 for code in unit.values() if code is not None)
    return sorted(code for code, count in given.items() if count >= ENOUGH)


def _against(units: Given, one: str) -> list[dict[str, bool]]:
    return [{coder: code == one for coder, code in unit.items()} for unit in units]


def _row(what: str, units: Sequence[Any]) -> dict[str, Any]:
    from nlp.research.agreement import agreement, gwet

    found = agreement(units)
    low, high = found.interval or (None, None)
    return {
        "what": what,
        "units": found.units,
        "alpha": found.alpha,
        "low": low,
        "high": high,
        "ac1": gwet(units),
        "agreement": found.agreement,
    }


def _pairs(labels: Given) -> list[dict[str, Any]]:
    """A row for each two coders."""
    from nlp.research.agreement import cohen, gwet

    rows = []
    for one, other in combinations(sorted({coder for unit in labels for coder in unit}), 2):
        both = [(unit[one], unit[other]) for unit in labels if one in unit and other in unit]
        either = [{coder: unit[coder] for coder in (one, other) if coder in unit} for unit in labels]
        same = sum(a == b for a, b in both) / len(both) if both else None
        figures = {"ac1": gwet(either), "kappa": cohen(both), "agreement": same}
        rows.append({"what": f"{one} and {other}", "units": len(both), **figures})
    return rows


def _prevailing(labels: Given) -> str | None:
    """What to say where nearly all units have one label."""
    from nlp.research.agreement import prevalence

    share, label = max((share, str(label)) for label, share in prevalence(labels).items())
    if share <= PREVAILING:
        return None
    return f"{label} covers {100 * share:.1f} % of the units: alpha falls there although coders agree; see AC1 (ac1)"


def _unit_line(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A unit as `chorus label` takes it, as far as its codings tell."""
    line = {}
    for name in ("id", *KEPT, *KEPT_IF_GIVEN):
        said = [row[name] for row in rows if row.get(name) is not None]
        if said:
            line[name] = said[0]
    return line


def _codings(paths: Iterable[str], archive: Path | None) -> list[dict[str, Any]]:
    """The newest codings in the files, each with its coder; without files, in the archive."""
    from store.annotations import current_codings, newest
    from store.archive import Archive

    rows = [{**row, "coder": row.get("coder") or Path(path).stem} for path in paths for row in read_coded(path)]
    if rows or archive is None:
        return newest(rows)
    found = current_codings(Archive.open(archive))
    if not found:
        raise NothingFound(f"{archive}: nobody has coded in it", hint="chorus label, or name files of codings")
    return found


def _one_codebook(rows: list[dict[str, Any]], chosen: Path | None) -> list[dict[str, Any]]:
    """The codings made with one codebook, and those that do not say with which: labels of two mean different things."""
    from nlp.codebook import load_codebook

    names = {str(row["codebook"]): codebook_name(row) for row in rows if row.get("codebook")}
    if chosen is None:
        if len(names) > 1:
            said = "; ".join(sorted(names.values()))
            raise UsageError(f"coded with {len(names)} codebooks: {said}", hint="--codebook FILE chooses one")
        return rows
    digest = load_codebook(chosen).digest
    return [row for row in rows if row.get("codebook") in (None, digest)]
