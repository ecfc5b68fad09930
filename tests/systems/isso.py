"""A real Isso server, filled through its own API, and the static page that embeds it."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import sys
import tempfile
import threading
import urllib.request
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.systems import free_port, start, stop, wait_until_up, why_missing

#: The path that the thread is filed under.
PAGE = "/frost.html"

_CONFIG = """[general]
dbpath = {directory}/comments.db
host = {site}
max-age = 1h
[moderation]
enabled = {moderated}
[server]
listen = http://127.0.0.1:{port}/
public-endpoint = http://127.0.0.1:{port}
[guard]
enabled = false
[markup]
renderer = mistune
"""

_HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Frost in the allotment</title></head><body>
<article><h1>Frost in the allotment</h1>
<p>By <span class="author">Mara Keeper</span>, <time datetime="2012-12-05">5 December 2012</time></p>
<p>The frost came in the night and took the last of the beans, and it was only the fifth of the month.</p></article>
<script data-isso="{endpoint}/" data-isso-css="true" {options} src="{endpoint}/js/embed.min.js"></script>
<section id="isso-thread"><noscript>Javascript needs to be activated to view comments.</noscript></section></body></html>
"""


def missing() -> str | None:
    """Why there can be no Isso here, or ``None``."""
    return why_missing("isso", importlib.util.find_spec("isso") is not None)


class Isso:
    """``with Isso() as server``: the server at ``server.endpoint`` and a page with its thread at ``server.url``."""

    def __init__(self, options: str = "") -> None:
        self._options = options

    def __enter__(self) -> Isso:
        with ExitStack() as stack:
            self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chorus-isso-")))
            self.port = free_port()
            self.endpoint = f"http://127.0.0.1:{self.port}"
            self.site = self._serve_page(stack)
            self.url = self.site + PAGE
            self._server = ExitStack()
            stack.callback(lambda: self._server.close())
            self.run(moderated=False)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _serve_page(self, stack: ExitStack) -> str:
        pages = self.directory / "pages"
        pages.mkdir()
        (pages / PAGE.strip("/")).write_text(_HTML.format(endpoint=self.endpoint, options=self._options))
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(pages)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def run(self, *, moderated: bool) -> None:
        """Start the server, or start it again with new comments held back or not."""
        self._server.close()
        config, log = self.directory / "isso.cfg", self.directory / "isso.log"
        config.write_text(
            _CONFIG.format(directory=self.directory, site=self.site, port=self.port, moderated=str(moderated).lower())
        )
        process = start([sys.executable, "-c", "import isso; isso.main()", "-c", config, "run"], log)
        self._server.callback(stop, process)
        wait_until_up(f"{self.endpoint}/js/embed.min.js", process, log)

    def call(self, method: str, path: str, row: dict[str, Any] | None = None, cookie: str = "") -> tuple[Any, str]:
        """One call of the API: the answer's JSON and the cookie that allows changing the comment."""
        request = urllib.request.Request(
            self.endpoint + path,
            method=method,
            data=json.dumps(row).encode() if row is not None else None,
            headers={"Content-Type": "application/json", "Origin": self.site, "Cookie": cookie},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null"), (answer.headers.get("Set-Cookie") or "").partition(";")[0]

    def add(self, text: str, *, parent: int | None = None, author: str | None = None, **more: Any) -> tuple[int, str]:
        """Post a comment: its number, and the cookie for changing it."""
        row = {"text": text, "parent": parent, "author": author, "title": "Frost in the allotment", **more}
        answer, cookie = self.call("POST", f"/new?uri={PAGE}", row)
        return int(answer["id"]), cookie

    def edit(self, number: int, cookie: str, text: str, author: str | None) -> None:
        """Change a comment as its author."""
        self.call("PUT", f"/id/{number}", {"text": text, "author": author}, cookie)

    def delete(self, number: int, cookie: str) -> None:
        """Delete a comment as its author."""
        self.call("DELETE", f"/id/{number}", None, cookie)

    def rows(self) -> list[dict[str, Any]]:
        """The comments as the database holds them, with the markup that Isso's own renderer makes of each text."""
        with sqlite3.connect(self.directory / "comments.db") as database:
            database.row_factory = sqlite3.Row
            columns = "id, parent, created, modified, mode, text, author, website"
            rows = [dict(row) for row in database.execute(f"SELECT {columns} FROM comments ORDER BY id")]
        for row in rows:
            row["html"] = self.call("POST", "/preview", {"text": row["text"]})[0]["text"] if row["text"] else ""
        return rows


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
