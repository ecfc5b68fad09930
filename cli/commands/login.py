"""``chorus login``."""

from __future__ import annotations

from typing import Annotated

import typer

EPILOG = """Examples:

chorus login https://forum.example/login --profile forum

chorus harvest https://forum.example/t/17 --profile forum -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("login", epilog=EPILOG)(login)


def login(
    url: Annotated[str, typer.Argument(metavar="URL", help="The page to log in at.")],
    profile: Annotated[str, typer.Option("--profile", metavar="NAME", help="The name to keep the state under.")],
    proxy: Annotated[str | None, typer.Option("--proxy", metavar="URL", help="http:// or socks5:// proxy.")] = None,
) -> None:
    """Open a visible browser, log in by hand, close the window: later harvests use what the site stored.

    The state lies in your own data folder, readable by you alone, never in an archive.
    """
    from cli.jobs.login import keep_login
    from cli.output import note

    path, cookies = keep_login(url, profile, proxy=proxy)
    note(f"{cookies} cookies kept as profile {profile} ({path})")
