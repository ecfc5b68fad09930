"""Checking that the archive still is what it was, and how complete its threads are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.output import Progress

if TYPE_CHECKING:
    from store.archive import Archive
    from store.tables import Tables


def verify_archive(path: Path, *, quiet: bool = False) -> tuple[list[dict[str, Any]], int]:
    """All problems (``kind``, ``where``, ``problem``) and the number of things checked."""
    from store.archive import Archive
    from store.tables import Tables

    archive = Archive.open(path)
    tables = Tables.open(archive)
    problems, records, known = _check_warcs(archive, quiet)
    checked = records
    for problem in _check_evidence(tables, known):
        problems.append(problem)
    for thread in tables.threads():
        checked += 1
        if thread.completeness == "partial":
            problems.append(_problem("completeness", thread.url, thread.completeness_reason or "partial"))
    return problems, checked


def _problem(kind: str, where: str, problem: str) -> dict[str, Any]:
    return {"kind": kind, "where": where, "problem": problem}


def _check_warcs(archive: Archive, quiet: bool) -> tuple[list[dict[str, Any]], int, dict[tuple[str, str], str]]:
    from harvest.warc import check_file, dangling

    problems: list[dict[str, Any]] = []
    known: dict[tuple[str, str], str] = {}
    payloads: set[tuple[str, str]] = set()
    revisiting = {}
    with Progress("WARC files checked", len(archive.warcs()), quiet=quiet) as progress:
        for warc in archive.warcs():
            result = check_file(warc)
            problems += [_problem("warc", warc.name, text) for text in result.problems]
            known.update({(warc.name, record_id): digest for record_id, digest in result.digests.items()})
            payloads |= result.payloads
            if result.revisits:
                revisiting[warc.name] = result
            progress.step(detail=warc.name)
    for name, result in revisiting.items():
        problems += [_problem("warc", name, text) for text in dangling(result, payloads)]
    return problems, len(known), known


def _check_evidence(tables: Tables, known: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    """Entries whose record is not in the WARC files, or has another digest there."""
    problems = []
    for entry in tables.iter_entries():
        evidence = entry.evidence
        if evidence is None:
            problems.append(_problem("evidence", entry.entry_id, "names no WARC record"))
            continue
        found = known.get((evidence.warc, evidence.record_id))
        if found is None:
            problems.append(
                _problem("evidence", entry.entry_id, f"{evidence.record_id} is not in warc/{evidence.warc}")
            )
        elif found != evidence.digest:
            problems.append(_problem("evidence", entry.entry_id, f"{evidence.record_id} has digest {found}"))
    return problems
