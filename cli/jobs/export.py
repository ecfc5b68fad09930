"""Handing the data on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What to export and how: ``unit`` (sentence or entry) for annotation tools; ``key`` is a file for pseudonyms."""

    archive: Path
    kind: str
    out: str = "-"
    unit: str = "sentence"
    pseudonymise: bool = False
    key: Path | None = None


def export_archive(request: ExportRequest) -> int:
    """Write the archive's threads, entries or units; returns how many."""
    from cli.jobs.model import codebook_in_use
    from store.archive import Archive, chorus_version
    from store.exports.formats import export
    from store.exports.material import Material
    from store.exports.pseudonyms import Pseudonyms, read_key
    from store.records import UsageError

    if request.key is not None and not request.pseudonymise:
        raise UsageError("--key is for --pseudonymise")
    archive = Archive.open(request.archive)
    names = Pseudonyms(read_key(request.key) if request.key else None) if request.pseudonymise else None
    material = Material(
        archive=archive,
        labels=tuple(codebook_in_use().order),
        version=chorus_version(),
        split=_sentences if request.unit == "sentence" else None,
        names=names,
    )
    return export(material, request.kind, request.out)


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    from nlp.segment import split_sentences

    return ((span.start, span.end) for span in split_sentences(text))
