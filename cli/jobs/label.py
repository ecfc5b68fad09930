"""Human coding: the units of a sample, one after the other, each coding kept the moment it is made."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.clock import now
from cli.jobs.label_sample import Parents, Unit, read_sample
from store.annotations import Journal, coder_file, coder_name, histories, open_journal
from store.archive import Archive
from store.records import ArchiveError, NothingFound, UsageError

if TYPE_CHECKING:
    from nlp.codebook import Codebook

#: What a coding repeats of its unit. Anything else in a sample's line (machine labels, say) is neither shown nor copied.
KEPT = ("text", "context", "role", "thread_id", "entry_id", "url", "chance", "split")

#: Copied where they are there: by these, too, `chorus evaluate` and `chorus train` find units that belong together.
KEPT_IF_GIVEN = ("cluster", "host", "thread", "page")

#: The environment variable that names the coder.
CODER_VARIABLE = "CHORUS_CODER"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """What to code: ``archive`` is where codings go and parents are looked up; with ``out`` it may be missing."""

    sample: str
    coder: str | None = None
    codebook: Path | None = None
    out: Path | None = None
    split: str | None = None
    recode: bool = False
    archive: Path = Path("archive")


class Session:
    """One coder at work on a sample: ``current`` is the unit to code; each coding is written before it counts.

    ``notes`` holds the note on each unit, by its key, until the unit is coded.
    """

    def __init__(
        self, journal: Journal, units: Sequence[Unit], coder: str, codebook: Codebook, *, recode: bool
    ) -> None:
        self.units, self.coder, self.codebook, self.path = tuple(units), coder, codebook, journal.path
        self._journal = journal
        self._said = histories(journal.rows, coder, codebook.digest)
        by_key = {unit.key: unit for unit in units}
        earlier = [] if recode else [by_key[key] for key in self._said if key in by_key]
        self._finished = {unit.key for unit in earlier}
        self._todo = deque(unit for unit in units if unit.key not in self._finished)
        self._acts = [(unit, True) for unit in earlier]
        self._now: set[str] = set()
        self.notes: dict[str, str | None] = {key: said[-1].get("note") for key, said in self._said.items()}

    @property
    def current(self) -> Unit | None:
        """The unit to code; ``None`` when all were seen."""
        return self._todo[0] if self._todo else None

    @property
    def coded(self) -> int:
        """Units coded since the start, undone ones not counted."""
        return len(self._now)

    @property
    def left(self) -> int:
        """Units still without a coding, skipped ones among them; with ``recode`` those not coded anew."""
        return len(self.units) - len(self._finished)

    def said(self, unit: Unit) -> Mapping[str, Any] | None:
        """The coding of the unit that holds now."""
        return self._said[unit.key][-1] if self._said.get(unit.key) else None

    def code(self, label: str, code: str | None, *, seconds: float) -> None:
        """Give the current unit a label, for good. Its note goes with it."""
        unit = self._todo[0]
        before = self.said(unit)
        note = self.notes.get(unit.key)
        row = self._row(unit, {"label": label, "code": code, "note": note, "seconds": round(seconds, 2)})
        self._append(unit, {**row, "supersedes": before is not None})
        self._todo.popleft()
        self._finished.add(unit.key)
        self._now.add(unit.key)
        self._acts.append((unit, True))

    def skip(self) -> None:
        """Leave the current unit for another day."""
        self._acts.append((self._todo.popleft(), False))

    def undo(self) -> Unit | None:
        """Take back the last act and show its unit again; returns it, or ``None`` if there is none to take back."""
        if not self._acts:
            return None
        unit, coded = self._acts[-1]
        if coded:
            self._take_back(unit)
            self._finished.discard(unit.key)
            self._now.discard(unit.key)
        self._acts.pop()
        self._todo.appendleft(unit)
        return unit

    def _take_back(self, unit: Unit) -> None:
        """Append the line that ends the unit's last coding: what was said before it, else that nothing holds."""
        *before, last = self._said[unit.key]
        if before:
            self._append(unit, {**self._row(unit, before[-1]), "supersedes": True, "restored": True})
        else:
            self._append(unit, {**self._row(unit, {**last, "seconds": None}), "withdrawn": True})
        self.notes[unit.key] = last.get("note")

    def _append(self, unit: Unit, row: dict[str, Any]) -> None:
        self._journal.append(row)
        said = histories([*self._said.pop(unit.key, ()), row], self.coder, self.codebook.digest)
        self._said.update(said)

    def _row(self, unit: Unit, said: Mapping[str, Any]) -> dict[str, Any]:
        """A line that says of the unit what ``said`` does, now."""
        return {
            "id": unit.row["id"],
            "label": said["label"],
            "code": said.get("code"),
            "coder": self.coder,
            "at": now(),
            "codebook": self.codebook.digest,
            "codebook_name": self.codebook.name,
            "codebook_version": self.codebook.version,
            **{name: unit.row.get(name) for name in KEPT},
            **{name: unit.row[name] for name in KEPT_IF_GIVEN if unit.row.get(name) is not None},
            "note": said.get("note"),
            "seconds": said.get("seconds"),
        }

    def summary(self) -> dict[str, Any]:
        """What came of it, as plain values."""
        return {
            "coder": self.coder,
            "codebook": self.codebook.digest,
            "codebook_name": self.codebook.name,
            "codebook_version": self.codebook.version,
            "units": len(self.units),
            "coded": self.coded,
            "left": self.left,
            "file": str(self.path),
        }


@contextmanager
def open_session(request: LabelRequest) -> Iterator[tuple[Session, Parents, Path | None]]:
    """Make ready to code: the session, the parents, and where a line that an earlier crash cut off was moved to.

    Raises ``NothingFound`` when the coder has coded all units with this codebook already.
    """
    from cli.jobs.model import codebook_in_use

    coder = coder_name(request.coder or _user())
    codebook = codebook_in_use(request.codebook)
    units = read_sample(request.sample, request.split)
    archive, trouble = _archive(request)
    if not any(unit.row.get("entry_id") for unit in units):
        trouble = None  # nothing that an archive could tell of
    with open_journal(_place(request, archive, coder)) as journal:
        session = Session(journal, units, coder, codebook, recode=request.recode)
        if session.current is None:
            raise NothingFound(f"{coder} has coded all {len(units)} units", hint="--recode goes through them again")
        yield session, Parents(archive, trouble), journal.moved


def _user() -> str:
    """``CHORUS_CODER``, else the name that the system has for the user."""
    import getpass

    try:
        return os.environ.get(CODER_VARIABLE) or getpass.getuser()
    except (OSError, KeyError) as error:
        raise UsageError("who codes is not known", hint=f"--coder NAME, or {CODER_VARIABLE}") from error


def _archive(request: LabelRequest) -> tuple[Archive | None, str | None]:
    """The archive, or why there is none: with ``out`` there need not be one."""
    try:
        return Archive.open(request.archive), None
    except ArchiveError as error:
        if request.out is None:
            raise
        return None, str(error)


def _place(request: LabelRequest, archive: Archive | None, coder: str) -> Path:
    if request.out is not None:
        if str(request.out) == "-":
            raise UsageError("--out -: codings need a file, to go on from")
        if request.sample != "-" and request.out.exists() and request.out.samefile(request.sample):
            raise UsageError(f"--out {request.out}: is the sample itself")
        return request.out
    assert archive is not None  # noqa: S101 - it is only missing where there is --out
    archive.annotations_dir.mkdir(exist_ok=True)
    return coder_file(archive, coder)
