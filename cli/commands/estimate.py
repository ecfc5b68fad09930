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
    decided_by: Annotated[
        str | None,
        typer.Option("--decided-by", metavar="CODER", help="With --gold: the coder whose word is the last one."),
    ] = None,
    classifier: options.Classifier = None,
    cost: options.Costs = None,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Who is it really about? The share of each label, corrected for the classifier's own confusion.

    "called" is the share of sentences that the machine gave the label, "estimate" the share it takes to explain those calls
    given how the machine errs, with a 95 % interval over threads, over what is not known of its errors, and over what few
    sentences leave open. Authors with fewer than five sentences are left out. Machine labels, never to be shown as human codings.
    """
    from cli.jobs.estimate import COLUMNS, GROUPS, EstimateRequest, estimate_archive
    from cli.jobs.model import parse_costs
    from cli.output import choose_format, emit, note

    chosen = choose_format(fmt, as_json=as_json)
    request = EstimateRequest(by=by, gold=gold, model=classifier, costs=parse_costs(cost) or {}, decided_by=decided_by)
    found = estimate_archive(options.archive_path(archive), request)
    about = found["about"]
    if chosen == "json":
        typer.echo(options.pretty({"rows": found["rows"], "about": about}))
        return
    columns = (*GROUPS[by], *COLUMNS, *(about if chosen in ("csv", "tsv") else ()))
    emit(({**row, **about} for row in found["rows"]), columns, chosen)
    meta = about["meta_as_promotion"]
    promoted = "" if meta is None else f"; meta-talk taken for promotion: {meta:.1%}"
    whose = "coded sentences" if gold else "held-out sentences"
    note(f"machine labels of {about['model']}; error on {whose} {about['held_out_error']:.1%}{promoted}")
    note(f"confusion from {about['confusion_from']}; the model abstained on {about['abstained']} sentences")
    for remark in found["remarks"]:
        note(remark)
