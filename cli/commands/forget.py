"""``chorus forget``."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import options

EPILOG = """Examples:

chorus forget --author "Jo Example" --dry-run

chorus forget --entry 3f2a9c61 --reason "asked by mail, 2026-11-30"

chorus forget --url https://blog.example/2012/12/a-post/ --yes

chorus forget --again --yes
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("forget", epilog=EPILOG)(forget)


def forget(
    author: Annotated[
        str | None,
        typer.Option("--author", metavar="NAME", help="Everything by this author, exactly as it is written."),
    ] = None,
    entry: Annotated[
        str | None,
        typer.Option("--entry", metavar="ID", help="One entry (a prefix of its id will do), all its versions."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="A page with its whole thread, or the entry at that address."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="What was erased before and came back with a later harvest.")
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Kept in the redaction log. Name no one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    archive: options.Archive = None,
    fmt: options.Format = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Erase a person's words from the archive: WARC records, tables, vectors, exports in it. It cannot be undone.

    Texts and names are cut out of every record that holds them, the rest of the page stays; pictures that show them go. The
    tables are made anew from that. redactions.jsonl tells which records were touched, and never what stood there. Copies
    elsewhere (WACZ files, exports, back-ups) are not reached; a later harvest may bring it back: --again. Make a copy of the
    archive first.
    """
    from cli.jobs.forget import ForgetRequest, plan_forget
    from cli.jobs.forget import forget as erase
    from cli.output import choose_format, emit
    from store.records import UsageError

    place, chosen = options.archive_path(archive), choose_format(fmt, as_json=as_json)
    request = ForgetRequest(author=author, entry=entry, url=url, again=again, reason=reason)
    plan = plan_forget(place, request)
    if dry_run:
        emit(plan.plan(), ("thread", "entries", "revisions", "title"), chosen)
        return
    if not yes:
        import sys

        if not sys.stdin.isatty():
            raise UsageError(
                "forget erases for good and there is no one to ask", hint="--yes, or --dry-run to see the plan"
            )
        what = f"{len(plan.entry_ids)} entries in {len(plan.titles)} threads"
        typer.confirm(f"Erase {what} for good?", abort=True, err=True)
    emit(erase(place, request, quiet=options.is_quiet(quiet)), ("what", "count"), chosen)
