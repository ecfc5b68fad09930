"""``chorus estimate``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus estimate -a my-archive

chorus estimate --by author --gold coded.jsonl --format csv
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("estimate", epilog=EPILOG)(estimate)


def estimate(
    by: Annotated[
        str, typer.Option("--by", metavar="GROUP", help="archive, site, thread, author, kind, year or month.")
    ] = "archive",
    gold: Annotated[
        str | None,
        typer.Option("--gold", metavar="FILE", help="Coded sentences that tell how the model errs on your texts."),
    ] = None,
    classifier: options.Classifier = None,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Who is it really about? The share of each label, corrected for the classifier's own confusion.

    "called" is the share of sentences that the machine gave the label, "estimate" the share it takes to explain those calls
    given how the machine errs, with a 95 % interval over threads and over what is not known of its errors. Authors with fewer
    than five sentences are left out. Machine labels, never to be shown as human codings.
    """
    from cli.jobs.research import estimate_archive
    from cli.output import choose_format, emit, note

    chosen = choose_format(fmt, as_json=as_json)
    found = estimate_archive(options.archive_path(archive), by, gold, classifier)
    if chosen == "json":
        typer.echo(options.pretty(found))
        return
    columns = (by, "label", "sentences", "threads", "called", "estimate", "low", "high")
    emit(({**row, **found["about"]} for row in found["rows"]), columns, chosen)
    about = found["about"]
    meta = (
        ""
        if about["meta_as_promotion"] is None
        else f"; meta-talk taken for promotion: {about['meta_as_promotion']:.1%}"
    )
    note(f"machine labels of {about['model']}; error on held-out sentences {about['held_out_error']:.1%}{meta}")
    note(f"confusion from {about['confusion_from']}")
