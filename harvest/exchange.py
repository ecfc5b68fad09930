"""One request and its response as the browser showed them, and how they are written as HTTP messages."""

from __future__ import annotations

import base64
import http.client
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urlsplit

from harvest.warc import HttpMessage, WarcWriter
from store.records import Evidence

#: Statuses without a body.
BODILESS = frozenset({101, 204, 205, 301, 302, 303, 304, 307, 308})

REDIRECTS = frozenset({301, 302, 303, 307, 308})

#: Kept under another name, because the body that is kept is decoded.
RENAMED = {"content-encoding": "X-Orig-Content-Encoding", "transfer-encoding": "X-Orig-Transfer-Encoding"}


@dataclass(slots=True)
class Exchange:
    """One request and its response, held until the page is written."""

    url: str
    method: str
    status: int
    kind: str
    network_id: str | None
    hop: int
    request_headers: dict[str, str]
    response_headers: list[tuple[str, str]]
    post: bytes
    body: IO[bytes]
    size: int
    date: str
    truncated: str | None = None
    whole: bool = True
    evidence: Evidence | None = None

    @property
    def has_body(self) -> bool:
        """Whether HTTP allows a body here."""
        return self.status not in BODILESS and self.method != "HEAD"

    @property
    def encoded(self) -> bool:
        """Whether the body travelled compressed, so that its length on the wire says nothing of the one kept."""
        return any(name.lower() == "content-encoding" for name, _ in self.response_headers)

    @property
    def media_type(self) -> str | None:
        """The Content-Type without parameters, lower case."""
        value = self.header("content-type")
        return value.split(";")[0].split(",")[0].strip().lower() or None if value else None

    @property
    def content_length(self) -> int | None:
        """The announced length in bytes, if it is a number."""
        value = (self.header("content-length") or "").strip()
        return int(value) if value.isdigit() else None

    def header(self, wanted: str) -> str | None:
        """The first response header of that (lower-case) name."""
        return next((value for name, value in self.response_headers if name.lower() == wanted), None)


@dataclass(slots=True)
class NetworkFacts:
    """What the page's Network session knows of one request, one item a redirect hop."""

    requests: list[dict[str, str]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    address: str | None = None
    url: str | None = None
    method: str = "GET"


def response_headers(event: dict[str, Any]) -> list[tuple[str, str]]:
    """The headers of a paused response."""
    return [(header["name"], header["value"]) for header in event.get("responseHeaders", [])]


def is_stream(event: dict[str, Any], headers: list[tuple[str, str]]) -> bool:
    """Event streams and sockets have no end that could be waited for."""
    types = [value for name, value in headers if name.lower() == "content-type"]
    return event.get("resourceType") in ("EventSource", "WebSocket") or any("event-stream" in t for t in types)


def post_data(request: dict[str, Any]) -> bytes:
    """The request's body, whatever form the page gave it."""
    entries = request.get("postDataEntries")
    if entries:
        return b"".join(base64.b64decode(entry.get("bytes", "")) for entry in entries)
    return str(request.get("postData", "")).encode("utf-8", "surrogatepass") if request.get("hasPostData") else b""


def write_exchange(writer: WarcWriter, exchange: Exchange, facts: NetworkFacts, address: str | None) -> Evidence:
    """Write response and request records; the exchange's body is closed."""
    response = HttpMessage(*response_head(exchange, facts), exchange.body, exchange.truncated)
    request = HttpMessage(*request_head(exchange, facts))
    request.body.write(exchange.post)
    request.body.seek(0)
    exchange.body.seek(0)
    evidence = writer.exchange(exchange.url, response, request, date=exchange.date, address=address)
    exchange.body.close()
    return evidence


def _clean(value: str) -> str:
    """A header value on one line, in characters that HTTP knows."""
    return " ".join(value.split("\r")).encode("latin-1", "backslashreplace").decode("latin-1")


def response_head(exchange: Exchange, facts: NetworkFacts) -> tuple[str, list[tuple[str, str]]]:
    """Status line and headers, the true ones where the Network session saw them."""
    headers = exchange.response_headers
    if exchange.hop < len(facts.responses):
        raw = facts.responses[exchange.hop].get("headers", {})
        headers = [(name, line) for name, value in raw.items() for line in str(value).split("\n")]
    kept = [(RENAMED.get(name.lower(), name), _clean(value)) for name, value in headers if not name.startswith(":")]
    kept = [(name, value) for name, value in kept if name.lower() != "content-length"]
    if exchange.has_body:
        kept.append(("Content-Length", str(exchange.size)))
    reason = http.client.responses.get(exchange.status, "")
    return f"HTTP/1.1 {exchange.status} {reason}".rstrip(), kept


def request_head(exchange: Exchange, facts: NetworkFacts) -> tuple[str, list[tuple[str, str]]]:
    """Request line and headers, the true ones where the Network session saw them."""
    headers = exchange.request_headers
    if exchange.hop < len(facts.requests):
        headers = facts.requests[exchange.hop]
    kept = [(name, _clean(str(value))) for name, value in headers.items() if not name.startswith(":")]
    parts = urlsplit(exchange.url)
    if not any(name.lower() == "host" for name, _ in kept):
        kept.insert(0, ("Host", parts.netloc))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return f"{exchange.method} {target} HTTP/1.1", kept
