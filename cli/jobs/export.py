"""Handing the data on."""

from __future__ import annotations

from pathlib import Path


def export_archive(path: Path, kind: str, out: str) -> int:
    """Write the archive's threads (jsonl) or entries (csv, parquet) to ``out``; returns how many."""
    from store.archive import Archive
    from store.export import export
    from store.tables import Tables

    return export(Tables.open(Archive.open(path)), kind, out)
