"""Run manifests: who ran what, when, with which versions and parameters, and what came of it."""

from __future__ import annotations

import getpass
import json
import platform
import re
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any

from store.archive import Archive, chorus_version, write_atomically
from store.records import Run

#: Packages whose version can change a result.
PACKAGES = ("playwright", "trafilatura", "beautifulsoup4", "lxml", "spacy", "onnxruntime", "lancedb", "numpy")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _versions() -> Mapping[str, str]:
    """Of what runs; looked up once, since a long run writes its manifest thousands of times."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


#: Options of the command line whose values may be secrets; they never go into an archive.
SECRET_OPTIONS = frozenset({"--header", "--proxy", "--cookies", "--browser-endpoint"})

#: What `forget` is told to erase must not be kept by having been told.
ERASED_OPTIONS = frozenset({"--author", "--url", "--entry"})

HIDDEN = "…"


def public_argv(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line as it may be kept: values that can be secrets, and passwords in URLs, are left out."""
    words: list[str] = []
    hide = False
    secret = SECRET_OPTIONS | (ERASED_OPTIONS if "forget" in argv else frozenset())
    for word in argv:
        name, equals, _ = word.partition("=")
        if hide:
            words.append(HIDDEN)
        elif name in secret and equals:
            words.append(f"{name}={HIDDEN}")
        else:
            words.append(_PASSWORD.sub(rf"\1{HIDDEN}@", word))
        hide = word in secret
    return tuple(words)


#: User and password in a URL.
_PASSWORD = re.compile(r"(\w+://)[^/@\s]+@")


class RunRecorder:
    """Writes the manifest when the run starts (``running``) and again when it ends, whichever way.

    Set ``counts``, ``digests``, ``errors`` and ``status`` on the way; an exception makes it ``failed`` or ``interrupted``.
    """

    def __init__(self, archive: Archive, command: str, parameters: dict[str, Any] | None = None) -> None:
        self.run_id = uuid.uuid4().hex
        self.command, self.parameters = command, parameters or {}
        self.counts: dict[str, int] = {}
        self.digests: dict[str, str] = {}
        self.errors: tuple[str, ...] = ()
        self.status = "running"
        self._started = _now()
        stamp = self._started.replace(":", "").replace("-", "")
        self._path = archive.runs_dir / f"{stamp}-{command}-{self.run_id[:8]}.json"

    def __enter__(self) -> RunRecorder:
        self._path.parent.mkdir(exist_ok=True)
        self._write(None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.status = "interrupted"
        elif error is not None:
            self.status, self.errors = "failed", (*self.errors, str(error))
        elif self.status == "running":
            self.status = "done"
        self._write(_now())

    def _write(self, finished: str | None) -> None:
        run = Run(
            run_id=self.run_id,
            command=self.command,
            argv=public_argv(sys.argv),
            started_at=self._started,
            finished_at=finished,
            status=self.status,  # type: ignore[arg-type]  # set here and by callers from the same five words
            version=chorus_version(),
            user=_user(),
            parameters=self.parameters,
            versions=dict(_versions()),
            counts=self.counts,
            digests=self.digests,
            errors=self.errors,
        )
        write_atomically(self._path, json.dumps(asdict(run), indent=2).encode())


def list_runs(archive: Archive) -> list[Run]:
    """All runs, oldest first; a manifest that cannot be read is left out."""
    runs = []
    for path in sorted(archive.runs_dir.glob("*.json")):
        try:
            row = json.loads(path.read_bytes())
            runs.append(Run(**{**row, "argv": tuple(row["argv"]), "errors": tuple(row["errors"])}))
        except (ValueError, KeyError, TypeError):
            continue
    return runs
