"""``chorus train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus train ana.jsonl ben.jsonl --out my-classifier

chorus train codings.jsonl --codebook politeness.toml --out politeness

chorus classify --classifier my-classifier -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("train", epilog=EPILOG)(train)


def train(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the classifier goes.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE...]", help="Codings as `chorus label` writes them; without: the archive's."),
    ] = None,
    codebook: Annotated[
        Path | None,
        typer.Option(
            "--codebook", metavar="FILE", help="The codebook they were coded with.", show_default="the shipped one"
        ),
    ] = None,
    corpus: Annotated[
        bool | None,
        typer.Option("--corpus/--no-corpus", help="Add the shipped corpus [if the codebook is its own]."),
    ] = None,
    mix: Annotated[
        list[str] | None,
        typer.Option("--mix", metavar="LABEL=SHARE", help="How frequent each label is in nature (give all of them)."),
    ] = None,
    context: Annotated[
        bool,
        typer.Option(
            "--context/--no-context",
            help="Read the sentence before; without, single sentences are classified twice as fast, and a little worse.",
        ),
    ] = True,
    decided_by: Annotated[
        str | None, typer.Option("--decided-by", metavar="CODER", help="The coder whose word is the last one.")
    ] = None,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a classifier on coded sentences.

    Figures are from cross-validation in which no thread is split. Where coders disagree without a majority, the sentence is
    left out. With the shipped codebook your codings are added to the shipped corpus; with another one the codebook's own
    examples are added, and the classifier keeps the codebook. Probabilities are for the mix of labels among your codings
    unless --mix says another; with the shipped codebook, for the mix found in comments.
    """
    from cli.jobs.train import TrainRequest, train_classifier
    from cli.output import choose_format, emit, note

    chosen, silent = choose_format(fmt, as_json=as_json), options.is_quiet(quiet)
    request = TrainRequest(
        files=files or (),
        out=out,
        codebook=codebook,
        corpus=corpus,
        mix=mix or (),
        archive=None if files else options.archive_path(archive),
        context=context,
        decided_by=decided_by,
    )
    trained = train_classifier(request, lambda text: note(text, quiet=silent))
    emit(trained.rows(), ("label", "precision", "recall", "f1", "sentences"), chosen)
    note(f"{trained.name} from {trained.coded} coded sentences of {trained.sentences} in all: {out}", quiet=silent)
    if trained.disagreed:
        note(f"{trained.disagreed} units left out: their coders disagree", quiet=silent)
    if trained.other:
        note(f"{trained.other} codings with other codebooks left out", quiet=silent)
