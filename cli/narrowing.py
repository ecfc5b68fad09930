"""The options that narrow what text mining reads, each written once."""

from __future__ import annotations

from typing import Annotated

import typer

Site = Annotated[str | None, typer.Option("--site", help="Only this host.")]
Author = Annotated[str | None, typer.Option("--author", help="Only this author (letter case ignored).")]
Kind = Annotated[str | None, typer.Option("--kind", help="post, comment, pingback or trackback.")]
Since = Annotated[str | None, typer.Option("--since", metavar="DATE", help="Published on this day or later.")]
Until = Annotated[str | None, typer.Option("--until", metavar="DATE", help="Published on this day or earlier.")]
Thread = Annotated[str | None, typer.Option("--thread", metavar="ID", help="Only this thread.")]
