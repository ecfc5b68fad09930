"""A small local site with the cases that make recording hard, served for real."""

from __future__ import annotations

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar

PAGE = b"<!doctype html><html><head><title>%s</title></head><body><h1>%s</h1>%s</body></html>"


def page(title: str, body: str = "") -> bytes:
    return PAGE % (title.encode(), title.encode(), body.encode())


#: A valid, very small PDF.
PDF = b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>"

SCRIPT = """<script>
fetch('/api', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"page": 2}'});
fetch('/no-content'); fetch('/gz.json'); fetch('/chunked');
new EventSource('/events');
</script><iframe src="/inner"></iframe><img src="/missing.png">"""

SHADOW = """<div id="host"></div><script>
document.getElementById('host').attachShadow({mode: 'open'}).innerHTML = '<p>inside the shadow</p>';
</script>"""

NUISANCE = """<script>alert('hello'); window.open('/inner'); onbeforeunload = () => 'stay';
navigator.geolocation.getCurrentPosition(() => {});</script><p>still here</p>"""

#: path -> (status, headers, body)
PAGES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/edge": (200, {"Set-Cookie": "taste=oat; Path=/"}, page("Edge cases", SCRIPT)),
    "/inner": (200, {}, page("Inner", "<p>text of the frame</p>")),
    "/hop1": (302, {"Location": "/hop2"}, b""),
    "/hop2": (301, {"Location": "/edge"}, b""),
    "/loop": (302, {"Location": "/loop"}, b""),
    "/no-content": (204, {}, b""),
    "/gz.json": (
        200,
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        gzip.compress(b'{"a": "' + b"x" * 999 + b'"}'),
    ),
    "/paper.pdf": (200, {"Content-Type": "application/pdf"}, PDF),
    "/empty": (200, {}, b""),
    "/shadow": (200, {}, page("Shadow", SHADOW)),
    "/nuisance": (200, {}, page("Nuisance", NUISANCE)),
    "/error": (500, {}, page("Broken")),
    "/latin": (
        200,
        {"Content-Type": "text/html; charset=iso-8859-1"},
        "<title>Caf\xe9</title><p>caf\xe9</p>".encode("latin-1"),
    ),
}


class HardCases:
    """``with HardCases() as site``: serves on loopback; ``site.requests`` lists method and path of each request."""

    def __init__(self, robots: tuple[int, str] = (404, "")) -> None:
        self.robots = robots
        self.extra: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []

    def __enter__(self) -> HardCases:
        site = self

        class Handler(_Handler):
            owner = site

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ClassVar[HardCases]

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.owner.requests.append(("POST", self.path))
        self._answer(200, {"Content-Type": "application/json"}, b'{"page": 2, "comments": []}')

    def do_GET(self) -> None:
        self.owner.requests.append(("GET", self.path))
        special = {"/chunked": self._chunked, "/events": self._events, "/cut": self._cut, "/slow": self._slow}
        if self.path == "/robots.txt":
            status, text = self.owner.robots
            self._answer(status, {"Content-Type": "text/plain"}, text.encode())
        elif self.path in special:
            special[self.path]()
        elif self.path in self.owner.extra:
            self._answer(200, {}, self.owner.extra[self.path])
        else:
            self._answer(*PAGES.get(self.path, (404, {}, page("Not found"))))

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _chunked(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"one ", b"two ", b"three"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def _events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for n in range(100):
                self.wfile.write(b"data: %d\n\n" % n)
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            pass
        self.close_connection = True

    def _cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(page("Cut", "<p>only the beginning</p>"))
        self.wfile.flush()
        self.close_connection = True

    def _slow(self) -> None:
        time.sleep(6)
        self.close_connection = True
