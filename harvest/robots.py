"""robots.txt as RFC 9309 has it: what may be fetched, and how slowly."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from harvest.fetch import Fetcher
from store.records import FetchError

#: RFC 9309 section 2.5: a parser reads at least 500 KiB.
MAX_BYTES = 500 * 1024

#: RFC 9309 section 2.4: no longer than a day. A file that could not be had is asked for again sooner.
RULES_SECONDS = 86_400.0
FAILURE_SECONDS = 60.0

#: The name that robots.txt files can address chorus by.
AGENT = "chorus"


@dataclass(frozen=True, slots=True)
class RobotsDecision:
    """Whether a page may be fetched, why, and the Crawl-delay in seconds (``None``: not given).

    ``later``: the rules could not be had, so nothing may be fetched for now.
    """

    allowed: bool
    reason: str
    crawl_delay: float | None = None
    later: bool = False


@dataclass(frozen=True, slots=True)
class _Rules:
    parser: object | None  # a protego parser, or None where no rules hold
    allowed: bool
    reason: str
    until: float = math.inf


class RobotsCache:
    """Decides per URL; fetches each host's file once a day, through ``fetcher``, which keeps it in the WARC."""

    def __init__(self, fetcher: Fetcher) -> None:
        self.fetcher = fetcher
        self._rules: dict[str, _Rules] = {}

    async def decide(self, url: str) -> RobotsDecision:
        """May ``url`` be fetched? An unreachable file or a server error (5xx) means no for now, 4xx means yes."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        rules = await self._rules_of(origin)
        if rules.parser is None:
            return RobotsDecision(rules.allowed, rules.reason, later=not rules.allowed)
        return _ask(rules.parser, url)

    async def sitemaps(self, url: str) -> tuple[str, ...]:
        """The sitemaps that the robots.txt of the host of ``url`` names."""
        parts = urlsplit(url)
        rules = await self._rules_of(f"{parts.scheme}://{parts.netloc}")
        return () if rules.parser is None else tuple(rules.parser.sitemaps)  # type: ignore[attr-defined]

    async def _rules_of(self, origin: str) -> _Rules:
        rules = self._rules.get(origin)
        if rules is None or rules.until < time.monotonic():
            rules = await self._fetch_rules(origin)
            keep = RULES_SECONDS if rules.allowed else FAILURE_SECONDS
            self._rules[origin] = replace(rules, until=time.monotonic() + keep)
        return rules

    async def _fetch_rules(self, origin: str) -> _Rules:
        try:
            answer = await self.fetcher.get(f"{origin}/robots.txt", accept="text/plain,*/*", max_bytes=MAX_BYTES)
        except FetchError as error:
            if "without end" in str(error):
                return _Rules(None, True, "robots.txt redirects without end")
            return _Rules(None, False, f"robots.txt cannot be fetched ({type(error.__cause__ or error).__name__})")
        return _rules(answer.status, answer.body)


def _rules(status: int, body: bytes) -> _Rules:
    if 200 <= status < 300:
        from protego import Protego

        return _Rules(Protego.parse(body.decode("utf-8", "replace")), True, "robots.txt")
    if 500 <= status < 600:
        return _Rules(None, False, f"robots.txt answered {status}: not now")
    return _Rules(None, True, f"no robots.txt ({status})")


def _ask(parser: object, url: str) -> RobotsDecision:
    allowed = bool(parser.can_fetch(url, AGENT))  # type: ignore[attr-defined]
    delay = parser.crawl_delay(AGENT)  # type: ignore[attr-defined]
    reason = "allowed by robots.txt" if allowed else "forbidden by robots.txt"
    return RobotsDecision(allowed, reason, None if delay is None else float(delay))
