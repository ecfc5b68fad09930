"""``chorus export``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus export --as jsonl > threads.jsonl

chorus export --as csv --out entries.csv

chorus export --as parquet --out entries.parquet
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("export", epilog=EPILOG)(export)


def export(
    kind: Annotated[str, typer.Option("--as", metavar="FORMAT", help="jsonl, csv or parquet.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE|-", help="Where to write; - is stdout.")] = "-",
    archive: options.Archive = None,
    quiet: options.Quiet = False,
) -> None:
    """Hand the data on: JSON lines (a thread a line), CSV or Parquet (an entry a row, with its labels' shares).

    In CSV, text cells that a spreadsheet would run as a formula start with an apostrophe.
    """
    from cli.jobs.export import export_archive
    from cli.output import note

    options.check_choice("--as", kind, ("jsonl", "csv", "parquet"))
    count = export_archive(options.archive_path(archive), kind, out)
    note(f"{count} {'threads' if kind == 'jsonl' else 'entries'} exported", quiet=options.is_quiet(quiet) or out == "-")
