"""``chorus harvest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus harvest https://blog.example/2012/12/a-post/ -a my-archive

chorus harvest https://blog.example/ --site --dry-run

chorus harvest https://blog.example/ --site --since 2012 --max-pages 500 --contact mailto:me@uni.example

chorus harvest --from urls.csv --column link --workers 4

chorus harvest --update -a my-archive

The last one, run every night by cron or systemd, visits again what is due, and what the [[seeds]] in my-archive/chorus.toml
have new. Ctrl-C once finishes the pages in hand, twice stops now; the same command goes on where it stopped.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("harvest", epilog=EPILOG)(harvest)


def harvest(
    urls: Annotated[list[str] | None, typer.Argument(metavar="[URL]...", help="Pages to archive.")] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE|-", help="Read URLs from a file: one a line, CSV, or OPML."),
    ] = None,
    column: Annotated[
        str | None, typer.Option("--column", metavar="NAME", help="The column of a CSV file that has the URLs.")
    ] = None,
    archive: options.Archive = None,
    site: Annotated[
        bool,
        typer.Option("--site", help="The URLs are blogs: find their posts through feeds, sitemaps and index pages."),
    ] = False,
    scope: Annotated[
        str, typer.Option("--scope", metavar="host|prefix|domain", help="How far a blog reaches from its URL.")
    ] = "host",
    include: Annotated[
        list[str] | None, typer.Option("--include", metavar="REGEX", help="Only posts whose URL matches; repeatable.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="REGEX", help="No posts whose URL matches; repeatable.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help="Only posts dated from here on, where a list says.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Only posts up to here.")] = None,
    depth: Annotated[
        int, typer.Option("--depth", min=0, help="Index pages that may lie between the URL and a post.")
    ] = 1000,
    workers: Annotated[int, typer.Option("--workers", min=1, max=32, help="Hosts visited at once.")] = 1,
    delay: Annotated[
        float | None, typer.Option("--delay", help="Seconds between pages of one host.", show_default="1")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds a page may take.", show_default="30")
    ] = None,
    max_pages: Annotated[int | None, typer.Option("--max-pages", min=1, help="Stop after so many pages.")] = None,
    max_time: Annotated[
        str | None, typer.Option("--max-time", metavar="TIME", help="Stop after this time: 90, 15m, 2h.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option("--max-size", metavar="SIZE", help="Stop when so much was written: 500M, 20G.")
    ] = None,
    contact: Annotated[str | None, typer.Option("--contact", help="URL or mail address for the user agent.")] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Visit again: the URLs given; or without any, what is due.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="With --update: every page, due or not.")] = False,
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be visited, and what not and why; then stop.")
    ] = False,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Append every event to a file, as JSON lines.")
    ] = None,
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
    from cli.jobs.harvest import HarvestRequest, checked_seeds, harvest_pages, plan
    from cli.jobs.seedbook import Seed, duration, size
    from cli.jobs.seeds import read_urls
    from cli.output import choose_format, emit

    chosen = choose_format(fmt, as_json=as_json)
    path: Path = options.archive_path(archive)
    common = {
        "site": site,
        "reach": scope,
        "include": tuple(include or ()),
        "exclude": tuple(exclude or ()),
        "since": since,
        "until": until,
        "depth": depth,
    }
    seeds = [Seed(url=url, **common) for url in dict.fromkeys(read_urls(urls or [], source, column))]  # type: ignore[arg-type]
    for seed in seeds[:1]:
        seed.scope()  # a bad pattern or date shows before anything is done
    request = HarvestRequest.from_settings(
        seeds=checked_seeds(seeds, update=update, archive=path),
        delay=delay,
        timeout=timeout,
        contact=contact,
        workers=workers,
        max_pages=max_pages,
        max_seconds=None if max_time is None else duration(max_time),
        max_bytes=None if max_size is None else size(max_size),
        update=update,
        every=every,
        allow_private=allow_private,
        ignore_robots=ignore_robots,
        behaviours=behaviours,
        screenshots=screenshots,
        endpoint=browser_endpoint,
        log=log,
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
    columns = ("outcome", "comments", "announced", "completeness", "title", "url", "error")
    silent = options.is_quiet(quiet)
    if dry_run:
        emit(plan(path, request, quiet=silent), ("action", "url", "source", "published", "reason"), chosen)
        return
    report = harvest_pages(path, request, quiet=silent)
    emit(report.rows, columns, chosen)
    raise typer.Exit(report.exit_code)
