"""A file of named arrays, read through a memory map: opening it costs the same whatever its size.

Layout: the arrays' bytes, each at a multiple of 64; then a JSON table of contents; then its length (8 bytes, little-endian)
and the eight bytes ``CHORUSIX``. A file that was cut short lacks its end and is refused.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import weakref
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from store.errors import ArchiveError

__all__ = ["Dictionary", "SectionFile", "encode_strings", "write_sections"]

MAGIC = b"CHORUSIX"
ALIGNMENT = 64


def write_sections(path: Path, arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> None:
    """Write ``arrays`` and ``about`` (plain values) to ``path``, synced. The name must be new: nobody reads it yet."""
    contents: dict[str, tuple[str, int, list[int]]] = {}
    with path.open("xb") as file:
        for name, array in arrays.items():
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            contents[name] = (array.dtype.str, file.tell(), list(array.shape))
            np.ascontiguousarray(array).tofile(file)
        table = json.dumps({"sections": contents, "about": about}).encode()
        file.write(table + len(table).to_bytes(8, "little") + MAGIC)
        file.flush()
        os.fsync(file.fileno())


class SectionFile:
    """Such a file opened for reading. Raises ``ArchiveError`` if it is torn, ``OSError`` if it is not there."""

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._number)
        try:
            self._map = mmap.mmap(self._number, 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise ArchiveError(f"{path}: empty") from error
        size = len(self._map)
        length = int.from_bytes(self._map[size - 16 : size - 8], "little")
        if self._map[size - 8 :] != MAGIC or length > size - 16:
            raise ArchiveError(f"{path}: cut short")
        table = json.loads(self._map[size - 16 - length : size - 16])
        self._views: dict[str, NDArray[Any]] = {}
        self._sections: dict[str, tuple[str, int, list[int]]] = table["sections"]
        self.about: dict[str, Any] = table["about"]

    def array(self, name: str) -> NDArray[Any]:
        """A read-only view of one array; nothing is read until its elements are."""
        if name not in self._views:
            dtype, offset, shape = self._sections[name]
            kind, count = np.dtype(dtype), math.prod(shape)
            flat = np.frombuffer(self._map, kind, count, offset) if count else np.zeros(0, kind)
            self._views[name] = flat.reshape(shape)
        return self._views[name]

    def gathered(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Some rows of an array, read one by one: through the map each would keep its 16 neighbouring pages in memory."""
        dtype, offset, shape = self._sections[name]
        size = np.dtype(dtype).itemsize * math.prod(shape[1:])
        data = b"".join([os.pread(self._number, size, offset + row * size) for row in rows.tolist()])
        return np.frombuffer(data, dtype).reshape(len(rows), *shape[1:])

    def __contains__(self, name: str) -> bool:
        return name in self._sections

    def bytes_of(self, name: str, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end`` of one section of bytes."""
        offset = self._sections[name][1]
        return self._map[offset + start : offset + end]


def encode_strings(name: str, values: Iterable[bytes]) -> dict[str, NDArray[Any]]:
    """Sections that hold a list of byte strings: ``NAME.bytes`` and ``NAME.ends``."""
    values = list(values)
    ends = np.cumsum([len(value) for value in values], dtype=np.uint64) if values else np.zeros(0, np.uint64)
    return {f"{name}.bytes": np.frombuffer(b"".join(values), np.uint8), f"{name}.ends": ends}


class Strings(Sequence[bytes]):
    """A list of byte strings in a file."""

    def __init__(self, file: SectionFile, name: str) -> None:
        self._file, self._name = file, f"{name}.bytes"
        self._ends = file.array(f"{name}.ends")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:
        start = int(self._ends[index - 1]) if index else 0
        return self._file.bytes_of(self._name, start, int(self._ends[index]))


class Dictionary(Strings):
    """Byte strings in sorted order, looked up by bisection without reading the rest."""

    def find(self, value: str) -> int | None:
        """The position of a string, or ``None``."""
        wanted = value.encode("utf-8", "replace")
        at = bisect_left(self, wanted)
        return at if at < len(self) and self[at] == wanted else None

    def starting_with(self, prefix: str) -> range:
        """Positions of all strings that begin so."""
        wanted = prefix.encode("utf-8", "replace")
        return range(bisect_left(self, wanted), bisect_left(self, wanted + b"\xff"))

    def all(self) -> list[str]:
        """Every string."""
        return [value.decode("utf-8", "replace") for value in self]
