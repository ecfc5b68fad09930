"""A run's events as JSON lines in a file: for dashboards, and for finding out later what went wrong at three in the night."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from cli.output import dumps
from store.records import UsageError


class RunLog:
    """Appends one line an event to ``path``; without a path it does nothing. Each line has ``time`` and ``event``."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[str] | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("a", encoding="utf-8", buffering=1)
            except OSError as error:
                raise UsageError(f"--log {path}: cannot be written ({error.strerror})") from error

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self.write("end", error=None if error is None else f"{type(error).__name__}: {error}".rstrip(": "))
            self._file.close()

    def write(self, event: str, **values: Any) -> None:
        """One event."""
        if self._file is not None:
            moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._file.write(dumps({"time": moment, "event": event, **values}) + "\n")
