"""``chorus replay``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus replay -a my-archive

chorus replay 3f2a9c --port 8090 --no-open -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("replay", epilog=EPILOG)(replay)


def replay(
    thread: Annotated[str | None, typer.Argument(metavar="[THREAD]", help="The thread to begin with.")] = None,
    archive: options.Archive = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8080,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open it in your browser.")] = True,
) -> None:
    """Serve the archived pages as they were, on this machine only, until Ctrl-C. Needs pywb (pip install pywb)."""
    from cli.jobs.replay import replay_archive

    replay_archive(
        options.archive_path(archive),
        port=port,
        thread=thread,
        open_browser=open_browser,
        say=lambda address: typer.echo(address),
    )
