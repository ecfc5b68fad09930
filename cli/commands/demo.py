"""``chorus demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus demo

chorus demo --keep demo-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo", epilog=EPILOG)(demo)


def demo(
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Where the archive goes. Default: a new temporary directory."),
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Run the main job on a bundled sample blog: serve, harvest, archive, classify, search.

    Needs no network: the blog is served on this machine and visited by a real browser.
    """
    from cli.jobs.demo import run_demo

    raise typer.Exit(run_demo(keep, typer.echo, quiet=options.is_quiet(quiet)))
