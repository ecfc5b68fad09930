"""``chorus config show``."""

from __future__ import annotations

import typer

from cli import options


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(help="Settings and where each comes from.", no_args_is_help=True, rich_markup_mode=None)
    group.command("show")(show)
    app.add_typer(group, name="config")


def show(fmt: options.Format = None, as_json: options.Json = False) -> None:
    """Print every setting, its value, and where the value came from.

    Order: flag, environment, ./chorus.toml, the user's configuration file, default.
    """
    from dataclasses import asdict

    from cli.config import all_settings
    from cli.output import choose_format, emit

    emit((asdict(s) for s in all_settings()), ("name", "value", "source", "help"), choose_format(fmt, as_json=as_json))
