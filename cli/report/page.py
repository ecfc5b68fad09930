"""The page: templates filled with everything escaped, and what no page of the web may bring in made harmless."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from cli.report.plots import Bars, Plot, percent

#: Characters that would turn the direction of what follows: a name could show as another one.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: What stands in the place of a character that is no text.
REPLACED = "\ufffd"

#: Categories that are no text: control characters, halves of surrogate pairs.
NO_TEXT = frozenset({"Cc", "Cs"})


@dataclass(frozen=True, slots=True)
class Link:
    """A text that leads to ``url``; where that is no plain web address the text alone is shown."""

    text: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """``columns`` are headings; cells are text, numbers or links. Columns from ``numbers`` on are set flush right."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    numbers: int = 1
    more: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A line that is missing something or warns of it; ``warning`` makes it stand out."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Heat:
    """Truth (rows) against calls (columns) in counts, each cell as dark as its share of the row."""

    caption: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def share(self, row: int, column: int) -> float:
        """What part of a row's truth was called so; 0 for an empty row."""
        return self.counts[row][column] / (sum(self.counts[row]) or 1)


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence, who wrote it where, and the WARC record that it was read from."""

    text: str
    probability: float
    author: str | None
    when: str | None
    place: Link
    warc: str | None
    offset: int | None
    record_id: str | None


@dataclass(frozen=True, slots=True)
class Quotes:
    """Examples of one label."""

    label: str
    colour: int
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One chapter: ``parts`` are paragraphs (plain text), notes, plots, tables, quotes."""

    id: str
    title: str
    parts: tuple[Any, ...]


def clean(text: str) -> str:
    """``text`` without control characters, lone surrogates and signs that turn its direction."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(REPLACED if _no_text(c) else c for c in text)


def _no_text(c: str) -> bool:
    return c in TURNING or ord(c) & 0xFFFE == 0xFFFE or (unicodedata.category(c) in NO_TEXT and c not in "\n\t")


def web_address(url: str | None) -> str | None:
    """``url`` if it may be linked to: http or https, a host, no user name that poses as one, nothing that is no text."""
    if not url or clean(url) != url or any(c.isspace() for c in url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and host and "@" not in parts.netloc else None


def _is_a(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


def render(values: dict[str, Any]) -> str:
    """The whole page."""
    import jinja2
    from markupsafe import Markup

    def finish(value: Any) -> Any:
        """What every expression of a template goes through before it is escaped."""
        if value is None:
            return ""
        if isinstance(value, Markup):  # what a macro made: its parts came through here
            return value
        return clean(value) if isinstance(value, str) else value

    folder = files("cli.report").joinpath("templates")
    sources = {item.name: item.read_text(encoding="utf-8") for item in folder.iterdir() if item.is_file()}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(sources),
        autoescape=True,
        finalize=finish,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "web_address": web_address}
    environment.tests |= {kind.__name__.lower(): _is_a(kind) for kind in (Link, Table, Note, Heat, Quotes, Plot, Bars)}
    style = Markup(sources["report.css"])  # noqa: S704 - our own file
    return environment.get_template("report.html").render(style=style, **values)
