"""The shape of a blog's addresses: what the posts in its feed have in common tells its other posts from its other pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

#: Posts with known addresses before their shapes say anything.
MIN_EXAMPLES = 3

_EXTENSION = re.compile(r"\.[a-z]{2,5}$", re.I)


def shape(url: str) -> str:
    """An address with what differs from post to post left out: ``/9999/99/*/`` or ``/*.html`` or ``/?p=9``."""
    parts = urlsplit(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    inner = [_segment(s) for s in segments[:-1]]
    last = [_segment(_EXTENSION.sub("", s)) + "".join(_EXTENSION.findall(s)).lower() for s in segments[-1:]]
    query = "&".join(f"{name}={'9' if value.isdigit() else '*'}" for name, value in sorted(parse_qsl(parts.query)))
    return "/" + "/".join(inner + last) + (f"?{query}" if query else "")


def _segment(segment: str) -> str:
    if segment.isdigit():
        return "9" * len(segment) if len(segment) in (2, 4) else "9"
    return "*"


class Shapes:
    """What the posts known for certain look like."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def learn(self, urls: Iterable[str]) -> None:
        """Addresses of posts: from a feed, or a sitemap of posts."""
        self._counts.update(shape(url) for url in urls)

    def fits(self, url: str) -> bool:
        """Whether an address looks like a post's; yes while too few are known."""
        return self._counts.total() < MIN_EXAMPLES or shape(url) in self._counts
