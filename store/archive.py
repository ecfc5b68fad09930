"""The archive directory: what it is, where its parts lie, and which WARC bytes the tables know already."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from store.errors import ArchiveError

#: Raised with each change of the tables or layout that an older chorus cannot read.
SCHEMA_VERSION = 1

#: Which bytes of which WARC file the tables hold: ``{file name: size}``.
STATE_FILE = "ingested.json"


@cache
def chorus_version() -> str:
    """The installed version, or ``unknown`` in a bare source tree."""
    try:
        return version("chorus")
    except PackageNotFoundError:
        return "unknown"


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a temporary file beside it, synced, then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Archive:
    """An opened archive directory."""

    root: Path

    @property
    def identity(self) -> str:
        """The archive's own id, drawn when it was made; its path where one made by hand names none."""
        return str(_read_description(self.root).get("id") or self.root.resolve())

    @property
    def warc_dir(self) -> Path:
        """WARC files: the ground truth."""
        return self.root / "warc"

    @property
    def tables_dir(self) -> Path:
        """LanceDB tables: derived."""
        return self.root / "tables"

    @property
    def runs_dir(self) -> Path:
        """One manifest a run."""
        return self.root / "runs"

    @property
    def frontier_file(self) -> Path:
        """What to visit, what was visited, when next (SQLite)."""
        return self.root / "frontier.db"

    @property
    def annotations_dir(self) -> Path:
        """Human labels."""
        return self.root / "annotations"

    @classmethod
    def create_or_open(cls, path: Path) -> Archive:
        """Open the archive at ``path``, or make one there if nothing is there yet."""
        if (path / "chorus.toml").is_file():
            return cls.open(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise ArchiveError(f"{path}: exists and is no chorus archive", hint="give -a a new directory")
        archive = cls(path)
        for directory in (archive.warc_dir, archive.tables_dir, archive.runs_dir, archive.annotations_dir):
            directory.mkdir(parents=True, exist_ok=True)
        write_atomically(path / "chorus.toml", _description().encode())
        return archive

    @classmethod
    def open(cls, path: Path) -> Archive:
        """Open an archive that is there. Raises ``ArchiveError`` if it is none, or newer than this chorus."""
        found = _read_description(path)
        schema = found.get("schema_version")
        if not isinstance(schema, int):
            raise ArchiveError(
                f"{path}: no archive (its chorus.toml has no schema_version)", hint="give another -a DIR"
            )
        if schema > SCHEMA_VERSION:
            raise ArchiveError(
                f"{path}: written by a newer chorus (schema {schema}, this one reads {SCHEMA_VERSION})",
                hint="update chorus",
            )
        archive = cls(path)
        archive.put_tables_in_place()
        return archive

    def warcs(self) -> list[Path]:
        """All WARC files, oldest first (their names begin with the time)."""
        return sorted(self.warc_dir.glob("*.warc.gz"))

    def warcs_to_ingest(self) -> list[tuple[Path, int]]:
        """WARC files with bytes that the tables do not know of, and where these begin: an interrupted run left them."""
        known = self._ingested()
        found = [(warc, known.get(warc.name, 0), warc.stat().st_size) for warc in self.warcs()]
        return [(warc, done if done <= size else 0) for warc, done, size in found if done != size]

    def mark_ingested(self, upto: Mapping[str, int] | None = None) -> None:
        """Note that the tables now hold what the WARC files hold, or what lies before the given offsets of some files."""
        whole = {warc.name: warc.stat().st_size for warc in self.warcs()} if upto is None else {}
        sizes = {**self._ingested(), **upto} if upto is not None else whole
        write_atomically(self.tables_dir / STATE_FILE, json.dumps(sizes, indent=1).encode())

    def unmark_ingested(self, names: Iterable[str]) -> None:
        """These files are about to be other ones: nothing that was noted of their bytes holds any more."""
        gone = set(names)
        sizes = {name: size for name, size in self._ingested().items() if name not in gone}
        write_atomically(self.tables_dir / STATE_FILE, json.dumps(sizes, indent=1).encode())

    def _ingested(self) -> dict[str, int]:
        """The state lies inside ``tables/``, so it vanishes with the tables that it speaks of."""
        try:
            found = json.loads((self.tables_dir / STATE_FILE).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def _fresh_tables(self) -> Path:
        return self.root / "tables.new"

    @property
    def old_tables(self) -> Path:
        """Tables that others have replaced, for as long as it takes to remove them."""
        return self.root / "tables.old"

    def swap_tables(self) -> None:
        """Put the whole tables that lie in ``tables.new`` in the place of the old ones, which are removed last."""
        self.remove_old_tables()
        if self.tables_dir.exists():
            self.tables_dir.rename(self.old_tables)
        self.put_tables_in_place()
        self.remove_old_tables()

    def put_tables_in_place(self) -> None:
        """Where a swap was stopped between its two renames, do the second. Whoever comes first does it, locked or not."""
        if self.tables_dir.exists() or not self.old_tables.exists():
            return
        for tables in (self._fresh_tables, self.old_tables):
            with suppress(OSError):
                tables.rename(self.tables_dir)
                return

    def remove_old_tables(self) -> None:
        """Remove what a swap leaves behind, if it was stopped before it did so itself. For holders of the lock."""
        if self.tables_dir.exists():
            shutil.rmtree(self.old_tables, ignore_errors=True)


def _description() -> str:
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        "# A chorus archive: posts with their comment threads. `chorus status` tells what is in it.\n"
        f"schema_version = {SCHEMA_VERSION}\n"
        f'id = "{uuid.uuid4()}"\n'
        f'created = "{created}"\n'
        f'created_by = "chorus {chorus_version()}"\n'
    )


def _read_description(path: Path) -> dict[str, object]:
    try:
        with (path / "chorus.toml").open("rb") as handle:
            return tomllib.load(handle)
    except (FileNotFoundError, NotADirectoryError):
        raise ArchiveError(f"{path}: no archive here", hint="chorus harvest URL -a DIR makes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArchiveError(f"{path / 'chorus.toml'}: not valid TOML ({error})") from error
