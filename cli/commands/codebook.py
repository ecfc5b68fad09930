"""``chorus codebook``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus codebook

chorus codebook --json | jq .digest

chorus codebook --toml > my-codebook.toml; chorus codebook --codebook my-codebook.toml
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("codebook", epilog=EPILOG)(codebook)


def codebook(
    codebook: options.Codebook = None,
    toml: Annotated[
        bool, typer.Option("--toml", help="The file itself, to begin a codebook of your own from.")
    ] = False,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Print what the labels mean: definitions, decision order, examples."""
    from cli.jobs.codebook import codebook_rows, codebook_text, codebook_toml
    from cli.output import choose_format, emit

    if toml:
        typer.echo(codebook_toml(codebook), nl=False)
        return
    chosen = choose_format(fmt, as_json=as_json)
    if chosen == "table":
        typer.echo(codebook_text(codebook))
        return
    emit(codebook_rows(codebook), ("code", "label", "name", "definition"), chosen)
