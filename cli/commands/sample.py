"""``chorus sample``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus sample -n 300 -a my-archive > to-code.jsonl

chorus sample -n 300 --stratify --seed 7 -a my-archive > to-code.jsonl
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sample", epilog=EPILOG)(sample)


def sample(
    size: Annotated[int, typer.Option("-n", "--size", min=1, help="Sentences to draw.")] = 200,
    stratify: Annotated[
        bool, typer.Option("--stratify", help="As many of each of the classifier's labels: finds rare ones.")
    ] = False,
    dev_share: Annotated[
        float, typer.Option("--dev-share", min=0.0, max=1.0, help="Share of threads that goes to the dev side.")
    ] = 0.5,
    seed: Annotated[int, typer.Option("--seed", help="The same seed draws the same sample.")] = 0,
    classifier: options.Classifier = None,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Draw sentences for people to code.

    Each comes with the sentence before, its role, and the chance with which it was drawn: `evaluate` and `estimate --gold` weigh
    by its inverse. Whole threads go to dev or to test, so that nothing leaks; machine labels are not shown.
    """
    from cli.jobs.sample import sample_archive
    from cli.output import choose_format, emit, note

    rows = list(
        sample_archive(
            options.archive_path(archive), size, stratify=stratify, dev_share=dev_share, seed=seed, model=classifier
        )
    )
    if len(rows) < size:
        note(f"the archive has no more than these {len(rows)} sentences")
    columns = ("id", "split", "chance", "role", "context", "text")
    emit(rows, columns, choose_format(fmt, as_json=as_json))
