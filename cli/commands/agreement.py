"""``chorus agreement``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus agreement ana.jsonl ben.jsonl

chorus agreement all-codings.jsonl --format csv
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("agreement", epilog=EPILOG)(agreement)


def agreement(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Codings, JSON lines: id, label; coder (else the file's name)."),
    ],
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """How far coders agree.

    Krippendorff's alpha (nominal) with a 95 % interval by bootstrap over units, overall and for each label against the rest;
    Cohen's kappa and raw agreement for each pair of coders.
    """
    from cli.jobs.research import agreement_of
    from cli.output import choose_format, emit

    columns = ("what", "units", "alpha", "low", "high", "kappa", "agreement")
    emit(agreement_of(files), columns, choose_format(fmt, as_json=as_json))
