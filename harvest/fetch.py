"""Fetching what a page does not load itself (robots.txt, comment APIs, feeds, further pages): guarded, bounded, recorded.

Each hop is resolved, checked and connected by address; the answer goes into the WARC like everything else. Bodies are asked
for uncompressed, so what is kept is what came.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import ipaddress
import socket
import ssl
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

from harvest.access import Access
from harvest.exchange import REDIRECTS
from harvest.guard import AddressGuard
from harvest.warc import HttpMessage, WarcWriter, utc_now
from store.records import ChorusError, Evidence, FetchError

#: RFC 9309 section 2.3.1.2 asks for at least five redirects.
MAX_REDIRECTS = 5

TIMEOUT_SECONDS = 20.0

#: Bytes of one answer. A page of 100 comments over an API has about 200 kB.
MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """The last hop of a fetch. ``headers`` has lower-case names; ``evidence`` is its WARC record, if one was written."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    evidence: Evidence | None = None


@dataclass(slots=True)
class Fetcher:
    """Fetches for one session. ``writer`` keeps what came; without one nothing is kept."""

    guard: AddressGuard
    user_agent: str
    access: Access = field(default_factory=Access)
    writer: WarcWriter | None = None

    async def get(
        self, url: str, *, accept: str = "*/*", cookies: Iterable[str] = (), max_bytes: int = MAX_BYTES
    ) -> Answer:
        """GET ``url``, following redirects. Raises ``FetchError`` where nothing comes or redirects do not end."""
        headers = {
            "User-Agent": self.user_agent,
            "Accept": accept,
            "Accept-Encoding": "identity",
            **dict(self.access.headers),
        }
        if cookie := "; ".join(cookies):
            headers["Cookie"] = cookie
        for _ in range(MAX_REDIRECTS + 1):
            await self.guard.check(url)
            answer = await self._hop(url, headers, max_bytes)
            location = answer.headers.get("location")
            if answer.status not in REDIRECTS or not location:
                return answer
            if urlsplit(urljoin(url, location)).netloc != urlsplit(url).netloc:
                headers.pop("Cookie", None)  # what one site is told is not for another
            url = urljoin(url, location)
        raise FetchError(f"{url}: redirects without end", url=url)

    async def _hop(self, url: str, headers: dict[str, str], max_bytes: int) -> Answer:
        try:
            found = await asyncio.to_thread(_get, url, headers, self.guard, self.access, max_bytes)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, ChorusError):
                raise
            raise FetchError(f"{url}: {type(error).__name__}: {error}", url=url) from error
        status, received, body, cut = found
        evidence = self._keep(url, headers, status, received, body, cut)
        return Answer(url, status, {name.lower(): value for name, value in received}, body, evidence)

    def _keep(
        self, url: str, sent: dict[str, str], status: int, received: list[tuple[str, str]], body: bytes, cut: bool
    ) -> Evidence | None:
        if self.writer is None:
            return None
        self.writer.begin_page()
        parts = urlsplit(url)
        request = HttpMessage(f"GET {_target(url)} HTTP/1.1", [("Host", parts.netloc), *sent.items()])
        kept = [
            (name, value) for name, value in received if name.lower() not in ("transfer-encoding", "content-length")
        ]
        kept.append(("Content-Length", str(len(body))))
        reason = http.client.responses.get(status, "")
        response = HttpMessage(
            f"HTTP/1.1 {status} {reason}".rstrip(), kept, io.BytesIO(body), "length" if cut else None
        )
        return self.writer.exchange(url, response, request, date=utc_now(), allow_revisit=False)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _get(
    url: str, headers: dict[str, str], guard: AddressGuard, access: Access, max_bytes: int
) -> tuple[int, list[tuple[str, str]], bytes, bool]:
    """One GET without redirects; the connected address is checked before anything is sent."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError(f"{url}: only http and https are fetched", url=url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(parts.hostname, port, timeout=TIMEOUT_SECONDS)
    connection.sock = _connect(parts.hostname, port, access.proxy)
    try:
        if not access.proxy:
            guard.check_address(connection.sock.getpeername()[0], url)
        if parts.scheme == "https":
            connection.sock = _tls(access).wrap_socket(connection.sock, server_hostname=parts.hostname)
        connection.request("GET", _target(url), headers={"Host": parts.netloc.rpartition("@")[2], **headers})
        response = connection.getresponse()
        body = response.read(max_bytes + 1)
        return response.status, response.getheaders(), body[:max_bytes], len(body) > max_bytes
    finally:
        connection.close()


def _tls(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if access.ignore_tls_errors:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _connect(host: str, port: int, proxy: str | None) -> socket.socket:
    """A connection to the host, through the user's proxy where there is one."""
    if proxy is None:
        return socket.create_connection((host, port), TIMEOUT_SECONDS)
    parts = urlsplit(proxy)
    far = socket.create_connection((parts.hostname or "", parts.port or 1080), TIMEOUT_SECONDS)
    try:
        if parts.scheme == "socks5":
            _through_socks(far, host, port)
        else:
            credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
            _through_http(far, host, port, credentials)
    except BaseException:
        far.close()
        raise
    return far


def _through_http(far: socket.socket, host: str, port: int, credentials: str | None) -> None:
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
    if credentials:
        lines.append("Proxy-Authorization: Basic " + base64.b64encode(credentials.encode()).decode())
    far.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head and len(head) < 65_536:
        block = far.recv(1)  # not a byte beyond the head: what follows belongs to the far server
        if not block:
            break
        head += block
    if head.split(b" ")[1:2] != [b"200"]:
        raise OSError("the proxy refuses the connection")


def _through_socks(far: socket.socket, host: str, port: int) -> None:
    """RFC 1928, no authentication."""
    far.sendall(b"\x05\x01\x00")
    _exactly(far, 2)
    try:
        packed = ipaddress.ip_address(host).packed
        address = bytes([1 if len(packed) == 4 else 4]) + packed
    except ValueError:
        name = host.encode("idna")
        address = bytes([3, len(name)]) + name
    far.sendall(b"\x05\x01\x00" + address + struct.pack("!H", port))
    reply = _exactly(far, 4)
    if reply[1] != 0:
        raise OSError(f"the proxy refuses the connection ({reply[1]})")
    length = {1: 4, 4: 16}.get(reply[3]) or _exactly(far, 1)[0]
    _exactly(far, length + 2)


def _exactly(far: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        block = far.recv(size - len(data))
        if not block:
            raise OSError("the proxy hung up")
        data += block
    return data
