"""``chorus runs``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options, state

EPILOG = """Examples:

chorus runs -a my-archive

chorus runs show 3f2a9c1d

chorus runs diff 3f2a9c1d 88b0e1aa -k 20

chorus runs diff labels-old.jsonl labels-new.parquet --json
"""

RunName = Annotated[str, typer.Argument(metavar="ID|FILE", help="A run's id or the start of one, or a result file.")]


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None, epilog=EPILOG)
    group.callback()(runs)
    group.command("show")(show)
    group.command("diff")(diff)
    app.add_typer(group, name="runs")


def runs(
    context: typer.Context,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """List what was done to the archive, print one run, compare two classifications."""
    if context.invoked_subcommand is not None:
        state.archive = archive or state.archive
        return
    from cli.jobs.runs import run_rows
    from cli.output import choose_format, emit

    rows = run_rows(options.archive_path(archive))
    emit(rows, ("id", "command", "started", "status", "counts"), choose_format(fmt, as_json=as_json))


def show(name: RunName, archive: options.Archive = None) -> None:
    """Print a run's manifest: who ran what, when, with which versions and parameters, and what came of it."""
    from cli.jobs.runs import run_manifest

    typer.echo(options.pretty(run_manifest(options.archive_path(archive), name)))


def diff(
    a: RunName,
    b: RunName,
    k: Annotated[int, typer.Option("-k", min=0, max=100_000, help="How many changed examples.")] = 10,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Compare two classifications: how many labels changed, from which to which, and the clearest changes.

    Each is a run of the archive or a file that `chorus classify --out` wrote. A run of the archive stands for all that its
    model says of the archive now.
    """
    from cli.jobs.runs import diff_runs
    from cli.output import choose_format, dumps, emit
    from cli.render_runs import diff_text

    fmt = choose_format(fmt, as_json=as_json)
    found = diff_runs(options.archive_path(archive), a, b, examples=k)
    if fmt == "table":
        typer.echo(diff_text(found))
    elif fmt == "json":
        typer.echo(options.pretty(found.to_json()))
    elif fmt == "jsonl":
        typer.echo(dumps(found.to_json()))
    else:
        pairs = [{"a": x, "b": y, "units": n} for x, row in found.confusion.items() for y, n in row.items()]
        emit(pairs, ("a", "b", "units"), fmt)
