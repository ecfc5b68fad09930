"""Recording what a page receives, over the browser's debugging protocol.

Two sessions are joined. ``Fetch`` on the browser pauses every request twice: before it is sent, so that the address guard
can refuse it, and when its response has come, so that the body can be read (this alone sees service workers, popups and
resources inside cross-site frames). ``Network`` on the page has what ``Fetch`` hides: ``Set-Cookie``, the raw request
headers, the address that was connected to. Both name a request by the same network id.

Bodies arrive decoded, so ``Content-Encoding`` and ``Transfer-Encoding`` are kept under ``X-Orig-…`` names, as the field does.
Every paused request is continued in ``finally``: the page never hangs because of the recorder.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag

from harvest.bodies import MAX_BODY_BYTES, new_body, read_stream, take_body
from harvest.exchange import (
    REDIRECTS,
    Exchange,
    NetworkFacts,
    is_stream,
    post_data,
    response_headers,
    write_exchange,
)
from harvest.guard import AddressGuard
from harvest.warc import WarcWriter, utc_now
from store.records import AddressBlocked, FetchError

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Page

#: Bytes of all bodies of one page; what comes later is let through unrecorded, and the page's record says so.
MAX_PAGE_BYTES = 1024 * 1024 * 1024

#: Requests of one page that are recorded; a page that asks for more is a storm.
MAX_EXCHANGES = 5_000

#: Files that were asked for in parts are fetched whole, so many a page, in so many seconds each.
MAX_WHOLE_FILES = 8
WHOLE_FILE_TIMEOUT = 60.0


#: Requests without an answer for so many seconds no longer hold a page up: long polls, requests of closed frames.
LOST_SECONDS = 3.0


class Recorder:
    """Records one page visit. ``start`` before navigating, ``write`` after the page is done, ``stop`` at the end."""

    def __init__(
        self,
        browser: Browser,
        guard: AddressGuard,
        *,
        max_body: int = MAX_BODY_BYTES,
        connected: Callable[[str], str | None] = lambda _url: None,
    ) -> None:
        self.browser, self.guard, self.max_body, self.connected = browser, guard, max_body, connected
        self.exchanges: list[Exchange] = []
        self.blocked: list[str] = []
        self.unrecorded: list[dict[str, str]] = []
        self.main_block: AddressBlocked | FetchError | None = None
        self._failed: dict[str, str] = {}
        self._facts: dict[str, NetworkFacts] = defaultdict(NetworkFacts)
        self._hops: dict[str, int] = defaultdict(int)
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetch: CDPSession | None = None
        self._network: CDPSession | None = None
        self._main_url: str | None = None
        self._bytes = 0
        self._open: dict[str, float] = {}
        self._stirred = time.monotonic()

    async def start(self, page: Page, url: str) -> None:
        """Attach to the browser and the page."""
        self._main_url = url
        network = self._network = await page.context.new_cdp_session(page)
        network.on("Network.requestWillBeSent", self._on_request)
        network.on("Network.requestWillBeSentExtraInfo", self._on_request_extra)
        network.on("Network.responseReceivedExtraInfo", self._on_response_extra)
        network.on("Network.responseReceived", self._on_response)
        network.on("Network.loadingFailed", self._on_failed)
        network.on("Network.loadingFinished", self._on_finished)
        await network.send("Network.enable")
        self._fetch = await self.browser.new_browser_cdp_session()
        self._fetch.on("Fetch.requestPaused", self._on_paused)
        # where every address is allowed there is nothing to refuse, and each pause costs a page its time
        stages = ("Response",) if self.guard.allow_private else ("Request", "Response")
        await self._fetch.send(
            "Fetch.enable", {"patterns": [{"urlPattern": "*", "requestStage": stage} for stage in stages]}
        )

    # -- events ------------------------------------------------------------------------------------------------

    def _on_request(self, event: dict[str, Any]) -> None:
        facts = self._facts[event["requestId"]]
        self._stirred = time.monotonic()
        if event["request"]["url"].startswith("http"):
            self._open.setdefault(event["requestId"], self._stirred)
        facts.url, facts.method = event["request"]["url"], event["request"].get("method", "GET")

    def _on_request_extra(self, event: dict[str, Any]) -> None:
        self._facts[event["requestId"]].requests.append(event.get("headers", {}))

    def _on_response_extra(self, event: dict[str, Any]) -> None:
        self._facts[event["requestId"]].responses.append(event)

    def _on_response(self, event: dict[str, Any]) -> None:
        self._facts[event["requestId"]].address = event["response"].get("remoteIPAddress")

    def _on_finished(self, event: dict[str, Any]) -> None:
        self._open.pop(event["requestId"], None)

    def _on_failed(self, event: dict[str, Any]) -> None:
        self._open.pop(event["requestId"], None)
        self._failed[event["requestId"]] = event.get("errorText", "") or event.get("blockedReason", "failed")

    def _on_paused(self, event: dict[str, Any]) -> None:
        task = asyncio.ensure_future(self._handle(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, event: dict[str, Any]) -> None:
        answered = False
        key = event.get("networkId") or event["requestId"]
        self._stirred = time.monotonic()
        try:
            if "responseStatusCode" in event:
                answered = await self._on_response_paused(event)
                self._open.pop(key, None)
            elif "responseErrorReason" not in event:
                answered = await self._on_request_paused(event)
        finally:
            if not answered:
                await self._send("Fetch.continueRequest", {"requestId": event["requestId"]})

    async def _send(self, method: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """A command whose failure means only that the request or the page has gone meanwhile."""
        return await _quietly(self._fetch, method, parameters)

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

    def leave_download(self, url: str) -> None:
        """Note a file that the page wanted to save: the browser fetches these outside of the page, and they are refused."""
        self.unrecorded.append({"url": url, "method": "GET", "reason": "a download that the page started"})

    def _refuse(self, url: str, error: FetchError) -> None:
        self.blocked.append(url)
        if url == self._main_url or (self.main_block is None and self._is_main_redirect(url)):
            self.main_block = error

    def _is_main_redirect(self, url: str) -> bool:
        return any(x.kind == "Document" and x.header("location") == url for x in self.exchanges)

    async def _on_response_paused(self, event: dict[str, Any]) -> bool:
        headers = response_headers(event)
        url = event["request"]["url"]
        if not url.startswith(("http:", "https:")):
            return False  # the browser's own pages (its PDF viewer) are not the site's
        if is_stream(event, headers):
            self._leave(event, "a stream has no end")
            return False
        if len(self.exchanges) >= MAX_EXCHANGES or self._bytes >= MAX_PAGE_BYTES:
            self._leave(event, "the page is over its bounds")
            return False
        exchange = self._exchange(event, headers)
        self.exchanges.append(exchange)
        if not exchange.has_body:
            return False
        exchange.whole = False
        answered = await take_body(self._send, event, exchange, self.max_body)
        exchange.whole = True
        self._bytes += exchange.size
        return answered

    def _leave(self, event: dict[str, Any], reason: str) -> None:
        """Let a response through without keeping it, and say so in the page's record."""
        request = event["request"]
        if len(self.unrecorded) < MAX_EXCHANGES:
            self.unrecorded.append({"url": request["url"], "method": request["method"], "reason": reason})

    def _exchange(self, event: dict[str, Any], headers: list[tuple[str, str]]) -> Exchange:
        request = event["request"]
        network_id = event.get("networkId")
        hop = self._hops[network_id] if network_id else 0
        if network_id:
            self._hops[network_id] += 1
        return Exchange(
            url=urldefrag(request["url"]).url,
            method=request["method"],
            status=event["responseStatusCode"],
            kind=event.get("resourceType", "Other"),
            network_id=network_id,
            hop=hop,
            request_headers=request.get("headers", {}),
            response_headers=headers,
            post=post_data(request),
            body=new_body(),
            size=0,
            date=utc_now(),
        )

    # -- the end of the page -----------------------------------------------------------------------------------

    def quiet_for(self, seconds: float) -> bool:
        """Whether nothing was asked for so long and nothing is under way, but for what has been waiting for ages."""
        now = time.monotonic()
        busy = any(now - since < LOST_SECONDS for since in self._open.values())
        return not busy and now - self._stirred >= seconds

    async def settle(self, seconds: float) -> None:
        """Wait, at most so long, for bodies that are being read."""
        pending = set(self._tasks)
        if pending:
            await asyncio.wait(pending, timeout=seconds)

    async def fetch_whole_files(self, page: Page) -> None:
        """Fetch whole what the page asked for in parts (206): parts alone cannot be replayed."""
        whole = {x.url for x in self.exchanges if x.status == 200}
        wanted = dict.fromkeys(x.url for x in self.exchanges if x.status == 206 and x.method == "GET")
        if not wanted or self._network is None:
            return
        tree = await _quietly(self._network, "Page.getFrameTree", {})
        if tree is None:
            return
        for url in [url for url in wanted if url not in whole][:MAX_WHOLE_FILES]:
            await self._fetch_whole(url, tree["frameTree"]["frame"]["id"])

    async def _fetch_whole(self, url: str, frame: str) -> None:
        options = {"disableCache": False, "includeCredentials": True}
        command = _quietly(
            self._network, "Network.loadNetworkResource", {"frameId": frame, "url": url, "options": options}
        )
        try:
            found = await asyncio.wait_for(command, WHOLE_FILE_TIMEOUT)
        except TimeoutError:
            return
        resource = (found or {}).get("resource", {})
        if not resource.get("success") or "stream" not in resource:
            return
        exchange = Exchange(
            url=url, method="GET", status=int(resource.get("httpStatusCode", 200)), kind="Media", network_id=None, hop=0,
            request_headers={}, response_headers=list(resource.get("headers", {}).items()), post=b"",
            body=new_body(), size=0, date=utc_now(),
        )  # fmt: skip

        async def send(method: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
            return await _quietly(self._network, method, parameters)

        await read_stream(send, resource["stream"], exchange, self.max_body)
        if exchange.status == 200:
            self.exchanges.append(exchange)

    async def stop(self) -> None:
        """Let everything through from now on."""
        await self._send("Fetch.disable", {})
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await _detach(self._fetch)  # the page's own session goes with the page; detaching it would wait for its answer
        for exchange in self.exchanges:
            exchange.body.close()

    def address(self, exchange: Exchange) -> str | None:
        """The address that a response came from."""
        facts = self._facts.get(exchange.network_id or "")
        return self.connected(exchange.url) or (facts.address if facts else None) or None

    def rebound(self) -> AddressBlocked | None:
        """Drop what came from a private address all the same (a name that changed its answer); the first such case."""
        first: AddressBlocked | None = None
        kept = []
        for exchange in self.exchanges:
            try:
                address = self.address(exchange)
                if address:
                    self.guard.check_address(address, exchange.url)
                kept.append(exchange)
            except AddressBlocked as error:
                first = first or error
                self.blocked.append(exchange.url)
        self.exchanges = kept
        return first

    def main_exchange(self, final_url: str) -> Exchange | None:
        """The exchange that the page itself came with: the last document of that URL, else the first of any."""
        documents = [x for x in self.exchanges if x.kind == "Document" and x.status not in REDIRECTS]
        same = [x for x in documents if x.url == urldefrag(final_url).url]
        return same[-1] if same else documents[0] if documents else None

    def write(self, writer: WarcWriter) -> int:
        """Write all exchanges in the order in which they came. Returns how many."""
        for exchange in self.exchanges:
            if exchange.evidence:
                continue  # written already, before something went wrong
            if not exchange.whole:
                exchange.truncated = "time"  # its body was still coming
            facts = self._facts.get(exchange.network_id or "") or NetworkFacts()
            exchange.evidence = write_exchange(writer, exchange, facts, self.address(exchange))
        return len(self.exchanges)

    def page_info(self, url: str, **more: object) -> bytes:
        """Every URL of the page with its status, type, record or error, as JSON."""
        rows = [
            {
                "url": x.url,
                "method": x.method,
                "status": x.status,
                "type": x.kind,
                "bytes": x.size,
                "truncated": x.truncated,
                "headers": "network"
                if x.network_id in self._facts and self._facts[x.network_id].responses
                else "fetch",
                "record_id": x.evidence.record_id if x.evidence else None,
            }
            for x in self.exchanges
        ]
        info = {"page": url, "resources": rows, "failed": self._failures(), "unrecorded": self.unrecorded}
        return json.dumps({**info, "blocked": self.blocked, **more}, indent=1, ensure_ascii=False).encode(
            "utf-8", "replace"
        )

    def _failures(self) -> list[dict[str, str | None]]:
        """Requests that brought nothing, with the browser's reason."""
        recorded = {x.network_id for x in self.exchanges}
        return [
            {"url": self._facts[key].url, "method": self._facts[key].method, "error": error}
            for key, error in self._failed.items()
            if key in self._facts and self._facts[key].url and key not in recorded
        ]


async def _quietly(session: CDPSession | None, method: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
    """A command whose failure means only that its target has gone meanwhile."""
    from playwright.async_api import Error

    if session is None:
        return None
    try:
        found: dict[str, Any] = await session.send(method, parameters)
    except Error:
        return None
    return found


async def _detach(session: CDPSession | None) -> None:
    from playwright.async_api import Error

    if session is not None:
        try:
            await session.detach()
        except Error:
            return  # gone with its page
