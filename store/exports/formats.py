"""The formats by name, and the one function that writes any of them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

from store.archive import write_atomically
from store.errors import UsageError
from store.exports import annotation, convokit, crate, network, rows
from store.exports.material import Material, told_of, write_directory, write_file

__all__ = ["counted", "export"]

#: Formats of one file: what they count, and how they are written.
FILES: dict[str, tuple[str, Callable[[Material, IO[bytes]], int]]] = {
    "jsonl": ("threads", rows.jsonl),
    "csv": ("entries", rows.csv_table),
    "parquet": ("entries", rows.parquet),
    "label-studio": ("units", annotation.label_studio),
    "doccano": ("units", annotation.doccano),
    "prodigy": ("units", annotation.prodigy),
    "gexf": ("people", network.gexf),
}

#: Formats of several files, in a directory.
FOLDERS: dict[str, tuple[str, Callable[[Material, Path], int]]] = {
    "convokit": ("utterances", convokit.convokit),
    "ro-crate": ("threads", crate.ro_crate),
}

#: What should not go onto a terminal.
BINARY = frozenset({"parquet"})

#: Beside a file of Label Studio's tasks lies the interface for them.
CONFIG_SUFFIX = ".config.xml"


def export(material: Material, kind: str, out: str) -> int:
    """Write the archive in the format ``kind``, whole or not at all; returns how many threads, entries … there are in it.

    ``out`` is a file, ``-`` for stdout, or for formats of several files a directory (for ``ro-crate`` also a ``.zip``). Raises
    ``UsageError`` for a format that is not known or a place that it cannot go to.
    """
    if kind in FOLDERS:
        return _to_folder(material, kind, FOLDERS[kind][1], out)
    if kind not in FILES:
        raise UsageError(f"--as {kind}: not known", hint="one of " + ", ".join((*FILES, *FOLDERS)))
    write = FILES[kind][1]
    if out == "-":
        if kind in BINARY and sys.stdout.isatty():
            raise UsageError(f"{kind} is binary: not onto a terminal", hint="--out FILE")
        count = write(material, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return count
    path = Path(out)
    count = write_file(path, partial(write, material))
    if kind == "label-studio" and path.is_file():
        config = annotation.label_studio_config(material).encode()
        write_atomically(path.with_name(path.name + CONFIG_SUFFIX), config)
    return count


def counted(kind: str) -> str:
    """What the number that ``export`` returns for the format counts."""
    return {**FILES, **FOLDERS}[kind][0]


def _to_folder(material: Material, kind: str, write: Callable[[Material, Path], int], out: str) -> int:
    if out == "-":
        raise UsageError(f"--as {kind} makes a directory", hint="--out DIR")
    path = Path(out)
    if kind != "ro-crate" or path.suffix.lower() != ".zip":
        return write_directory(path, partial(write, material))
    with told_of(path):
        beside = tempfile.TemporaryDirectory(prefix=".crate.", dir=path.parent if path.parent.is_dir() else None)
    with beside as name:
        count = write(material, Path(name))

        def zipped(handle: IO[bytes]) -> int:
            crate.zipped(Path(name), handle)
            return count

        return write_file(path, zipped)
