"""``chorus label``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus label to-code.jsonl -a my-archive

chorus label to-code.jsonl --coder ana --split dev --out ana.jsonl

chorus label to-code.jsonl --codebook politeness.toml

printf '1\\nC2\\nq\\n' | chorus label to-code.jsonl --coder ana --out ana.jsonl
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("label", epilog=EPILOG)(label)


def label(
    sample: Annotated[
        str, typer.Argument(metavar="SAMPLE|-", help="What `chorus sample` drew: id, text; context, role, thread_id.")
    ],
    coder: Annotated[
        str | None,
        typer.Option("--coder", metavar="NAME", help="Who codes.", show_default="CHORUS_CODER, else the user"),
    ] = None,
    codebook: options.Codebook = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Keep codings here [ARCHIVE/annotations/CODER.jsonl]."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="SIDE", help="Only this side of the sample: dev or test.")
    ] = None,
    recode: Annotated[bool, typer.Option("--recode", help="Go through units that are coded already, too.")] = False,
    archive: options.Archive = None,
    as_json: Annotated[bool, typer.Option("--json", help="At the end a summary as JSON on stdout.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Code a sample by hand, one unit at a time.

    Type a label's number or a code (P1, c2) and Enter; ? for the definitions (? P1 for one), u to undo, s to skip, n TEXT for
    a note on the unit, q to quit. Each coding is on the disk at once, and the same command goes on where you stopped. For a
    comment you see what it answers, but never who wrote it or what the machine made of it. Without a terminal, keys are read
    as lines from stdin.
    """
    from cli.jobs.label import LabelRequest, open_session
    from cli.jobs.label_sample import SPLITS
    from cli.label_prompt import converse, key_lines
    from cli.output import note

    silent = options.is_quiet(quiet)
    request = LabelRequest(
        sample=sample,
        coder=coder,
        codebook=codebook,
        out=out,
        split=options.check_choice("--split", split, SPLITS) if split is not None else None,
        recode=recode,
        archive=options.archive_path(archive),
    )
    with open_session(request) as (session, parents, moved), key_lines(sample) as lines:
        if moved is not None:
            note(f"{session.path}: its last line was cut off; it lies in {moved} now", quiet=silent)
        try:
            converse(session, parents, lines, quiet=silent and not lines.isatty())
        finally:
            note(f"{session.coded} coded, {session.left} left: {session.path}", quiet=silent)
    if as_json:
        typer.echo(options.pretty(session.summary()))
