"""The ``chorus`` command: collects the commands, and turns every expected error into one line and its exit code."""

from __future__ import annotations

import errno
import importlib
import keyword
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli import state
from cli.output import note
from store.records import ChorusError

HELP = """Archive blog posts with their whole comment threads, classify their language, search them by meaning.

Try `chorus demo`, or: chorus harvest https://blog.example/a-post/ -a my-archive
"""

#: Modules of ``cli.commands``, in the order in which ``--help`` lists them.
COMMANDS = (
    *("demo", "harvest", "import", "login", "extract", "threads", "show", "diff", "classify", "search", "export"),
    *("sample", "label", "agreement", "train", "evaluate", "estimate", "report"),
    *("kwic", "keyness", "topics", "duplicates"),
    *("runs", "verify", "replay", "wacz", "rebuild", "forget", "status", "codebook", "doctor", "config"),
)

#: The exit code after Ctrl-C, as shells have it: 128 and the signal's number.
INTERRUPTED = 130

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def _root(
    archive: Annotated[
        Path | None, typer.Option("--archive", "-a", metavar="DIR", help="The archive directory.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes on stderr.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    state.archive, state.quiet, state.debug = archive, quiet, debug


for _name in COMMANDS:
    _module = f"{_name}_" if keyword.iskeyword(_name) else _name
    importlib.import_module(f"cli.commands.{_module}").register(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Raises only with ``--debug``."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in argv
    if "--version" in argv[:1]:
        return _print_version()
    try:
        result = typer.main.get_command(app).main(args=argv, prog_name="chorus", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:  # the edge of the process: every ending becomes a line and an exit code
        if debug and not isinstance(error, KeyboardInterrupt | typer.Exit | BrokenPipeError):
            raise
        return _ending(error)
    if result == INTERRUPTED:  # the option parser turns Ctrl-C into this code
        return _ending(KeyboardInterrupt())
    return result if isinstance(result, int) else 0


def run() -> None:
    """Entry point of the ``chorus`` script."""
    sys.exit(main())


def _print_version() -> int:
    from importlib.metadata import version

    typer.echo(f"chorus {version('chorus')}")
    return 0


def _ending(error: BaseException) -> int:
    if isinstance(error, ChorusError):
        return _say(str(error), error.hint, error.exit_code)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return _say("interrupted; what was finished is kept", "the same command goes on where it stopped", INTERRUPTED)
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if isinstance(error, SystemExit):  # the option parser's way out of a closed pipe
        return 0 if error.code in (None, 1) else int(error.code or 0)
    if isinstance(error, BrokenPipeError):  # `chorus … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, OSError):
        return _os_error(error)
    if hasattr(error, "format_message"):  # a usage error from the option parser
        return _say(error.format_message(), "chorus COMMAND --help", 2)
    return _say(f"unexpected {type(error).__name__}: {error}", "run again with --debug and report it", 1)


def _os_error(error: OSError) -> int:
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _say(f"the disk is full ({what}); what was finished is kept", "make room and run it again", 1)
    return _say(what, None, 1)


def _say(message: str, hint: str | None, code: int) -> int:
    line = " ".join(message.split()) or "failed"
    note(f"chorus: {line}" + (f" - {hint}" if hint else ""))
    return code
