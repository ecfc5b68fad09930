"""``chorus harvest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus harvest https://blog.example/2012/12/a-post/ -a my-archive

chorus harvest --from urls.txt --delay 2 --contact mailto:me@uni.example

grep -o 'https://[^ ]*' notes.txt | chorus harvest --from -
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("harvest", epilog=EPILOG)(harvest)


def harvest(
    urls: Annotated[list[str] | None, typer.Argument(metavar="[URL]...", help="Pages to archive.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="FILE|-", help="Read URLs from a file, one a line.")
    ] = None,
    archive: options.Archive = None,
    delay: Annotated[
        float | None, typer.Option("--delay", help="Seconds between pages of one host.", show_default="1")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds a page may take.", show_default="30")
    ] = None,
    max_pages: Annotated[int | None, typer.Option("--max-pages", min=1, help="Stop after so many pages.")] = None,
    contact: Annotated[str | None, typer.Option("--contact", help="URL or mail address for the user agent.")] = None,
    update: Annotated[bool, typer.Option("--update", help="Visit again what the archive has already.")] = False,
    allow_private: options.AllowPrivate = False,
    ignore_robots: Annotated[
        bool, typer.Option("--ignore-robots", help="Fetch what robots.txt forbids; recorded.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be visited, and stop.")] = False,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Archive posts with their whole comment threads.

    Each page is loaded in a real browser; everything it received, the rendered page, a screenshot and its text are kept as
    WARC. The thread is read from the page and stored, searchable at once. Pages that the archive has already are skipped
    (--update visits them again), so the same command goes on where it stopped.
    """
    from cli.jobs.harvest import HarvestRequest, harvest_pages, read_urls
    from cli.output import choose_format, emit

    chosen = choose_format(fmt, as_json=as_json)
    request = HarvestRequest.from_settings(
        urls=read_urls(urls or [], source),
        delay=delay,
        timeout=timeout,
        contact=contact,
        max_pages=max_pages,
        update=update,
        allow_private=allow_private,
        ignore_robots=ignore_robots,
    )
    path: Path = options.archive_path(archive)
    columns = ("outcome", "comments", "announced", "completeness", "title", "url", "error")
    if dry_run:
        from cli.jobs.harvest import plan

        emit(plan(path, request), ("action", "url", "reason"), chosen)
        return
    report = harvest_pages(path, request, quiet=options.is_quiet(quiet))
    emit(report.rows, columns, chosen)
    raise typer.Exit(report.exit_code)
