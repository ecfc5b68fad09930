"""Reading one thread out of one file."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from cli.clock import now
from store.records import ExtractError, ThreadDocument, UsageError


def read_bytes(path: str) -> bytes:
    """The bytes of a file, or of stdin for ``-``."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise UsageError(f"{path}: a directory, not a file") from error


def check_url(url: str) -> str:
    """``url`` if it is an absolute http(s) address; raises ``UsageError`` otherwise."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{url!r}: not a web address", hint="give it whole: https://blog.example/a-post/")
    return url


def extract_file(path: str, url: str) -> ThreadDocument:
    """Extract the thread of a saved page (HTML) or plain-text thread that came from ``url``."""
    check_url(url)
    data = read_bytes(path)
    from harvest.extract import extract

    try:
        return extract(data, url=url, captured_at=now())
    except ExtractError as error:
        raise ExtractError(f"{path}: {error}", hint=error.hint) from error
