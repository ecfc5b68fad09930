"""Recognising pages that stand in the content's place: challenges, log-in walls, "not found" pages that answer 200.

They are archived as what they are, labelled, and never read as if they were the post. Nothing here tries to get past them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MESSAGES = {
    "challenge": 'the site showed a challenge ("are you human") in the page\'s place',
    "login": "the site asks for a log-in in the page's place",
    "soft-404": "the site has no such page, though it answers as if it had",
}

HINTS = {"challenge": "try again later and slower", "login": "chorus login URL --profile NAME"}

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.I | re.S)
_PASSWORD = re.compile(r"<input[^>]+type\s*=\s*[\"']?password", re.I)

_INDEX = re.compile(r"(index|default|home|main)(\.\w{2,5})?|[a-z]{2}(-[a-z]{2})?", re.I)

#: Beginnings of a page in which markers are looked for: they stand in its head or first scripts.
_HEAD_CHARACTERS = 200_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a page: addresses, status, headers (lower-case names), rendered HTML and visible text."""

    url: str
    final_url: str
    status: int
    headers: Mapping[str, str]
    html: str
    text: str

    @property
    def title(self) -> str:
        """The document's title in lower case, on one line."""
        return document_title(self.html).lower()


def document_title(html: str) -> str:
    """The text of a document's title element, on one line; empty without one."""
    from html import unescape

    found = _TITLE.search(html[:_HEAD_CHARACTERS])
    return " ".join(unescape(found.group(1)).split()) if found else ""


@cache
def _rules() -> dict[str, Any]:
    with (Path(__file__).parent / "obstacles.toml").open("rb") as handle:
        return tomllib.load(handle)


def obstacle(seen: Seen) -> str | None:
    """``challenge``, ``login`` or ``soft-404``; ``None`` for a page that is what was asked for."""
    if _is_challenge(seen):
        return "challenge"
    if _is_login(seen):
        return "login"
    if _is_soft_404(seen):
        return "soft-404"
    return None


def describe(name: str) -> str:
    """One line for the person who reads the report."""
    hint = HINTS.get(name)
    return MESSAGES[name] + (f" ({hint})" if hint else "")


def _is_challenge(seen: Seen) -> bool:
    rules = _rules()["challenge"]
    if any(seen.headers.get(name, "").lower() == value for name, value in rules["headers"].items()):
        return True
    text = " ".join(seen.text.lower().split())
    if len(text) > rules["max_text"]:
        return False
    html = seen.html[:_HEAD_CHARACTERS].lower()
    signs = (
        _any(rules["titles"], seen.title),
        _any(rules["markers"], html),
        _any(rules["phrases"], text),
        seen.status in (403, 429, 503),
    )
    return sum(signs) >= 2


def _is_login(seen: Seen) -> bool:
    rules = _rules()["login"]
    text = " ".join(seen.text.lower().split())
    if len(text) > rules["max_text"] or seen.status >= 400:
        return False
    path = urlsplit(seen.final_url).path.lower().strip("/")
    moved = seen.final_url != seen.url and any(path == p or path.endswith("/" + p) for p in rules["paths"])
    signs = (bool(_PASSWORD.search(seen.html)), moved, _any(rules["phrases"], text))
    return sum(signs) >= 2


def _is_soft_404(seen: Seen) -> bool:
    if seen.status >= 400:
        return False  # an honest one
    if _sent_home(seen):
        return True
    rules = _rules()["soft-404"]
    text = " ".join(seen.text.lower().split())
    if len(text) > rules["max_text"]:
        return False
    titled = any(re.search(rf"(^|\W){re.escape(phrase)}(\W|$)", seen.title) for phrase in rules["titles"])
    return titled and (_any(rules["phrases"], text) or _any(rules["titles"], text[:300]))


def _sent_home(seen: Seen) -> bool:
    """Whether the site answered a page's address by sending the browser to its home page."""
    asked, came = urlsplit(seen.url), urlsplit(seen.final_url)
    if (asked.hostname or "").removeprefix("www.") != (came.hostname or "").removeprefix("www."):
        return False  # a link shortener may well lead to a home page
    path = asked.path.strip("/")
    return bool(path) and not _INDEX.fullmatch(path) and not came.path.strip("/") and not came.query


def _any(phrases: list[str], text: str) -> bool:
    return any(phrase in text for phrase in phrases)
