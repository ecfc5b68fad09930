"""What to harvest, from wherever it is listed: arguments, a text file, a column of a CSV file, an OPML list of feeds."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from cli.jobs.extract import check_url
from store.records import UsageError

#: Columns of a CSV file that are taken for addresses where none is named.
COLUMNS = ("url", "urls", "link", "href", "address", "uri", "permalink")


def read_urls(urls: Iterable[str], source: str | None, column: str | None = None) -> list[str]:
    """Addresses from the command line and from a file (``-``: stdin). Raises ``UsageError`` naming the line that is none."""
    found = list(urls)
    if source is not None:
        found += _from_file(source, column)
    return [check_url(url) for url in found]


def _from_file(source: str, column: str | None) -> list[str]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"{source}: no such file") from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise UsageError(f"{source}: not a text file with one URL a line") from error
    if text.lstrip()[:5] == "<?xml" or text.lstrip()[:5].lower() == "<opml":
        return list(_opml(source, text))
    ending = Path(source).suffix.lower()
    if column is not None or ending in (".csv", ".tsv"):
        return list(_column(source, text, column, "\t" if ending == ".tsv" else ","))
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _column(source: str, text: str, column: str | None, delimiter: str) -> Iterator[str]:
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    names = list(rows.fieldnames or ())
    wanted = [column] if column is not None else [name for name in names if name.strip().lower() in COLUMNS][:1]
    if not wanted or wanted[0] not in names:
        missing = f"no column {column!r}" if column else "no column of URLs"
        raise UsageError(f"{source}: {missing}", hint="--column with one of: " + ", ".join(names))
    for row in rows:
        value = (row.get(wanted[0]) or "").strip()
        if value:
            yield value


def _opml(source: str, text: str) -> Iterator[str]:
    """The page of each outline where it names one, else its feed: ``--site`` finds the posts from either."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    root = etree.fromstring(text.encode(), parser)
    if root is None or root.tag.lower() != "opml":
        raise UsageError(f"{source}: XML, but no OPML list")
    for outline in root.iter("outline"):
        address = outline.get("htmlUrl") or outline.get("xmlUrl")
        if address:
            yield address
