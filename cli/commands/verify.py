"""``chorus verify``."""

from __future__ import annotations

import typer

from cli import options

EPILOG = """Examples:

chorus verify -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("verify", epilog=EPILOG)(verify)


def verify(
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check the digests of every WARC record, that each entry's evidence is there, and announced against captured comments.

    Exit 3 if anything falls short.
    """
    from cli.jobs.verify import verify_archive
    from cli.output import choose_format, emit, note

    silent = options.is_quiet(quiet)
    problems, checked = verify_archive(options.archive_path(archive), quiet=silent)
    emit(problems, ("kind", "where", "problem"), choose_format(fmt, as_json=as_json))
    note(f"{checked} checked, {len(problems)} problems", quiet=silent)
    raise typer.Exit(3 if problems else 0)
