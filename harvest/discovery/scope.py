"""Which addresses belong to what was asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from harvest.urls import url_site

#: How far a site reaches: one host (with or without ``www.``), the paths below the seed's, or all hosts of the domain.
Reach = Literal["host", "prefix", "domain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Addresses of ``home``'s site. ``include`` and ``exclude`` are regular expressions on the whole address.

    ``since`` and ``until`` (seconds since the epoch) bound the date that a feed or sitemap gives; a page without any is in.
    ``depth`` is how many index pages may lie between the home page and a post.
    """

    home: str
    reach: Reach = "host"
    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()
    since: float | None = None
    until: float | None = None
    depth: int = 1000

    def holds(self, url: str) -> str | None:
        """Why an address is out of scope; ``None`` if it is in."""
        if not self._reaches(url):
            return {"host": "another host", "prefix": "outside the seed's path", "domain": "another domain"}[self.reach]
        if any(pattern.search(url) for pattern in self.exclude):
            return "matches --exclude"
        if self.include and not any(pattern.search(url) for pattern in self.include):
            return "does not match --include"
        return None

    def holds_date(self, moment: float | None) -> str | None:
        """Why a date is out of scope; ``None`` if it is in or not known."""
        if moment is None:
            return None
        if self.since is not None and moment < self.since:
            return "before --since"
        if self.until is not None and moment > self.until:
            return "after --until"
        return None

    def _reaches(self, url: str) -> bool:
        there, here = url_site(url), url_site(self.home)
        if self.reach == "domain":
            return there == here or there.endswith("." + ".".join(here.split(".")[-2:]))
        if there != here:
            return False
        return self.reach == "host" or urlsplit(url).path.startswith(_folder(self.home))


def _folder(url: str) -> str:
    return urlsplit(url).path.rpartition("/")[0] + "/"
