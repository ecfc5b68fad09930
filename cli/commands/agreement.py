"""``chorus agreement``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus agreement -a my-archive

chorus agreement ana.jsonl ben.jsonl

chorus agreement all-codings.jsonl --format csv

chorus agreement --disagreed -a my-archive > to-decide.jsonl

chorus agreement --leave-out decided -a my-archive
"""

COLUMNS = ("what", "units", "alpha", "low", "high", "ac1", "kappa", "agreement")
UNIT_COLUMNS = ("id", "split", "role", "context", "text")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("agreement", epilog=EPILOG)(agreement)


def agreement(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE...]",
            help="Codings, JSON lines: id, label; coder (else the file's name). Without: all coders of the archive.",
        ),
    ] = None,
    codebook: Annotated[
        Path | None,
        typer.Option(
            "--codebook", metavar="FILE", help="Only codings made with this codebook, where there are several."
        ),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out", metavar="CODER", help="A coder who does not count, as one who decided does not. Repeatable."
        ),
    ] = None,
    disagreed: Annotated[
        bool,
        typer.Option(
            "--disagreed",
            help="Instead of figures, the units on whose label coders differ, for `chorus label`. Names nobody's code.",
        ),
    ] = False,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """How far coders agree, and on what they do not.

    Krippendorff's alpha (nominal) with a 95 % interval by bootstrap over units, overall, for each label and for each code given
    ten times or more against the rest; Gwet's AC1, which does not fall where nearly all units have one label; Cohen's kappa and
    raw agreement for each pair of coders. Of each unit a coder's newest coding counts.

    To decide where coders differ: write those units to a file (--disagreed), have them coded (chorus label FILE --coder decided),
    and leave that coder out here. Nothing is lost: all codings are kept.
    """
    from cli.jobs import agreement as job
    from cli.output import choose_format, emit, note

    of = job.disagreed if disagreed else job.agreement_of
    found = of(files or (), None if files else options.archive_path(archive), codebook, leave_out=leave_out or ())
    emit(found.rows, UNIT_COLUMNS if disagreed else COLUMNS, choose_format(fmt, as_json=as_json))
    if found.warning is not None:
        note(found.warning, quiet=options.is_quiet(quiet))
