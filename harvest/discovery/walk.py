"""Finding a blog's posts: what its feeds list, what its sitemaps list, and what its index pages lead to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

from harvest.discovery.feeds import Feed, next_page, read_feed
from harvest.discovery.links import PageLinks, read_links
from harvest.discovery.scope import Scope
from harvest.discovery.shapes import Shapes
from harvest.discovery.sitemaps import read_sitemap
from harvest.discovery.traps import classify, is_static, sitemap_kind
from harvest.urls import clean_url, is_web_address, page_key

#: Documents asked for, of each sort: a blog of 20,000 posts has a feed of 2,000 pages, and few have more index pages.
MAX_FEED_PAGES, MAX_SITEMAPS, MAX_INDEX_PAGES = 2000, 200, 2000

#: Feeds that a page may name; more are those of single subjects.
MAX_FEEDS = 6

#: Index pages in a row that list no post that is not known: the walk is over, or in a calendar.
BARREN_PAGES = 3

#: Where sites have these though no page names them.
KNOWN_FEEDS = ("feed/", "feeds/posts/default", "atom.xml", "rss.xml", "index.xml", "feed.xml", "rss", "feed.json")
KNOWN_SITEMAPS = ("sitemap.xml", "sitemap_index.xml", "wp-sitemap.xml")


@dataclass(frozen=True, slots=True)
class Found:
    """A post: its address, where it was found, and when it was published or last changed, if that says."""

    url: str
    source: str
    moment: float | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An address that is no post of this blog, and why."""

    url: str
    reason: str


@dataclass(slots=True)
class Discovery:
    """What was found, in the order found, and what was left out. ``notes`` are lines for the person."""

    scope: Scope
    found: dict[str, Found] = field(default_factory=dict)
    skipped: dict[str, Skipped] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    requests: int = 0


#: Fetches an address politely: its status and body, or ``None`` when it may not or cannot be fetched.
Get = Callable[[str], Awaitable[tuple[str, int, bytes] | None]]


async def discover(
    scope: Scope, get: Get, *, sitemaps: Iterable[str] = (), step: Callable[[Discovery], None] = lambda _: None
) -> Discovery:
    """The posts of the blog at ``scope.home``. ``sitemaps`` are those that its robots.txt names; ``step`` sees progress."""
    walk = _Walk(Discovery(scope), get, step)
    await walk.run(list(sitemaps))
    return walk.result


