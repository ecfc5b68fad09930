"""``chorus wacz``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus wacz -a my-archive

chorus wacz -a my-archive --out /media/usb/discussion.wacz --title "The thread of 2012"
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("wacz", epilog=EPILOG)(wacz)


def wacz(
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write.", show_default="ARCHIVE.wacz")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="The package's title.")] = None,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Pack the archive as one WACZ file for ReplayWeb.page, pywb and other readers.

    Inside: the WARC files, an index that tells POST requests apart, the page list with texts, the thread table
    (chorus/threads.jsonl), the run manifests (chorus/runs.jsonl), and a digest of every file.
    """
    from cli.jobs.wacz import pack_archive
    from cli.output import choose_format, emit

    packed = pack_archive(options.archive_path(archive), out, title=title, quiet=options.is_quiet(quiet))
    row = {"file": str(packed.path), "bytes": packed.bytes, "warcs": packed.warcs, "pages": packed.pages}
    emit([row], tuple(row), choose_format(fmt, as_json=as_json))
