"""``chorus evaluate``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli import options

EPILOG = """Examples:

chorus evaluate coded.jsonl

chorus evaluate coded.jsonl --json > evaluation.json
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evaluate", epilog=EPILOG)(evaluate)


def evaluate(
    gold: Annotated[
        str,
        typer.Argument(metavar="FILE|-", help="Coded sentences, JSON lines: id, text, label; context, role, cluster."),
    ],
    classifier: options.Classifier = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """How often the classifier errs on sentences that people coded.

    Macro-F1 with a 95 % interval (bootstrap over clusters: the line's cluster, host or thread), precision and recall of each
    label, Krippendorff's alpha of machine against human, calibration error, and how much meta-talk was taken for promotion.
    """
    from cli.jobs.research import evaluate_file
    from cli.output import choose_format, emit

    chosen = choose_format(fmt, as_json=as_json)
    found = evaluate_file(gold, classifier)
    if chosen == "json":
        typer.echo(options.pretty(found))
        return
    emit(_rows(found), ("what", "value", "low", "high"), chosen)


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    low, high = found["macro_f1_interval"] or (None, None)
    rows = [{"what": "macro_f1", "value": found["macro_f1"], "low": low, "high": high}]
    plain = ("units", "clusters", "accuracy", "alpha", "calibration_error", "meta_as_promotion", "model", "codebook")
    rows += [{"what": name, "value": found[name], "low": None, "high": None} for name in plain]
    for label, figures in found["labels"].items():
        rows += [{"what": f"{label} {k}", "value": v, "low": None, "high": None} for k, v in figures.items()]
    return rows