class _Walk:
    def __init__(self, result: Discovery, get: Get, step: Callable[[Discovery], None]) -> None:
        self.result, self.scope, self._get, self._step = result, result.scope, get, step
        self.shapes = Shapes()
        self._asked: set[str] = set()
        self._out_of_date: set[str] = set()
        self._pages: dict[str, PageLinks] = {}

    async def run(self, sitemaps: list[str]) -> None:
        home = self.scope.home
        answer = await self._fetch(home)
        if answer is None:
            self.result.notes.append(f"{home}: cannot be fetched")
            return
        address, body = answer
        if await self._is_list(address, body):
            return
        links = self._page(address, body)
        await self._feeds(links.feeds if links else (), home)
        await self._sitemaps(sitemaps, home)
        await self._index(home, links)
        if links:
            for url in links.others:
                self._candidate(url, "link", trusted=False, listed=False)

    async def _fetch(self, url: str) -> tuple[str, bytes] | None:
        """Address and body of what is there; ``None`` for what is not, or was asked for already."""
        key = page_key(url)
        if key in self._asked:
            return None
        self._asked.add(key)
        answer = await self._get(url)
        self.result.requests += 1
        self._step(self.result)
        if answer is None or not 200 <= answer[1] < 300:
            return None
        return answer[0], answer[2]

    async def _is_list(self, url: str, body: bytes) -> bool:
        """A seed that is itself a feed or a sitemap names the posts, and nothing else is asked for."""
        if (feed := read_feed(body, url)) is not None:
            await self._feed(url, feed)
            return True
        if read_sitemap(body) is not None:
            self._asked.discard(page_key(url))
            await self._sitemap(url)
            return True
        return False

    def _page(self, url: str, body: bytes) -> PageLinks | None:
        found = read_links(body, url)
        if found is not None:
            self._pages[page_key(url)] = found
        return found

    # -- feeds -------------------------------------------------------------------------------------------------

    async def _feeds(self, named: tuple[str, ...], home: str) -> None:
        for url in named[:MAX_FEEDS]:
            await self._try_feed(url)
        if self.result.found:
            return
        for name in KNOWN_FEEDS:
            if await self._try_feed(urljoin(home, name)):
                return

    async def _try_feed(self, url: str) -> bool:
        if self.scope.reach != "domain" and urlsplit(url).netloc != urlsplit(self.scope.home).netloc:
            self._skip(url, "a feed on another host")
            return False
        answer = await self._fetch(url)
        feed = read_feed(answer[1], answer[0]) if answer else None
        if feed is None or answer is None:
            return False
        await self._feed(answer[0], feed)
        return True

    async def _feed(self, url: str, feed: Feed | None) -> None:
        """A feed to its end, page by page, as long as each brings something."""
        source = f"feed {url}"
        number = 1
        while feed is not None and number <= MAX_FEED_PAGES:
            before = len(self.result.found) + len(self.result.skipped)
            if not feed.of_comments:
                self.shapes.learn(item.url for item in feed.items if is_web_address(item.url))
            for item in feed.items:
                self._candidate(item.url, source, trusted=True, moment=None if feed.of_comments else item.moment)
            if not feed.items or len(self.result.found) + len(self.result.skipped) == before:
                return
            number += 1
            answer = await self._fetch(feed.next or next_page(url, number))
            feed = read_feed(answer[1], answer[0]) if answer else None

    # -- sitemaps ----------------------------------------------------------------------------------------------

    async def _sitemaps(self, named: list[str], home: str) -> None:
        for url in named or [urljoin(home, f"/{name}") for name in KNOWN_SITEMAPS]:
            if await self._sitemap(url) and not named:
                return

    async def _sitemap(self, url: str) -> bool:
        """A sitemap and those that it lists, posts' first, so that their shapes are known when mixed lists come."""
        order = {"posts": 0, "mixed": 1, "other": 2}
        queue, read = [url], 0
        while queue and read < MAX_SITEMAPS:
            queue.sort(key=lambda x: order[sitemap_kind(x)])
            current = queue.pop(0)
            if current != url and sitemap_kind(current) == "other":
                self._skip(current, "a sitemap of other pages than posts")
                continue
            answer = await self._fetch(current)
            found = read_sitemap(answer[1]) if answer else None
            if found is None:
                continue
            read += 1
            if found.index:
                queue += [line.url for line in found.lines if is_web_address(line.url)]
                continue
            of_posts = sitemap_kind(current) == "posts"
            if of_posts:
                self.shapes.learn(line.url for line in found.lines if is_web_address(line.url))
            for line in found.lines:
                self._candidate(line.url, f"sitemap {current}", trusted=of_posts, moment=line.changed)
        return read > 0

    # -- index pages -------------------------------------------------------------------------------------------

    async def _index(self, home: str, links: PageLinks | None) -> None:
        """From the home page to older ones, and to archives, as long as they list posts that are not known."""
        queue: list[tuple[str, int]] = [(home, 0)]
        barren = read = 0
        while queue and read < MAX_INDEX_PAGES and barren < BARREN_PAGES:
            url, depth = queue.pop(0)
            found = links if url == home else await self._index_page(url)
            if found is None:
                continue
            read += 1
            before = len(self.result.found)
            for post in found.posts:
                self._candidate(post, f"index {url}", trusted=False, listed=True)
            barren = 0 if len(self.result.found) > before else barren + (url != home)
            if depth < self.scope.depth:
                queue += [(further, depth + 1) for further in self._further(found)]
        if queue and barren >= BARREN_PAGES:
            self.result.notes.append(f"index pages: stopped after {BARREN_PAGES} in a row that listed nothing new")

    async def _index_page(self, url: str) -> PageLinks | None:
        if page_key(url) in self._pages:
            return None
        answer = await self._fetch(url)
        return self._page(*answer) if answer else None

    def _further(self, links: PageLinks) -> list[str]:
        older = [u for u in links.older if self.scope.holds(u) is None and classify(u)[0] != "skip"]
        archives = [u for u in links.archives if self.scope.holds(u) is None and classify(u)[0] != "skip"]
        dated = [
            u for u in links.others if classify(u) == ("index", "an index by date") and self.scope.holds(u) is None
        ]
        return [u for u in dict.fromkeys([*older, *archives, *dated]) if page_key(u) not in self._asked]

    # -- what becomes of an address ----------------------------------------------------------------------------

    def _candidate(
        self, url: str, source: str, *, trusted: bool, moment: float | None = None, listed: bool = True
    ) -> None:
        """Take an address as a post, or note why not. ``trusted``: its list is of posts only; ``listed``: a list at all."""
        if not is_web_address(url):
            return
        address = clean_url(url)
        key = page_key(address)
        known = self.result.found.get(key)
        if known is not None:
            if known.moment is None and moment is not None:
                self.result.found[key] = replace(known, moment=moment)
            return
        if moment is None and key in self._out_of_date:
            return  # another list gave its date, and that was out of scope
        reason = self._objection(address, trusted=trusted, listed=listed) or self.scope.holds_date(moment)
        if reason:
            self._skip(address, reason)
            if self.scope.holds_date(moment):
                self._out_of_date.add(key)
            return
        self.result.skipped.pop(key, None)
        self.result.found[key] = Found(address, source, moment)

    def _objection(self, url: str, *, trusted: bool, listed: bool) -> str | None:
        if (reason := self.scope.holds(url)) is not None:
            return reason
        kind, reason = classify(url)
        if kind == "skip" or (kind == "index" and not trusted):
            return reason
        if trusted:
            return None
        if (static := is_static(url)) is not None:
            return static
        if not self.shapes.fits(url):
            return "does not look like this blog's posts"
        return None if listed else "is linked to, but in no list of posts"

    def _skip(self, url: str, reason: str) -> None:
        if is_web_address(url):
            self.result.skipped.setdefault(page_key(url), Skipped(url, reason))
