"""What the options before the command said (``chorus --archive DIR --debug COMMAND``); set once at the start."""

from __future__ import annotations

from pathlib import Path

archive: Path | None = None
quiet: bool = False
debug: bool = False
