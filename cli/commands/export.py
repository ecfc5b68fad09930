"""``chorus export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus export --as jsonl > threads.jsonl

chorus export --as csv --out entries.csv

chorus export --as convokit --out corpus/

chorus export --as label-studio --out tasks.json

chorus export --as gexf --pseudonymise --out who-answers-whom.gexf

chorus export --as ro-crate --out archive.crate.zip
"""

FORMATS = ("jsonl", "csv", "parquet", "convokit", "label-studio", "doccano", "prodigy", "ro-crate", "gexf")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("export", epilog=EPILOG)(export)


def export(
    kind: Annotated[str, typer.Option("--as", metavar="FORMAT", help=", ".join(FORMATS[:-1]) + f" or {FORMATS[-1]}.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE|DIR|-", help="Where to write; - is stdout.")] = "-",
    unit: Annotated[
        str, typer.Option("--unit", metavar="UNIT", help="For annotation tools: sentence or entry.")
    ] = "sentence",
    pseudonymise: Annotated[
        bool, typer.Option("--pseudonymise", help="Put pseudonyms in the place of people's names, handles and mail.")
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="The pseudonyms' secret key; made if missing. The same key gives the same pseudonyms.",
            show_default="a new one, not kept",
        ),
    ] = None,
    archive: options.Archive = None,
    quiet: options.Quiet = False,
) -> None:
    """Hand the data on: JSON lines (a thread a line), CSV or Parquet (an entry a row), or what other tools read.

    label-studio, doccano and prodigy get sentences to code (with --unit entry whole posts and comments); what the classifier said
    goes with them as prediction or meta data, never as a coding. convokit and ro-crate make a directory, ro-crate also a .zip.

    Pseudonyms hide people from readers, not their sentences from search engines: see the documentation.

    In CSV, text cells that a spreadsheet would run as a formula start with an apostrophe.
    """
    from cli.jobs.export import ExportRequest, export_archive
    from cli.output import note
    from store.exports.formats import counted

    options.check_choice("--as", kind, FORMATS)
    options.check_choice("--unit", unit, ("sentence", "entry"))
    request = ExportRequest(
        archive=options.archive_path(archive), kind=kind, out=out, unit=unit, pseudonymise=pseudonymise, key=key
    )
    count = export_archive(request)
    note(f"{count} {counted(kind)} exported", quiet=options.is_quiet(quiet) or out == "-")
