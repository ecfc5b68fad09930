"""``chorus report``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus report -a my-archive

chorus report -a my-archive --out - > report.html

chorus report --by site --gold coded.jsonl --title "Who is it really about?"

SOURCE_DATE_EPOCH (seconds since 1970), where it is set, is the time that the report bears.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("report", epilog=EPILOG)(report)


def report(
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE|-", help="Where to write; - is stdout.")
    ] = "report.html",
    gold: Annotated[
        str | None,
        typer.Option("--gold", metavar="FILE", help="Coded sentences that tell how the model errs on your texts."),
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", help="The report's title.", show_default="the archive's name")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="GROUP", help="Shown first: thread, site, year or author.")
    ] = "thread",
    decided_by: Annotated[
        str | None,
        typer.Option("--decided-by", metavar="CODER", help="With --gold: the coder whose word is the last one."),
    ] = None,
    classifier: options.Classifier = None,
    cost: options.Costs = None,
    archive: options.Archive = None,
    quiet: options.Quiet = False,
) -> None:
    """Write one HTML file that shows what is in the archive: shares with intervals, examples, words, errors, provenance.

    The file needs no network and no script, prints, and follows the reader's light or dark setting; a table with the numbers
    stands under every plot. Shares are those of `chorus estimate`. Labels are a machine's. What is not there yet is said in a
    line; only an archive without any thread is exit 5.
    """
    from cli.jobs.model import parse_costs
    from cli.jobs.report import write_report
    from cli.output import note
    from cli.report.material import BY, ReportRequest

    options.check_choice("--by", by, BY)
    request = ReportRequest(
        out=out,
        gold=gold,
        title=title,
        by=by,
        classifier=classifier,
        costs=parse_costs(cost) or {},
        decided_by=decided_by,
    )
    size = write_report(options.archive_path(archive), request)
    note(f"{out}: {size} bytes", quiet=options.is_quiet(quiet) or out == "-")
