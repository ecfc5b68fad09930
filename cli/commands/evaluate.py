"""``chorus evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import options, state

EPILOG = """Examples:

chorus evaluate coded.jsonl

chorus evaluate coded.jsonl --json > evaluation.json

cat ana.jsonl ben.jsonl decided.jsonl | chorus evaluate - --decided-by decided -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evaluate", epilog=EPILOG)(evaluate)


def evaluate(
    gold: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-",
            help="Coded sentences, JSON lines: id, text, label; context, role, cluster, chance, coder.",
        ),
    ],
    decided_by: Annotated[
        str | None,
        typer.Option(
            "--decided-by", metavar="CODER", help="The coder whose word is the last one, where several coded."
        ),
    ] = None,
    classifier: options.Classifier = None,
    cost: options.Costs = None,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """How often the classifier errs on sentences that people coded.

    Macro-F1 with a 95 % interval (bootstrap over clusters: the line's cluster, host or thread), precision and recall of each
    label, Krippendorff's alpha of machine against human, calibration error, and how much meta-talk was taken for promotion. A
    unit that several coded counts once, under the label of most; lines with a chance are weighed by its inverse. Sentences of an
    archive (-a) are compared as they were labelled there, in view of their threads.
    """
    from cli.jobs.evaluate import GoldRequest, evaluate_file, remarks
    from cli.jobs.model import parse_costs
    from cli.output import choose_format, emit, note

    chosen = choose_format(fmt, as_json=as_json)
    place: Path | None = options.archive_path(archive)
    asked = archive is not None or state.archive is not None
    if place is not None and not asked and not (place / "chorus.toml").is_file():
        place = None
    request = GoldRequest(
        path=gold,
        model=classifier,
        costs=parse_costs(cost) or {},
        archive=place,
        insist=asked,
        decided_by=decided_by,
    )
    found = evaluate_file(request)
    for remark in remarks(found):
        note(remark)
    if chosen == "json":
        typer.echo(options.pretty(found))
        return
    emit(_rows(found), ("what", "value", "low", "high"), chosen)


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    low, high = found["macro_f1_interval"] or (None, None)
    rows = [{"what": "macro_f1", "value": found["macro_f1"], "low": low, "high": high}]
    plain = (
        *(
            "units",
            "effective_units",
            "clusters",
            "in_archive",
            "accuracy",
            "abstained",
            "accuracy_where_sure",
            "alpha",
        ),
        *("calibration_error", "meta_as_promotion", "model", "codebook"),
    )
    rows += [{"what": name, "value": found[name], "low": None, "high": None} for name in plain]
    for label, figures in found["labels"].items():
        rows += [{"what": f"{label} {k}", "value": v, "low": None, "high": None} for k, v in figures.items()]
    return rows
