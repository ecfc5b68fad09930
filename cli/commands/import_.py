"""``chorus import``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus import saved-page.html -a my-archive

chorus import crawl.warc.gz collection.wacz wordpress-export.xml -a my-archive

chorus import old-thread.txt --url https://blog.example/2012/12/a-post/ -a my-archive
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("import", epilog=EPILOG)(import_)


def import_(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, or folders to search for them.")],
    archive: options.Archive = None,
    url: Annotated[str | None, typer.Option("--url", help="Where the one file is from, if it does not say so.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="KIND", help="html, warc, wacz, wxr, blogger, disqus, jsonl or text [by content]."
        ),
    ] = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Take in what exists already: saved pages, web archives of any tool, blog exports, plain-text threads.

    Told apart by content: HTML, WARC and WACZ (rendered pages where they hold them), WordPress (WXR), Blogger and Disqus
    exports, threads as JSON lines, threads copied as text. The same extractors as for harvests; no network. Importing the
    same thing again adds nothing.
    """
    from cli.jobs.imports import ImportRequest, import_files
    from cli.output import choose_format, emit

    chosen = choose_format(fmt, as_json=as_json)
    request = ImportRequest(paths=tuple(paths), url=url, kind=kind)
    report = import_files(options.archive_path(archive), request, quiet=options.is_quiet(quiet))
    emit(report.rows, ("outcome", "comments", "announced", "completeness", "title", "url", "error"), chosen)
    raise typer.Exit(report.exit_code)
