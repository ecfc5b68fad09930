"""One self-contained HTML report over an archive."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from store.records import ConfigError, UsageError

if TYPE_CHECKING:
    from cli.report.material import ReportRequest


def write_report(path: Path, request: ReportRequest) -> int:
    """Write the report on the archive at ``path`` to ``request.out`` (``-``: stdout), whole or not at all; returns its bytes.

    Raises ``NothingFound`` if the archive holds no thread, ``UsageError`` if the file cannot be written.
    """
    from store.archive import write_atomically

    if request.out != "-":
        _check(Path(request.out))
    data = report_page(path, request).encode("utf-8", "replace")
    if request.out == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
    else:
        write_atomically(Path(request.out), data)
    return len(data)


def _check(out: Path) -> None:
    """Say that a file cannot be written before all the counting, not after it."""
    if out.is_dir() or not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise UsageError(f"--out {out}: cannot be written", hint="give a file in a directory that exists")


def report_page(path: Path, request: ReportRequest) -> str:
    """The report as HTML. The same archive and request give the same text, but for the one line with the time."""
    from cli.report import chapters, shares
    from cli.report.material import Material
    from cli.report.page import render

    made = made_at()
    material = Material(path, request)
    sections = (
        chapters.contents(material),
        shares.prevalence(material),
        shares.structure(material),
        chapters.examples(material),
        chapters.words(material),
        chapters.certainty(material),
        chapters.provenance(material, command_line(path, request)),
    )
    title = request.title or f"Report on {material.archive.root.resolve().name}"
    return render({"title": title, "sections": sections, "made": made})


def command_line(path: Path, request: ReportRequest) -> str:
    """The command that makes this report again, but for where it is written to."""
    words = ["chorus", "report", "-a", str(path)]
    options = (
        ("--by", request.by),
        ("--gold", request.gold),
        ("--decided-by", request.decided_by),
        ("--title", request.title),
        ("--classifier", request.classifier),
    )
    costs = (("--cost", f"{name}={cost:g}") for name, cost in sorted(request.costs.items()))
    for name, value in (*options, *costs):
        words += [name, str(value)] if value is not None else []
    return shlex.join(words)


def made_at() -> str:
    """Now in UTC, or the moment that ``SOURCE_DATE_EPOCH`` gives (seconds since 1970). Raises ``ConfigError`` for no number."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        from cli.clock import now

        return now()
    try:
        return datetime.fromtimestamp(int(given), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigError(f"SOURCE_DATE_EPOCH {given}: no number of seconds", hint="unset it") from error
