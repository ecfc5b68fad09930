"""One blog, served for real: feed in pages, sitemap, index pages, traps, and misbehaviour on demand."""

from __future__ import annotations

import gzip
import html
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

PER_PAGE = 10


@dataclass
class Comment:
    number: int
    author: str
    text: str
    parent: int | None = None


@dataclass
class Post:
    number: int
    slug: str
    title: str
    date: str
    paragraphs: list[str]
    comments: list[Comment] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/{self.date[:4]}/{self.date[5:7]}/{self.slug}/"


@dataclass
class Asked:
    """One request: when it came, for what, and what it was answered with."""

    at: float
    path: str
    status: int


class Blog:
    """``with make_blog("hill", 20) as blog``. Set ``robots``, ``troubles`` and the switches before serving or any time after.

    ``troubles`` maps a path to a list of statuses that its next answers have before it is served (0: hang for
    ``hang_seconds``). ``log`` has every request.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.posts: list[Post] = []
        self.robots = "User-agent: *\nAllow: /\n"
        self.robots_status = 200
        self.troubles: dict[str, list[int]] = {}
        self.hang_seconds = 30.0
        self.retry_after = "1"
        self.has_feed = self.has_sitemap = self.has_index = True
        self.answers_home = False
        self.log: list[Asked] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Blog:
        blog = self

        class Handler(_Handler):
            owner = blog

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def address(self, post: Post) -> str:
        return self.url.rstrip("/") + post.path

    @property
    def post_urls(self) -> list[str]:
        return [self.address(post) for post in self.posts]

    def asked_posts(self) -> list[Asked]:
        """Requests for posts that were answered with the post."""
        paths = {post.path for post in self.posts}
        return [one for one in self.log if one.path in paths and one.status == 200]

    def page_times(self) -> list[float]:
        """When pages, lists and feeds were asked for: what politeness is about."""
        return sorted(one.at for one in self.log if one.path not in ("/robots.txt", "/favicon.ico", "/style.css"))

    def note(self, path: str, status: int) -> None:
        with self._lock:
            self.log.append(Asked(time.monotonic(), path, status))

    def trouble(self, path: str) -> int | None:
        with self._lock:
            waiting = self.troubles.get(path)
            return waiting.pop(0) if waiting else None

    # -- pages -------------------------------------------------------------------------------------------------

    def answer(self, path: str, query: str) -> tuple[str, bytes] | None:
        """Media type and body, or ``None``."""
        page = "text/html; charset=utf-8"
        if path == "/style.css":
            return "text/css", b"body{font-family:serif}"
        if path == "/feed/":
            return ("application/rss+xml", self._feed(query)) if self.has_feed and self._feed(query) else None
        if path == "/sitemap.xml":
            return ("application/xml", self._sitemap_index()) if self.has_sitemap else None
        if path in ("/post-sitemap.xml.gz", "/page-sitemap.xml"):
            return ("application/xml", self._sitemap(path)) if self.has_sitemap else None
        if path == "/" or path.startswith("/page/"):
            number = 1 if path == "/" else int(path.split("/")[2])
            found = self._index(number)
            return (page, found) if found else None
        if path.startswith("/calendar/"):
            return page, self._calendar(path)
        if path in ("/about/", "/contact/"):
            return page, self._shell("About", "<p>We write about hills and radios.</p>")
        for post in self.posts:
            if post.path == path:
                return page, self._post(post)
        return (page, self._index(1) or b"") if self.answers_home else None

    def _shell(self, title: str, body: str) -> bytes:
        feed = '<link rel="alternate" type="application/rss+xml" href="/feed/">' if self.has_feed else ""
        return f"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta name="generator" content="WordPress 6.4"><link rel="stylesheet" href="/style.css">{feed}</head><body>
<nav><a href="/">{self.name}</a> <a href="/about/">About</a> <a href="/contact/">Contact</a>
<a href="/calendar/2026/11/">Calendar</a> <a href="/?s=shed">Search</a> <a href="/wp-login.php">Log in</a></nav>
<main>{body}</main><footer><a href="/feed/">Posts</a> <a href="/tag/rain/">rain</a></footer></body></html>""".encode()

    def _index(self, number: int) -> bytes | None:
        newest_first = list(reversed(self.posts))[(number - 1) * PER_PAGE : number * PER_PAGE]
        if not newest_first and number > 1:
            return None
        rows = "".join(
            f'<article class="post"><h2 class="entry-title"><a href="{p.path}" rel="bookmark">{html.escape(p.title)}</a></h2>'
            f'<p>{html.escape(p.paragraphs[0])} <a href="{p.path}?share=mail">Mail this</a></p></article>'
            for p in newest_first
        )
        more = number * PER_PAGE < len(self.posts) and self.has_index
        older = f'<div class="nav-previous"><a href="/page/{number + 1}/">Older posts</a></div>' if more else ""
        return self._shell(self.name, rows + older)

    def _calendar(self, path: str) -> bytes:
        year, month = (int(x) for x in path.split("/")[2:4])
        following = f"/calendar/{year + month // 12}/{month % 12 + 1:02}/"
        return self._shell("Calendar", f'<h2><a href="{following}">Next month</a></h2>')

    def _post(self, post: Post) -> bytes:
        body = "".join(f"<p>{html.escape(p)}</p>" for p in post.paragraphs)
        count = len(post.comments)
        heading = f'<h2 class="comments-title">{count} thoughts on “{html.escape(post.title)}”</h2>' if count else ""
        return self._shell(
            post.title,
            f"""<article class="post"><h1 class="entry-title">{html.escape(post.title)}</h1>
<time class="entry-date" datetime="{post.date}">{post.date[:10]}</time> <span class="author vcard">
<a class="url fn n" href="/author/host/">The host</a></span><div class="entry-content">{body}</div>
<a href="{post.path}print/">Print</a></article>
<div id="comments">{heading}<ol class="comment-list">{self._comments(post, None, 1)}</ol></div>""",
        )

    def _comments(self, post: Post, parent: int | None, depth: int) -> str:
        known = {c.number for c in post.comments}
        rows = [c for c in post.comments if (c.parent if c.parent in known else None) == parent]
        return "".join(self._comment(post, c, depth) for c in rows)

    def _comment(self, post: Post, c: Comment, depth: int) -> str:
        inner = self._comments(post, c.number, depth + 1)
        children = f'<ol class="children">{inner}</ol>' if inner else ""
        day = f'<time datetime="{post.date}">{post.date[:10]}</time>'
        reply = f"{post.path}?replytocom={c.number}#respond"
        return f"""<li id="comment-{c.number}" class="comment depth-{depth}">
<article id="div-comment-{c.number}" class="comment-body"><footer class="comment-meta">
<div class="comment-author vcard"><b class="fn">{html.escape(c.author)}</b> <span class="says">says:</span></div>
<div class="comment-metadata"><a href="{post.path}#comment-{c.number}">{day}</a></div></footer>
<div class="comment-content"><p>{html.escape(c.text)}</p></div>
<div class="reply"><a rel="nofollow" class="comment-reply-link" href="{reply}">Reply</a></div></article>{children}</li>"""

    def _feed(self, query: str) -> bytes:
        number = int(query.partition("paged=")[2] or 1)
        newest_first = list(reversed(self.posts))[(number - 1) * PER_PAGE : number * PER_PAGE]
        if not newest_first:
            return b""
        items = "".join(
            f"<item><title>{html.escape(p.title)}</title><link>{self.address(p)}</link>"
            f"<pubDate>{format_datetime(datetime.fromisoformat(p.date))}</pubDate></item>"
            for p in newest_first
        )
        return (
            f'<?xml version="1.0"?><rss version="2.0"><channel><title>{self.name}</title><link>{self.url}</link>{items}'
            "</channel></rss>"
        ).encode()

    def _sitemap_index(self) -> bytes:
        names = ("post-sitemap.xml.gz", "page-sitemap.xml")
        rows = "".join(f"<sitemap><loc>{self.url}{name}</loc></sitemap>" for name in names)
        return f'<?xml version="1.0"?><sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</sitemapindex>'.encode()

    def _sitemap(self, path: str) -> bytes:
        urls = self.post_urls if "post" in path else [self.url + "about/", self.url + "contact/"]
        rows = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
        data = (
            f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>'.encode()
        )
        return gzip.compress(data) if path.endswith(".gz") else data


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Blog

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        blog = self.owner
        if path == "/robots.txt":
            self._send(blog.robots_status, "text/plain", blog.robots.encode())
            return
        trouble = blog.trouble(path)
        if trouble == 0:
            blog.note(path, 0)
            time.sleep(blog.hang_seconds)
            return
        if trouble is not None:
            headers = {"Retry-After": blog.retry_after} if trouble in (429, 503) else {}
            self._send(trouble, "text/html", b"<h1>Not now</h1>", headers)
            return
        found = blog.answer(path, query)
        if found is None:
            self._send(404, "text/html", b"<h1>Not found</h1>")
        else:
            self._send(200, *found)

    def _send(self, status: int, media_type: str, body: bytes, headers: dict[str, Any] | None = None) -> None:
        self.owner.note(self.path.partition("?")[0], status)
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
