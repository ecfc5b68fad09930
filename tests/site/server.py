"""The server of the hard site: what cannot be said as a fixed answer is a method here."""

from __future__ import annotations

import gzip
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.site.pages import CANARY, PAGES, WAV, comments, page

#: Bytes of one write of the large bodies.
BLOCK = b"0123456789abcdef" * 65_536


def certificate(directory: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, key and certificate in one file."""
    path = directory / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(directory / "crt.pem")]
    subprocess.run([*command, *names], check=True, capture_output=True)
    with path.open("a") as handle:
        handle.write((directory / "crt.pem").read_text())
    return path


class HardCases:
    """``with HardCases() as site``: serves on loopback; ``site.requests`` lists method and path of each request."""

    def __init__(self, robots: tuple[int, str] = (404, ""), cert: Path | None = None) -> None:
        self.robots, self.cert = robots, cert
        self.extra: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.agents: set[str] = set()
        self.seen: dict[str, int] = {}
        self.canary_urls: list[str] = []

    def __enter__(self) -> HardCases:
        site = self

        class Handler(_Handler):
            owner = site

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                pass  # browsers hang up; that is no news

        self._server = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if self.cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.cert)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            scheme = "https"
        self.port = self._server.server_port
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def paths(self, method: str = "GET") -> list[str]:
        return [path for made, path in self.requests if made == method]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ClassVar[HardCases]

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.owner.requests.append(("POST", self.path))
        if self.path == "/more-comments":
            number = int(parse_qs(body.decode()).get("page", ["0"])[0])
            text = comments(3 * number - 2, 3 * number) if number <= 3 else ""
            self._answer(200, {}, text.encode())
            return
        self._answer(200, {"Content-Type": "application/json"}, b'{"page": 2, "comments": []}')

    def do_GET(self) -> None:
        owner = self.owner
        owner.requests.append(("GET", self.path))
        owner.agents.add(self.headers.get("User-Agent", ""))
        path = urlsplit(self.path).path
        owner.seen[path] = owner.seen.get(path, 0) + 1
        special = getattr(self, "get_" + path.strip("/").replace("-", "_").replace(".", "_"), None)
        if path == "/robots.txt":
            status, text = owner.robots
            self._answer(status, {"Content-Type": "text/plain"}, text.encode())
        elif self.path in owner.extra:
            self._answer(200, {}, owner.extra[self.path])
        elif special:
            special()
        else:
            self._answer(*PAGES.get(path, (404, {}, page("Not found"))))

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _begin(self, media_type: str, **headers: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def get_chunked(self) -> None:
        self._begin("text/plain", Transfer_Encoding="chunked")
        for part in (b"one ", b"two ", b"three"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def get_events(self) -> None:
        self._begin("text/event-stream")
        for n in range(100):
            self.wfile.write(b"data: %d\n\n" % n)
            self.wfile.flush()
            time.sleep(0.1)
        self.close_connection = True

    def get_cut(self) -> None:
        self._begin("text/html", Content_Length="100000")
        self.wfile.write(page("Cut", "<p>only the beginning</p>"))
        self.wfile.flush()
        self.close_connection = True

    def get_slow(self) -> None:
        time.sleep(6)
        self.close_connection = True

    def get_drip(self) -> None:
        body = page("Drip", "<p>" + "drop by drop " * 20 + "</p>")
        self._begin("text/html", Content_Length=str(len(body)))
        for n in range(len(body)):
            self.wfile.write(body[n : n + 1])
            self.wfile.flush()
            time.sleep(1)

    def get_drip_image(self) -> None:
        self._answer(200, {}, page("With a slow picture", "<p>the text is there</p><img src='/drip'>"))

    def get_busy(self) -> None:
        self._answer(429, {"Retry-After": "3600"}, page("Too many requests"))

    def get_twice_503(self) -> None:
        if self.owner.seen["/twice-503"] <= 2:
            self._answer(503, {"Retry-After": "0"}, page("Busy"))
        else:
            self._answer(200, {}, page("There at last", "<p>after two refusals</p>"))

    def get_large(self) -> None:
        """``/large?60``: so many MiB as a picture of no known kind."""
        self._large(int(urlsplit(self.path).query or "1"))

    def _large(self, mebibytes: int) -> None:
        self._begin("application/octet-stream", Content_Length=str(mebibytes << 20))
        for _ in range(mebibytes):
            self.wfile.write(BLOCK)

    def get_with_large(self) -> None:
        size = urlsplit(self.path).query
        script = f"<script>fetch('/large?{size}').then(r => r.blob()).catch(() => {{}})</script>"
        self._answer(200, {}, page("A large body", f"<p>small text</p>{script}"))

    def get_bomb(self) -> None:
        bomb = gzip.compress(b"\0" * (320 << 20), 9)
        self._answer(200, {"Content-Type": "text/plain", "Content-Encoding": "gzip"}, bomb)

    def get_with_bomb(self) -> None:
        script = "<script>fetch('/bomb').then(r => r.text()).catch(() => {})</script>"
        self._answer(200, {}, page("With a bomb", f"<p>tick</p>{script}"))

    def get_cross_frame(self) -> None:
        other = f"http://localhost:{self.owner.port}"
        self._answer(200, {}, page("Cross-site frame", f"<iframe src='{other}/framed'></iframe>"))

    def get_framed(self) -> None:
        self._answer(200, {}, page("Framed", "<p>from another site</p><img src='/pixel.gif?in-frame'>"))

    def get_canary(self) -> None:
        self._answer(200, {}, page("Canary", CANARY % self.owner.canary_urls))

    def get_redirect_inside(self) -> None:
        self._answer(302, {"Location": self.owner.canary_urls[0]}, b"")

    def get_sound_wav(self) -> None:
        wanted = self.headers.get("Range")
        if not wanted:
            self._answer(200, {"Content-Type": "audio/wav", "Accept-Ranges": "bytes"}, WAV)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first or 0), min(int(last or len(WAV) - 1), len(WAV) - 1)
        span = {"Content-Range": f"bytes {start}-{end}/{len(WAV)}", "Content-Type": "audio/wav"}
        self._answer(206, span, WAV[start : end + 1])
