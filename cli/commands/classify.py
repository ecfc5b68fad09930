"""``chorus classify``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus classify -a my-archive

chorus classify --input sentences.jsonl > labels.jsonl

echo '{"id": "1", "text": "Thanks, this fixed it.", "context": null, "role": "comment"}' | chorus classify --input -
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("classify", epilog=EPILOG)(classify)


def classify(
    source: Annotated[
        str | None, typer.Option("--input", metavar="FILE|-", help="Classify JSON lines instead of the archive.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="sentence or entry.")] = "sentence",
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Label language: self-promotion, community-sharing, meta-talk or neither.

    Without --input, every sentence of the archive that this model has not labelled yet; an interrupted run goes on where it
    stopped. With --input, one JSON line out for each line in, in the same order. Labels are a model's, not a person's:
    `chorus codebook` says what they mean, docs/model.md how often the model errs.
    """
    from cli.jobs.classify import classify_archive, classify_lines
    from cli.output import choose_format, emit

    options.check_choice("--unit", unit, ("sentence", "entry"))
    chosen = choose_format(fmt, as_json=as_json)
    silent = options.is_quiet(quiet)
    if source is not None:
        rows = classify_lines(source, unit=unit, quiet=silent)
        emit(
            rows,
            ("id", "label", "promo", "share", "meta", "abstain"),
            "jsonl" if fmt is None and not as_json else chosen,
        )
        return
    report = classify_archive(options.archive_path(archive), unit=unit, quiet=silent)
    emit(report.rows, ("label", "units", "share", "mean_probability"), chosen)
