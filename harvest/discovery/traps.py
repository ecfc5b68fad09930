"""Addresses that lead to no post, by the rules in ``traps.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

#: Longer addresses, deeper paths and more parameters come from pages that make links out of links.
MAX_LENGTH, MAX_SEGMENTS, MAX_PARAMETERS = 1000, 12, 6

#: A segment that comes so often in one path is a link that leads into itself.
MAX_REPEATS = 3

Kind = Literal["page", "index", "skip"]


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: Kind
    reason: str
    query: frozenset[str]
    path: re.Pattern[str] | None

    def fits(self, path: str, names: frozenset[str]) -> bool:
        return bool(self.query & names) or bool(self.path and self.path.search(path))


@dataclass(frozen=True, slots=True)
class _Rules:
    rules: tuple[_Rule, ...]
    static: frozenset[str]
    static_reason: str
    sitemap_skip: re.Pattern[str]
    sitemap_posts: re.Pattern[str]


@cache
def _rules() -> _Rules:
    with Path(__file__).with_name("traps.toml").open("rb") as handle:
        data = tomllib.load(handle)
    rules = [_rule(kind, row) for kind in ("skip", "index") for row in data[kind]]
    return _Rules(
        tuple(rules),
        frozenset(data["static"]["names"]),
        data["static"]["reason"],
        re.compile(data["sitemaps"]["skip"], re.I),
        re.compile(data["sitemaps"]["posts"], re.I),
    )


def _rule(kind: Literal["skip", "index"], row: dict[str, str]) -> _Rule:
    pattern = re.compile(row["path"], re.I) if "path" in row else None
    return _Rule(kind, row["reason"], frozenset(row.get("query", ())), pattern)


def classify(url: str) -> tuple[Kind, str | None]:
    """What an address leads to, with the reason where it is no page."""
    parts = urlsplit(url)
    if (reason := _endless(url, parts.path, parts.query)) is not None:
        return "skip", reason
    names = frozenset(name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    for rule in _rules().rules:
        if rule.fits(parts.path, names):
            return rule.kind, rule.reason
    if not parts.path.strip("/") and not parts.query:
        return "index", "the home page"
    return "page", None


def _endless(url: str, path: str, query: str) -> str | None:
    segments = [segment for segment in path.split("/") if segment]
    if len(url) > MAX_LENGTH or len(segments) > MAX_SEGMENTS or query.count("&") >= MAX_PARAMETERS:
        return "an address without end"
    if any(segments.count(segment) >= MAX_REPEATS for segment in segments):
        return "an address that repeats itself"
    return None


def is_static(url: str) -> str | None:
    """The reason, if the address is one of the pages that blogs have beside their posts."""
    segments = [segment for segment in urlsplit(url).path.lower().split("/") if segment]
    name = segments[-1].partition(".")[0] if segments else ""
    return _rules().static_reason if len(segments) <= 2 and name in _rules().static else None


def sitemap_kind(url: str) -> Literal["posts", "other", "mixed"]:
    """What a sitemap lists, by its name: blog software makes one for each kind of page."""
    name = urlsplit(url).path.rpartition("/")[2]
    if re.search(r"posts?-(page|category|tag|author)", name, re.I):
        return "other"
    if _rules().sitemap_posts.search(name):
        return "posts"
    return "other" if _rules().sitemap_skip.search(name) else "mixed"
