"""Reading what exists already: saved pages, web archives of any tool, blog exports, plain-text threads. No network."""

from harvest.imports.item import Item
from harvest.imports.read import read_path

__all__ = ["Item", "read_path"]
