"""Recording what a page receives, over the browser's debugging protocol.

Two sessions are joined. ``Fetch`` on the browser pauses every request twice: before it is sent, so that the address guard
can refuse it, and when its response has come, so that the body can be read (this alone sees service workers and resources
inside cross-site frames). ``Network`` on the page has what ``Fetch`` hides: ``Set-Cookie``, the raw request headers, the
address that was connected to. Both name a request by the same network id.

Bodies arrive decoded, so ``Content-Encoding`` and ``Transfer-Encoding`` are kept under ``X-Orig-…`` names, as the field does.
Every paused request is continued in ``finally``: the page never hangs because of the recorder.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harvest.guard import AddressGuard
from harvest.warc import HttpMessage, WarcWriter, utc_now
from store.records import AddressBlocked, Evidence, FetchError

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Page

#: Bodies up to this size are read in one message and handed on to the page; larger ones are streamed to disk and the page
#: does without (handing 30 MiB back through the protocol took 22 s in a measurement).
MAX_INLINE_BYTES = 16 * 1024 * 1024

#: What a body may weigh at most; the rest is cut off and the record says so.
MAX_BODY_BYTES = 64 * 1024 * 1024

#: Bodies above this wait on disk, not in memory, until the page is written.
SPOOL_BYTES = 1024 * 1024

#: Seconds that reading one body may take before the request is let go.
BODY_TIMEOUT = 30.0

#: Statuses without a body.
BODILESS = frozenset({101, 204, 205, 301, 302, 303, 304, 307, 308})

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
    evidence: Evidence | None = None


@dataclass(slots=True)
class _NetworkFacts:
    """What the page's Network session knows of one request, one item a redirect hop."""

    requests: list[dict[str, str]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    address: str | None = None


class Recorder:
    """Records one page visit. ``start`` before navigating, ``finish`` once, after the page is done."""

    def __init__(self, browser: Browser, guard: AddressGuard, *, max_body: int = MAX_BODY_BYTES) -> None:
        self.browser, self.guard, self.max_body = browser, guard, max_body
        self.exchanges: list[Exchange] = []
        self.blocked: list[str] = []
        self.failed: list[tuple[str, str]] = []
        self.main_block: AddressBlocked | FetchError | None = None
        self._facts: dict[str, _NetworkFacts] = defaultdict(_NetworkFacts)
        self._hops: dict[str, int] = defaultdict(int)
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetch: CDPSession | None = None
        self._main_url: str | None = None
        self._dirty_hosts: set[str] = set()

    async def start(self, page: Page, url: str) -> None:
        """Attach to the browser and the page."""
        self._main_url = url
        network = await page.context.new_cdp_session(page)
        network.on("Network.requestWillBeSentExtraInfo", self._on_request_extra)
        network.on("Network.responseReceivedExtraInfo", self._on_response_extra)
        network.on("Network.responseReceived", self._on_response)
        network.on("Network.loadingFailed", self._on_failed)
        await network.send("Network.enable")
        self._fetch = await self.browser.new_browser_cdp_session()
        self._fetch.on("Fetch.requestPaused", self._on_paused)
        stages = ("Request", "Response")
        await self._fetch.send(
            "Fetch.enable", {"patterns": [{"urlPattern": "*", "requestStage": stage} for stage in stages]}
        )

    # -- events ------------------------------------------------------------------------------------------------

    def _on_request_extra(self, event: dict[str, Any]) -> None:
        self._facts[event["requestId"]].requests.append(event.get("headers", {}))

    def _on_response_extra(self, event: dict[str, Any]) -> None:
        self._facts[event["requestId"]].responses.append(event)

    def _on_response(self, event: dict[str, Any]) -> None:
        response = event["response"]
        self._facts[event["requestId"]].address = response.get("remoteIPAddress")

    def _on_failed(self, event: dict[str, Any]) -> None:
        self.failed.append((event["requestId"], event.get("errorText", "")))

    def _on_paused(self, event: dict[str, Any]) -> None:
        task = asyncio.ensure_future(self._handle(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, event: dict[str, Any]) -> None:
        answered = False
        try:
            if "responseStatusCode" in event:
                answered = await self._on_response_paused(event)
            elif "responseErrorReason" not in event:
                answered = await self._on_request_paused(event)
        finally:
            if not answered:
                await self._send("Fetch.continueRequest", {"requestId": event["requestId"]})

    async def _send(self, method: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """A command whose failure means only that the request or the page has gone meanwhile."""
        from playwright.async_api import Error

        if self._fetch is None:
            return None
        try:
            found: dict[str, Any] = await self._fetch.send(method, parameters)
        except Error:
            return None
        return found

    async def _on_request_paused(self, event: dict[str, Any]) -> bool:
        url = event["request"]["url"]
        if not url.startswith(("http:", "https:", "ws:", "wss:")):
            return False  # data:, blob: and the like never leave the browser
        try:
            await self.guard.check("http" + url[2:] if url.startswith("ws") else url)
        except FetchError as error:
            self._refuse(url, error)
            await self._send("Fetch.failRequest", {"requestId": event["requestId"], "errorReason": "BlockedByClient"})
            return True
        return False

    def _refuse(self, url: str, error: FetchError) -> None:
        self.blocked.append(url)
        if url == self._main_url or (self.main_block is None and self._is_main_redirect(url)):
            self.main_block = error

    def _is_main_redirect(self, url: str) -> bool:
        return any(x.kind == "Document" and ("location", url) in _lower(x.response_headers) for x in self.exchanges)

    async def _on_response_paused(self, event: dict[str, Any]) -> bool:
        headers = [(h["name"], h["value"]) for h in event.get("responseHeaders", [])]
        if _is_stream(event, headers) or not event["request"]["url"].startswith(("http:", "https:")):
            return False  # the browser's own pages (its PDF viewer) are not the site's
        body = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - closed when the page is written
        exchange = self._exchange(event, headers, body)
        self.exchanges.append(exchange)
        if exchange.status in BODILESS or exchange.method == "HEAD":
            return False
        length = _content_length(headers)
        if length is not None and length > MAX_INLINE_BYTES:
            return await self._stream_body(event, exchange)
        await self._read_body(event, exchange, length)
        return False

    def _exchange(self, event: dict[str, Any], headers: list[tuple[str, str]], body: IO[bytes]) -> Exchange:
        request = event["request"]
        network_id = event.get("networkId")
        hop = self._hops[network_id] if network_id else 0
        if network_id:
            self._hops[network_id] += 1
        return Exchange(
            url=request["url"].split("#")[0],
            method=request["method"],
            status=event["responseStatusCode"],
            kind=event.get("resourceType", "Other"),
            network_id=network_id,
            hop=hop,
            request_headers=request.get("headers", {}),
            response_headers=headers,
            post=_post_data(request),
            body=body,
            size=0,
            date=utc_now(),
        )

    async def _read_body(self, event: dict[str, Any], exchange: Exchange, length: int | None) -> None:
        try:
            command = self._send("Fetch.getResponseBody", {"requestId": event["requestId"]})
            found = await asyncio.wait_for(command, BODY_TIMEOUT)
        except TimeoutError:
            exchange.truncated = "time"
            return
        if found is None:
            exchange.truncated = "disconnect"
            return
        data = base64.b64decode(found["body"]) if found["base64Encoded"] else found["body"].encode()
        self._keep(exchange, data)
        encoded = any(name.lower() == "content-encoding" for name, _ in exchange.response_headers)
        if length is not None and not encoded and len(data) < length:
            exchange.truncated = "disconnect"  # the browser calls a body that was cut off a success

    def _keep(self, exchange: Exchange, data: bytes) -> bool:
        """Append to the spooled body; ``False`` when the bound is reached."""
        room = self.max_body - exchange.size
        exchange.body.write(data[:room])
        exchange.size += min(len(data), room)
        if len(data) > room:
            exchange.truncated = "length"
            return False
        return True

    async def _stream_body(self, event: dict[str, Any], exchange: Exchange) -> bool:
        """Stream a large body to disk; the page gets a failure in its place."""
        found = await self._send("Fetch.takeResponseBodyAsStream", {"requestId": event["requestId"]})
        if found is None:
            exchange.truncated = "disconnect"
            return False
        while True:
            part = await self._send("IO.read", {"handle": found["stream"], "size": 1 << 20})
            if part is None:
                exchange.truncated = "disconnect"
                break
            data = base64.b64decode(part["data"]) if part.get("base64Encoded") else part["data"].encode()
            if not self._keep(exchange, data) or part["eof"]:
                break
        await self._send("IO.close", {"handle": found["stream"]})
        await self._send("Fetch.failRequest", {"requestId": event["requestId"], "errorReason": "Aborted"})
        return True

    # -- the end of the page -----------------------------------------------------------------------------------

    async def settle(self, seconds: float) -> None:
        """Wait, at most so long, for bodies that are being read."""
        pending = set(self._tasks)
        if pending:
            await asyncio.wait(pending, timeout=seconds)

    async def stop(self) -> None:
        """Let everything through from now on."""
        await self._send("Fetch.disable", {})
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def rebound(self) -> AddressBlocked | None:
        """Drop what came from a private address all the same (a name that changed its answer); the first such case."""
        first: AddressBlocked | None = None
        kept = []
        for exchange in self.exchanges:
            facts = self._facts.get(exchange.network_id or "")
            try:
                if facts and facts.address:
                    self.guard.check_address(facts.address, exchange.url)
                kept.append(exchange)
            except AddressBlocked as error:
                first = first or error
                self.blocked.append(exchange.url)
        self.exchanges = kept
        return first

    def main_exchange(self, final_url: str) -> Exchange | None:
        """The exchange that the page itself came with: the last document of that URL, else the last of any."""
        documents = [x for x in self.exchanges if x.kind == "Document" and x.status not in (301, 302, 303, 307, 308)]
        same = [x for x in documents if x.url == final_url.split("#")[0]]
        return same[-1] if same else documents[0] if documents else None

    def write(self, writer: WarcWriter) -> int:
        """Write all exchanges, redirects first as they came. Returns how many."""
        for exchange in self.exchanges:
            if exchange.evidence:
                continue  # written already, before something went wrong
            facts = self._facts.get(exchange.network_id or "") or _NetworkFacts()
            response = HttpMessage(*_response_head(exchange, facts), exchange.body, exchange.truncated)
            request = HttpMessage(*_request_head(exchange, facts))
            request.body.write(exchange.post)
            request.body.seek(0)
            exchange.body.seek(0)
            exchange.evidence = writer.exchange(
                exchange.url, response, request, date=exchange.date, address=facts.address
            )
            exchange.body.close()
        return len(self.exchanges)

    def page_info(self, url: str) -> bytes:
        """Every URL of the page with its status, type and record, as JSON."""
        rows = [
            {
                "url": x.url,
                "method": x.method,
                "status": x.status,
                "type": x.kind,
                "bytes": x.size,
                "truncated": x.truncated,
                "record_id": x.evidence.record_id if x.evidence else None,
            }
            for x in self.exchanges
        ]
        return json.dumps({"page": url, "resources": rows, "blocked": self.blocked}, indent=1).encode()


def _lower(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers]


def _is_stream(event: dict[str, Any], headers: list[tuple[str, str]]) -> bool:
    """Event streams and sockets have no end that could be waited for."""
    types = [value for name, value in headers if name.lower() == "content-type"]
    return event.get("resourceType") in ("EventSource", "WebSocket") or any("event-stream" in t for t in types)


def _content_length(headers: list[tuple[str, str]]) -> int | None:
    for name, value in headers:
        if name.lower() == "content-length" and value.strip().isdigit():
            return int(value)
    return None


def _post_data(request: dict[str, Any]) -> bytes:
    entries = request.get("postDataEntries")
    if entries:
        return b"".join(base64.b64decode(entry.get("bytes", "")) for entry in entries)
    return str(request.get("postData", "")).encode("utf-8", "surrogatepass") if request.get("hasPostData") else b""


def _clean(value: str) -> str:
    """A header value on one line, in characters that HTTP knows."""
    return " ".join(value.split("\r")).encode("latin-1", "backslashreplace").decode("latin-1")


def _response_head(exchange: Exchange, facts: _NetworkFacts) -> tuple[str, list[tuple[str, str]]]:
    headers = exchange.response_headers
    if exchange.hop < len(facts.responses):
        raw = facts.responses[exchange.hop].get("headers", {})
        headers = [(name, line) for name, value in raw.items() for line in str(value).split("\n")]
    kept = [(RENAMED.get(name.lower(), name), _clean(value)) for name, value in headers if not name.startswith(":")]
    kept = [(name, value) for name, value in kept if name.lower() != "content-length"]
    if exchange.status not in BODILESS and exchange.method != "HEAD":
        kept.append(("Content-Length", str(exchange.size)))
    reason = http.client.responses.get(exchange.status, "")
    return f"HTTP/1.1 {exchange.status} {reason}".rstrip(), kept


def _request_head(exchange: Exchange, facts: _NetworkFacts) -> tuple[str, list[tuple[str, str]]]:
    headers = exchange.request_headers
    if exchange.hop < len(facts.requests):
        headers = facts.requests[exchange.hop]
    kept = [(name, _clean(str(value))) for name, value in headers.items() if not name.startswith(":")]
    parts = urlsplit(exchange.url)
    if not any(name.lower() == "host" for name, _ in kept):
        kept.insert(0, ("Host", parts.netloc))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return f"{exchange.method} {target} HTTP/1.1", kept
