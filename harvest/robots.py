"""robots.txt as RFC 9309 has it: what may be fetched, and how slowly."""

from __future__ import annotations

import asyncio
import http.client
import io
import ssl
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from harvest.guard import AddressGuard
from harvest.warc import HttpMessage, WarcWriter, utc_now
from store.records import ChorusError, FetchError

#: RFC 9309 section 2.5: a parser reads at least 500 KiB.
MAX_BYTES = 500 * 1024

#: RFC 9309 section 2.3.1.2: follow at least five redirects.
MAX_REDIRECTS = 5

TIMEOUT_SECONDS = 15.0

#: The name that robots.txt files can address chorus by.
AGENT = "chorus"


@dataclass(frozen=True, slots=True)
class RobotsDecision:
    """Whether a page may be fetched, why, and the Crawl-delay in seconds (``None``: not given)."""

    allowed: bool
    reason: str
    crawl_delay: float | None = None


@dataclass(frozen=True, slots=True)
class _Rules:
    parser: object | None  # a protego parser, or None where no rules hold
    allowed: bool
    reason: str


class RobotsCache:
    """Decides per URL; fetches each host's file once a session and keeps it in the WARC."""

    def __init__(self, guard: AddressGuard, user_agent: str, writer: WarcWriter | None = None) -> None:
        self.guard, self.user_agent, self.writer = guard, user_agent, writer
        self._rules: dict[str, _Rules] = {}

    async def decide(self, url: str) -> RobotsDecision:
        """May ``url`` be fetched? An unreachable file or a server error (5xx) means no for now, 4xx means yes."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._rules:
            self._rules[origin] = await self._fetch_rules(origin)
        rules = self._rules[origin]
        if rules.parser is None:
            return RobotsDecision(rules.allowed, rules.reason)
        return _ask(rules.parser, url)

    async def _fetch_rules(self, origin: str) -> _Rules:
        url = f"{origin}/robots.txt"
        try:
            for _ in range(MAX_REDIRECTS + 1):
                await self.guard.check(url)
                status, headers, body = await asyncio.to_thread(_get, url, self.user_agent, self.guard)
                self._keep(url, status, headers, body)
                if status not in (301, 302, 303, 307, 308):
                    return _rules(status, body)
                url = urljoin(url, {k.lower(): v for k, v in headers}.get("location", ""))
        except (OSError, http.client.HTTPException, FetchError, ValueError) as error:
            if isinstance(error, ChorusError) and not isinstance(error, FetchError):
                raise
            return _Rules(None, False, f"robots.txt cannot be fetched ({type(error).__name__})")
        return _Rules(None, True, "robots.txt redirects without end")

    def _keep(self, url: str, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if self.writer is None:
            return
        self.writer.begin_page()
        parts = urlsplit(url)
        request = HttpMessage("GET /robots.txt HTTP/1.1", [("Host", parts.netloc), ("User-Agent", self.user_agent)])
        reason = http.client.responses.get(status, "")
        kept = [(name, value) for name, value in headers if name.lower() != "transfer-encoding"]
        response = HttpMessage(f"HTTP/1.1 {status} {reason}", kept, io.BytesIO(body))
        if len(body) >= MAX_BYTES:
            response.truncated = "length"
        self.writer.exchange(url, response, request, date=utc_now())


def _get(url: str, user_agent: str, guard: AddressGuard) -> tuple[int, list[tuple[str, str]], bytes]:
    """One GET, without following redirects; the connected address is checked before anything is sent."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError(f"{url}: only http and https are fetched", url=url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.connect()
        guard.check_address(connection.sock.getpeername()[0], url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", path, headers={"User-Agent": user_agent, "Accept": "text/plain,*/*"})
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read(MAX_BYTES)
    finally:
        connection.close()


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
