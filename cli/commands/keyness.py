"""``chorus keyness``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import narrowing, options

EPILOG = """Examples:

chorus keyness --by label

chorus keyness --by label --target self-promotion --reference meta-talk -k 50

chorus keyness --by year --target 2012 --site blog.example --format csv > words-of-2012.csv

chorus keyness --by author --target "Ana Ruiz" --sort log-ratio

Columns: count and reference_count, how often each side uses the word; per_million and reference_per_million, the same per
million words; g2, log-likelihood; log_ratio, the binary logarithm of the ratio of the rates (1 is twice as often);
dispersion, 0 where all authors use it alike, 1 where one does; authors, how many use it; p; q, the false-discovery rate.
"""

#: What a table shows; csv and tsv show ``COLUMNS``, JSON everything and how it was counted.
SHORT = ("target", "word", "count", "reference_count", "g2", "log_ratio", "dispersion", "{parts}", "q")
COLUMNS = (
    *("target", "reference", "word", "count", "reference_count", "per_million", "reference_per_million", "g2"),
    *("log_ratio", "dispersion", "{parts}", "p", "q"),
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("keyness", epilog=EPILOG)(keyness)


def keyness(
    by: Annotated[str, typer.Option("--by", help="Compare by label, site, author or year.")],
    archive: options.Archive = None,
    target: Annotated[str | None, typer.Option("--target", metavar="X", help="Only this group [each].")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="Y", help="Compare with this group [all others].")
    ] = None,
    min_count: Annotated[int, typer.Option("--min-count", min=1, metavar="N", help="Used so often by both sides.")] = 5,
    min_authors: Annotated[
        int | None, typer.Option("--min-authors", min=1, metavar="N", help="Used by so many authors of the target [3].")
    ] = None,
    max_q: Annotated[float, typer.Option("--max-q", min=0, max=1, help="Largest false-discovery rate.")] = 0.05,
    sort: Annotated[str, typer.Option("--sort", help="g2 (sure) or log-ratio (large).")] = "g2",
    k: Annotated[int, typer.Option("-k", min=1, metavar="N", help="At most N words a group.")] = 20,
    site: narrowing.Site = None,
    author: narrowing.Author = None,
    kind: narrowing.Kind = None,
    since: narrowing.Since = None,
    until: narrowing.Until = None,
    thread: narrowing.Thread = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
) -> None:
    """Find the words that set groups of entries apart: used more, by many authors, and not by chance.

    --by label compares the sentences that the newest classification labelled; these labels are a machine's. By site, author
    and year whole entries are compared; of an author, dispersion is over threads. Words are as written, in lower case.
    """
    from cli.jobs.keyness import BY, SORTS, KeynessRequest, keyness_report
    from cli.jobs.narrowed import Narrowed
    from cli.output import choose_format, emit, note

    options.check_choice("--by", by, BY)
    options.check_choice("--sort", sort, SORTS)
    chosen = choose_format(fmt, as_json=as_json)
    narrowed = Narrowed(site=site, author=author, kind=kind, since=since, until=until, thread=thread)
    request = KeynessRequest(
        by=by, target=target, reference=reference, min_count=min_count, min_authors=min_authors, max_q=max_q, k=k,
        sort=sort, narrowed=narrowed,
    )  # fmt: skip
    report = keyness_report(options.archive_path(archive), request)
    if chosen == "json":
        typer.echo(options.pretty({"about": report.about, "words": report.rows}))
        return
    if "models" in report.about:
        note("labels by machine: " + ", ".join(report.about["models"]), quiet=chosen != "table")
    parts = "threads" if by == "author" else "authors"
    columns = [name.format(parts=parts) for name in (SHORT if chosen == "table" else COLUMNS)]
    labelled = ["labels_by"] if by == "label" and chosen != "table" else []
    emit(report.rows, [*columns, *labelled], chosen)
