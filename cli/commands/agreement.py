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
"""


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
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """How far coders agree.

    Krippendorff's alpha (nominal) with a 95 % interval by bootstrap over units, overall and for each label against the rest;
    Cohen's kappa and raw agreement for each pair of coders. Of each unit a coder's newest coding counts.
    """
    from cli.jobs.research import agreement_of
    from cli.output import choose_format, emit

    columns = ("what", "units", "alpha", "low", "high", "kappa", "agreement")
    found = agreement_of(files or (), None if files else options.archive_path(archive), codebook)
    emit(found, columns, choose_format(fmt, as_json=as_json))
