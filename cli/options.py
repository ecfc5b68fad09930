"""The options that several commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import state
from cli.config import resolve

Archive = Annotated[
    Path | None, typer.Option("--archive", "-a", metavar="DIR", help="The archive directory.", show_default="./archive")
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="table, json, jsonl, csv or tsv [terminal: table; pipe: jsonl].",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes on stderr.")]
Profile = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="Log-in state kept by `chorus login`.")]
Classifier = Annotated[
    Path | None,
    typer.Option(
        "--classifier",
        metavar="DIR",
        help="A classifier made by `chorus train`, or `fast`: the shipped one that is quicker and errs more.",
        show_default="the shipped one",
    ),
]
Costs = Annotated[
    list[str] | None,
    typer.Option(
        "--cost",
        metavar="[TRUTH:]LABEL=N",
        help="Giving LABEL wrongly (or to what is TRUTH) is N times as bad as another (repeatable).",
    ),
]
Codebook = Annotated[
    Path | None,
    typer.Option("--codebook", metavar="FILE", help="Another codebook (TOML).", show_default="the classifier's"),
]
AllowPrivate = Annotated[
    bool, typer.Option("--allow-private", help="Also fetch loopback and private addresses (local sites, tests).")
]


def archive_path(flag: Path | None) -> Path:
    """The archive to use: this command's ``-a``, the one before the command, or what the settings say."""
    chosen = flag if flag is not None else state.archive
    return Path(resolve("archive", str(chosen) if chosen is not None else None).value)


def is_quiet(flag: bool) -> bool:
    """Whether ``--quiet`` was given, before or after the command."""
    return flag or state.quiet


def pretty(value: object) -> str:
    """One value as indented JSON that any terminal and encoding can carry."""
    import json

    return json.dumps(value, indent=2, ensure_ascii=True)


def check_choice(option: str, value: str, allowed: tuple[str, ...]) -> str:
    """``value`` if it is one of ``allowed``; raises ``UsageError`` otherwise."""
    from store.records import UsageError

    if value not in allowed:
        raise UsageError(f"{option} {value}: not known", hint="one of " + ", ".join(allowed))
    return value
