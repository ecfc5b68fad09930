"""``chorus verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus verify -a my-archive

chorus verify --deep -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("verify", epilog=EPILOG)(verify)


def verify(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also replay every page offline and compare what it shows; needs pywb.")
    ] = False,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check every WARC record (digests, lengths, pairs, revisits), each entry's evidence, announced against captured comments.

    --deep also replays each page offline in the browser and compares visible text, comments, pictures and payload digests;
    the verdicts are kept in the archive.

    Exit 3 if anything falls short.
    """
    from cli.jobs.verify import verify_archive
    from cli.output import choose_format, emit, note

    silent = options.is_quiet(quiet)
    problems, checked = verify_archive(options.archive_path(archive), quiet=silent)
    if deep:
        from cli.jobs.deep import verify_deep

        verdicts = verify_deep(options.archive_path(archive), quiet=silent)
        problems += [
            {"kind": "replay", "where": v["url"], "problem": "; ".join(v["reasons"])} for v in verdicts if not v["same"]
        ]
        checked += len(verdicts)
    emit(problems, ("kind", "where", "problem"), choose_format(fmt, as_json=as_json))
    note(f"{checked} checked, {len(problems)} problems", quiet=silent)
    raise typer.Exit(3 if problems else 0)
