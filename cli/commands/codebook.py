"""``chorus codebook``."""

from __future__ import annotations

import typer

from cli import options

EPILOG = """Examples:

chorus codebook

chorus codebook --json | jq .digest
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("codebook", epilog=EPILOG)(codebook)


def codebook(fmt: options.Format = None, as_json: options.Json = False) -> None:
    """Print what the labels mean: definitions, decision order, examples."""
    from cli.jobs.codebook import codebook_rows, codebook_text
    from cli.output import choose_format, emit

    chosen = choose_format(fmt, as_json=as_json)
    if chosen == "table":
        typer.echo(codebook_text())
        return
    emit(codebook_rows(), ("code", "label", "name", "definition"), chosen)
