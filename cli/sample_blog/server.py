"""Serving the sample blog on loopback."""

from __future__ import annotations

import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from cli.sample_blog.content import load
from cli.sample_blog.render import feed, index_page, post_page

STYLE = """body{margin:0;background:#f4f1ea;color:#222;font:17px/1.6 Georgia,serif}
#page,.wp-site-blocks{max-width:760px;margin:0 auto;padding:24px;background:#fff}
h1,h2,h3{line-height:1.25}a{color:#1f5f4a}blockquote{border-left:3px solid #c9b98f;margin-left:0;padding-left:16px;color:#555}
ol.commentlist,ul.children,.wp-block-comments ol{list-style:none;padding-left:0}
ul.children,.wp-block-comments ol ol{padding-left:28px;border-left:1px solid #e5dfd2}
.comment,.pingback{margin:18px 0}.comment-meta,.wp-block-comment-date,.reply,.wp-block-comment-reply-link{font-size:13px}
cite.fn,.wp-block-comment-author-name{font-style:normal;font-weight:bold}.avatar{float:left;margin:0 10px 4px 0;border-radius:4px}
code{background:#eee;padding:0 4px}.bypostauthor>div .fn,.bypostauthor>div .wp-block-comment-author-name{color:#1f5f4a}
"""


def _png(size: int = 48) -> bytes:
    """A small plain picture, made here so that no file has to be shipped."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes((201, 185, 143)) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * size)) + chunk(b"IEND", b"")
    )


class SampleBlog:
    """``with SampleBlog() as blog``: serves on a free port of this machine; ``blog.requests`` lists the paths asked for."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    def __enter__(self) -> SampleBlog:
        blog = self

        class Handler(_Handler):
            owner = blog

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self.pages = self._pages()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The front page."""
        return self.base + "/"

    @property
    def post_urls(self) -> list[str]:
        """The posts, oldest id first."""
        return [self.base + post.path for post in load().posts]

    def _pages(self) -> dict[str, tuple[str, bytes]]:
        """Everything there is, by path: nothing is read from the disk for a request."""
        html, text = "text/html; charset=UTF-8", "text/plain; charset=UTF-8"
        pages = {
            "/": (html, index_page(self.base).encode()),
            "/feed/": ("application/rss+xml; charset=UTF-8", feed(self.base).encode()),
            "/robots.txt": (text, b"User-agent: *\nDisallow: /wp-admin/\n"),
            "/style.css": ("text/css", STYLE.encode()),
            "/avatar.png": ("image/png", _png()),
        }
        return pages | {post.path: (html, post_page(post, self.base).encode()) for post in load().posts}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: SampleBlog

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        """Answer with a page, or 404."""
        self.owner.requests.append(self.path)
        found = self.owner.pages.get(self.path.split("?")[0])
        media_type, body = found or ("text/html; charset=UTF-8", b"<h1>Not Found</h1>")
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
