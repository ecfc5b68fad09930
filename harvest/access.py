"""How chorus presents itself to sites: identity, log-in state, language, window, way out. Nothing here pretends to be another."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store.records import ConfigError

VIEWPORT = (1280, 960)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who asks and with what. ``cookies`` and ``storage`` are Playwright's shapes; ``viewport`` is CSS pixels."""

    contact: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[dict[str, Any], ...] = ()
    storage: Path | None = None
    proxy: str | None = None
    locale: str = "en-US"
    timezone: str | None = None
    viewport: tuple[int, int] = VIEWPORT
    ignore_tls_errors: bool = False
    allow_hosts: tuple[str, ...] = field(default_factory=tuple)


def read_headers(lines: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """``Name: value`` lines. Raises ``ConfigError`` without showing the value."""
    found = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or any(c in line for c in "\r\n"):
            raise ConfigError(f"--header {name.strip()[:40]}…: must be 'Name: value'")
        found.append((name.strip(), value.strip()))
    return tuple(found)


def read_viewport(text: str) -> tuple[int, int]:
    """``1280x960``. Raises ``ConfigError`` for anything else or beyond what a window can be."""
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 200 <= int(width) <= 8000 and 200 <= int(height) <= 8000):
        raise ConfigError(f"--viewport {text}: not a size", hint="1280x960, each side 200 to 8000")
    return int(width), int(height)


def read_cookies(path: Path) -> tuple[dict[str, Any], ...]:
    """A Netscape ``cookies.txt`` or a JSON list of cookies (browser extensions write both). Raises ``ConfigError``."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    if text.lstrip()[:1] in ("[", "{"):
        return _json_cookies(path, text)
    lines = [line.removeprefix("#HttpOnly_") for line in text.splitlines()]
    rows = [(n, line.split("\t")) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    bad = next((n for n, row in rows if len(row) != 7), None)
    if bad is not None or not rows:
        raise ConfigError(f"{path}:{bad or 1}: not a cookies.txt", hint="seven fields a line, divided by tabs")
    return tuple(_netscape(row) for _, row in rows)


def _netscape(row: list[str]) -> dict[str, Any]:
    domain, _, path, secure, expires, name, value = row
    cookie: dict[str, Any] = {"domain": domain, "path": path or "/", "name": name, "value": value}
    cookie["secure"] = secure.upper() == "TRUE"
    if expires.isdigit() and int(expires) > 0:
        cookie["expires"] = int(expires)
    return cookie


def _json_cookies(path: Path, text: str) -> tuple[dict[str, Any], ...]:
    try:
        found = json.loads(text)
        rows = found["cookies"] if isinstance(found, dict) else found
        return tuple(_cookie(row) for row in rows)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a list of cookies ({error})") from error


def _cookie(row: dict[str, Any]) -> dict[str, Any]:
    cookie = {name: row[name] for name in ("name", "value", "domain")}
    expires = row.get("expires", row.get("expirationDate"))
    if isinstance(expires, int | float) and expires > 0:
        cookie["expires"] = expires
    return {
        **cookie,
        "path": row.get("path", "/"),
        "secure": bool(row.get("secure")),
        "httpOnly": bool(row.get("httpOnly")),
    }


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in a folder that only its owner can enter."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)  # the file may have been there, readable by others
        handle.write(text)
