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
    profile: options.Profile = None,
    cookies: Annotated[
        Path | None, typer.Option("--cookies", metavar="FILE", help="cookies.txt or JSON, for pages behind a log-in.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", metavar="'NAME: VALUE'", help="Send this header; may be repeated.")
    ] = None,
    proxy: Annotated[str | None, typer.Option("--proxy", metavar="URL", help="http:// or socks5:// proxy.")] = None,
    locale: Annotated[
        str | None, typer.Option("--locale", help="The browser's language.", show_default="en-US")
    ] = None,
    timezone: Annotated[str | None, typer.Option("--timezone", help="For example Europe/Lisbon.")] = None,
    viewport: Annotated[str | None, typer.Option("--viewport", help="The window.", show_default="1280x960")] = None,
    browser_endpoint: Annotated[
        str | None, typer.Option("--browser-endpoint", metavar="URL", help="Use a running browser (its CDP address).")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="HOST[:PORT]", help="Fetch this private host; may be repeated."),
    ] = None,
    ignore_tls_errors: Annotated[
        bool, typer.Option("--ignore-tls-errors", help="Accept broken certificates; recorded.")
    ] = False,
    behaviours: Annotated[
        bool, typer.Option("--behaviours/--no-behaviours", help="Scroll and open folded comments.")
    ] = True,
    screenshots: Annotated[bool, typer.Option("--screenshots/--no-screenshots", help="Keep pictures.")] = True,
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
    from cli.jobs.access import AccessRequest
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
        behaviours=behaviours,
        screenshots=screenshots,
        endpoint=browser_endpoint,
        access=AccessRequest(
            profile=profile,
            cookies=cookies,
            headers=tuple(header or ()),
            proxy=proxy,
            locale=locale,
            timezone=timezone,
            viewport=viewport,
            allow_hosts=tuple(allow_host or ()),
            ignore_tls_errors=ignore_tls_errors,
        ),
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
