"""``chorus label`` on a terminal or in a pipe: shows a unit, reads a line, obeys. All of it on stderr; stdout is for data."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from cli.label_keys import Key, Keys
from cli.output import printable, shorten
from store.records import UsageError

if TYPE_CHECKING:
    from cli.jobs.label import Session
    from cli.jobs.label_sample import Parents, Unit

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"

#: Characters of the parent that are shown: enough to know what is answered, too few to code it instead.
PARENT_CHARACTERS = 300

#: Units are sentences or entries. What is longer than this is no text to read; it is cut on the screen, which says so.
SHOWN_CHARACTERS = 6_000

#: Lines wider than this are hard to read.
WIDEST = 100

#: Marks that turn the direction of all that follows them, and line ends that only Unicode knows.
_UNRULY = dict.fromkeys([0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], " ")


@contextmanager
def key_lines(sample: str) -> Iterator[IO[bytes]]:
    """Where keys come from: stdin, or the terminal itself when the sample comes through stdin."""
    if sample != "-":
        yield sys.stdin.buffer
        return
    try:
        terminal = open("/dev/tty", "rb", buffering=0)  # noqa: PTH123, SIM115 - closed below; a device
    except OSError as error:
        raise UsageError("-: there is no terminal to type keys on", hint="give the sample as a file") from error
    with terminal:
        yield terminal


class Screen:
    """Writes to stderr what the coder sees; texts from pages can neither drive nor mislead the terminal."""

    def __init__(self, keys: Keys, *, quiet: bool = False) -> None:
        self._keys, self._quiet = keys, quiet
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        self._styled = sys.stderr.isatty() and not plain

    def say(self, text: str, style: str = "", indent: str = "") -> None:
        """One text of any origin, wrapped to the terminal."""
        width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
        for line in tame(text).splitlines() or [""]:
            for part in textwrap.wrap(line, max(20, width - len(indent))) or [""]:
                self._write(indent + self._in(style, part) + "\n")

    def begin(self, session: Session) -> None:
        """Who codes what with which codebook, and the keys."""
        book = session.codebook
        self.say(f"{session.coder} codes {len(session.units)} units with {book.name}, version {book.version}", DIM)
        for line in self._keys.legend():
            self.say(line, DIM)

    def unit(self, session: Session, unit: Unit, parents: Parents) -> None:
        """The unit with what the coder may know of it."""
        self.say("")
        self.say(" · ".join(filter(None, (f"{unit.number} of {len(session.units)}", unit.role))), DIM)
        answered = parents.of(unit)
        if answered is not None:
            self.say(f"answers the {answered.kind}: {brief(answered.text, PARENT_CHARACTERS)}", DIM, "  ")
        if unit.context:
            self._text(f"before: {unit.context}", DIM)
        self.say("")
        self._text(unit.text, BOLD)
        self.say("")
        said = session.said(unit)
        if said is not None:
            self.say(f"so far: {said.get('code') or said['label']} (s keeps it)", DIM)
        if session.notes.get(unit.key):
            self.say(f"note: {session.notes[unit.key]}", DIM)

    def ask(self) -> None:
        """The prompt, on a line of its own."""
        self.say(f"{self._keys.labels()}   {self._keys.commands()}", DIM)
        self._write("> ")

    def definitions(self, session: Session, code: str) -> None:
        """The codebook, or one of its codes."""
        one = next((c for c in session.codebook.codes if c.code.casefold() == code.casefold()), None)
        if one is None:
            self.say(session.codebook.to_text())
            return
        self.say(f"{one.code} {one.name} ({one.label})", BOLD)
        for line in (one.definition, f"Not: {one.excludes}" if one.excludes else "", *(f"+ {e}" for e in one.examples)):
            if line:
                self.say(line, indent="  ")

    def _text(self, text: str, style: str) -> None:
        self.say(text[:SHOWN_CHARACTERS], style, "  ")
        if len(text) > SHOWN_CHARACTERS:
            self.say(f"({len(text) - SHOWN_CHARACTERS} characters more)", DIM, "  ")

    def _in(self, style: str, text: str) -> str:
        return f"{style}{text}{PLAIN}" if self._styled and style and text else text

    def _write(self, text: str) -> None:
        if not self._quiet:
            sys.stderr.write(text)
            sys.stderr.flush()


def tame(text: str) -> str:
    """``text`` without anything that drives a terminal or turns the direction of its lines."""
    return printable(text.translate(_UNRULY))


def brief(text: str, width: int) -> str:
    """``text`` on one line of so many columns at most."""
    return shorten(tame(text[: 4 * width]), width)


def converse(session: Session, parents: Parents, lines: IO[bytes], *, quiet: bool = False) -> None:
    """Show unit after unit and obey what is typed, until all are seen, ``q``, or the end of input."""
    keys = Keys(session.codebook)
    screen = Screen(keys, quiet=quiet)
    screen.begin(session)
    try:
        _go_through(session, parents, lines, screen, keys)
    except KeyboardInterrupt:
        screen.say("")
        raise


def _go_through(session: Session, parents: Parents, lines: IO[bytes], screen: Screen, keys: Keys) -> None:
    trouble = None
    while (unit := session.current) is not None:
        screen.unit(session, unit, parents)
        if parents.trouble != trouble:
            trouble = parents.trouble
            screen.say(f"what comments answer is not shown: {trouble}", DIM)
        if not _Turn(session, screen, keys, unit).play(lines):
            return


class _Turn:
    """One unit before the coder, until an act brings another one."""

    def __init__(self, session: Session, screen: Screen, keys: Keys, unit: Unit) -> None:
        self._session, self._screen, self._keys, self._unit = session, screen, keys, unit
        self._began = time.monotonic()

    def play(self, lines: IO[bytes]) -> bool:
        """Read keys until the unit is done with; ``False`` to stop."""
        while True:
            self._screen.ask()
            line = lines.readline()
            typed = line.decode("utf-8", "replace")
            if not (line and lines.isatty()):  # the terminal did not end the prompt's line
                self._screen.say(brief(typed, WIDEST))
            key = self._keys.read(typed) if line else Key("quit")
            if key.act == "quit":
                self._warn_of_lost_note()
                return False
            if self._obey(key):
                return True

    def _obey(self, key: Key) -> bool:
        """Do what the key says; whether another unit is to be shown."""
        if key.act == "code":
            self._session.code(key.label, key.code, seconds=time.monotonic() - self._began)
            return True
        if key.act == "skip":
            self._session.skip()
            return True
        if key.act == "undo":
            return self._undo()
        if key.act == "note":
            self._session.notes[self._unit.key] = printable(key.text) or None
            self._screen.say(f"note: {key.text}" if key.text else "no note", DIM)
        elif key.act == "define":
            self._screen.definitions(self._session, key.text)
        elif key.text:
            self._screen.say(f"{brief(key.text, 40)}: no such key")
        return False

    def _undo(self) -> bool:
        unit = self._session.undo()
        self._screen.say("nothing to undo" if unit is None else "undone", DIM)
        return unit is not None

    def _warn_of_lost_note(self) -> None:
        if self._session.notes.get(self._unit.key) and self._session.said(self._unit) is None:
            self._screen.say("the note on this unit goes with a code, so it was not kept")
