"""``chorus classify``."""

from __future__ import annotations

import sys
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from cli.jobs.classify_input import InputRequest

EPILOG = """Examples:

chorus classify -a my-archive

chorus classify -a my-archive --site blog.example --since 2012 --where 'kind:comment -author:"Ana Ruiz"'

chorus classify --input sentences.jsonl > labels.jsonl

zcat comments.csv.gz | chorus classify --input - --input-as csv

chorus classify --input comments.csv --text-column body --unit entry --out labels.parquet

echo '{"id": "1", "text": "Thanks, this fixed it.", "context": null, "role": "comment"}' | chorus classify --input -
"""

#: The columns of the default codebook's labels; null under a codebook that lacks them.
ACTS = ("promo", "share", "meta")

#: What a table shows of a result on stdout; the other formats show everything.
COLUMNS = ("id", "label", *ACTS, "abstain", "error")

#: The same under a codebook of one's own: how probable the given label is.
OTHER_COLUMNS = ("id", "label", "probability", "abstain", "error")

#: The exit code when some rows were not classified.
PARTIAL = 3


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("classify", epilog=EPILOG)(classify)


def classify(
    source: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="FILE|-", help="Classify this file (.jsonl, .csv, .tsv, .parquet), not the archive."
        ),
    ] = None,
    input_as: Annotated[
        str | None,
        typer.Option(
            "--input-as", metavar="FORMAT", help="Read --input as jsonl, csv, tsv or parquet, whatever its name."
        ),
    ] = None,
    out: Annotated[
        str,
        typer.Option(
            "--out", metavar="FILE|-", help="Where results go (.jsonl, .csv, .tsv, .parquet); goes on after a crash."
        ),
    ] = "-",
    text_column: Annotated[str, typer.Option("--text-column", metavar="NAME", help="The column of the text.")] = "text",
    id_column: Annotated[str, typer.Option("--id-column", metavar="NAME", help="The column of the id.")] = "id",
    unit: Annotated[str, typer.Option("--unit", help="sentence or entry.")] = "sentence",
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="EXPR", help="Only entries that meet this: fields as in a search query."),
    ] = None,
    site: Annotated[str | None, typer.Option("--site", help="Only this host.")] = None,
    author: Annotated[str | None, typer.Option("--author", help="Only this author (letter case ignored).")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="post, comment, pingback or trackback.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Published on this day or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Published on this day or earlier.")
    ] = None,
    thread: Annotated[str | None, typer.Option("--thread", metavar="ID", help="Only this thread.")] = None,
    engine: Annotated[str, typer.Option("--engine", help="local, or ray: a cluster's cores (RAY_ADDRESS).")] = "local",
    explain: Annotated[bool, typer.Option("--explain", help="With --input: say what each label came from.")] = False,
    classifier: options.Classifier = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            "--cost",
            metavar="[TRUTH:]LABEL=N",
            help="Giving LABEL wrongly (or to what is TRUTH) is N times as bad as another (repeatable).",
        ),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither read nor keep what was computed on disk.")
    ] = False,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Label language: self-promotion, community-sharing, meta-talk or neither (or as the --classifier's codebook has it).

    Without --input, every sentence of the archive that this model has not labelled yet; an interrupted run goes on where it
    stopped. The summary counts what the model labelled before, too: of all entries, or of those that the filters choose. With
    --input, one result for each row, in the same order; a row that cannot be classified has a null label and an error, and
    the exit code is 3; a file without rows is 5. Labels are a model's, not a person's: `chorus codebook` says what they mean,
    docs/model.md how often the model errs.
    """
    from cli.jobs.classify import classify_archive
    from cli.jobs.model import parse_costs
    from cli.jobs.narrowed import Narrowed
    from cli.output import choose_format, emit

    options.check_choice("--unit", unit, ("sentence", "entry"))
    _check_input(source, input_as)
    options.check_choice("--engine", engine, ("local", "ray"))
    chosen = choose_format(fmt, as_json=as_json)
    narrowed = Narrowed(where=where, site=site, author=author, kind=kind, since=since, until=until, thread=thread)
    silent = options.is_quiet(quiet)
    _check_together(source, out, narrowed.given(), explain)
    if source is not None:
        from cli.jobs.batch_input import Source
        from cli.jobs.classify_input import InputRequest

        request = InputRequest(
            source=Source(source, text_column, id_column, input_as), unit=unit, explain=explain, cache=not no_cache, quiet=silent,
            model=classifier, costs=parse_costs(cost), engine=engine,
        )  # fmt: skip
        plain = fmt is None and not as_json
        _input(request, out, "jsonl" if plain and out == "-" else chosen)
        return
    report = classify_archive(
        options.archive_path(archive), unit=unit, quiet=silent, narrowed=narrowed, cache=not no_cache,
        model=classifier, costs=parse_costs(cost), engine=engine,
    )  # fmt: skip
    emit(report.rows, ("label", "units", "share", "mean_probability", "abstained"), chosen)


def _check_input(source: str | None, input_as: str | None) -> None:
    if input_as is None:
        return
    from cli.jobs.batch_input import READ_AS
    from store.records import UsageError

    options.check_choice("--input-as", input_as, READ_AS)
    if source is None:
        raise UsageError("--input-as: only with --input", hint="chorus classify --input FILE")
    if source == "-" and input_as == "parquet":  # which is read from its end
        raise UsageError("--input-as parquet: cannot be read from stdin", hint="chorus classify --input FILE")


def _check_together(source: str | None, out: str, narrowed: dict[str, str], explain: bool) -> None:
    from store.records import UsageError

    if source is None and (out != "-" or explain):
        raise UsageError(
            f"{'--explain' if explain else '--out'}: only with --input", hint="chorus classify --input FILE"
        )
    if source is not None and narrowed:
        raise UsageError(f"--{next(iter(narrowed))}: narrows an archive, not an --input file")


def _input(request: InputRequest, out: str, fmt: str) -> None:
    from pathlib import Path

    from cli.jobs.classify_input import classify_file
    from cli.output import emit

    if out == "-":
        failed = _to_stdout(request, fmt)
    else:
        report = classify_file(request, Path(out))
        emit(report.rows, ("label", "rows", "share", "abstained"), fmt)
        failed = report.failed
    if failed:
        raise typer.Exit(PARTIAL)


def _to_stdout(request: InputRequest, fmt: str) -> int:
    """Write the results as they come; returns how many rows were not classified."""
    from cli.jobs.batch_output import delimited
    from cli.jobs.classify_input import Outcome, classify_rows
    from cli.output import emit

    outcome = Outcome()
    rows = classify_rows(request, outcome)
    first = list(islice(rows, 1))  # with it the model is known, and with the model the columns
    results = chain(first, rows)
    if fmt in ("csv", "tsv"):
        for number, row in enumerate(results):
            sys.stdout.write(delimited([row], outcome.shape, fmt, header=number == 0))
    else:
        has_acts = all(outcome.shape.example[name] is not None for name in ACTS)
        tabled = map(_with_probability, results) if fmt == "table" else results
        emit(tabled, COLUMNS if has_acts else OTHER_COLUMNS, fmt)
    outcome.tell(quiet=request.quiet)
    return outcome.failed


def _with_probability(row: dict[str, Any]) -> dict[str, Any]:
    """The result with the ``probability`` of its label; null where it has none."""
    return {**row, "probability": (row["probabilities"] or {}).get(row["label"])}
