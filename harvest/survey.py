"""Asking a site for its posts over the network: discovery with robots.txt, delays, the guard and the archive's record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from harvest.capturer import Equipment, host_of
from harvest.discovery import Discovery, Scope, discover
from harvest.discovery.feeds import read_feed
from harvest.discovery.links import read_links
from harvest.discovery.sitemaps import MAX_BYTES
from harvest.discovery.walk import Get
from harvest.robots import RobotsCache
from store.records import FetchError

ACCEPT = "text/html,application/rss+xml,application/atom+xml,application/xml;q=0.9,*/*;q=0.8"


async def survey(
    scope: Scope, equipment: Equipment, robots: RobotsCache, *, step: Callable[[Discovery], None] = lambda _: None
) -> Discovery:
    """Discover the posts of the blog at ``scope.home``. Raises ``FetchError`` where its home page must not be fetched."""
    obey = not equipment.options.ignore_robots
    refused: list[str] = []

    async def get(url: str) -> tuple[str, int, bytes] | None:
        try:
            decision = await robots.decide(url) if obey else None
            if decision is not None and not decision.allowed:
                refused.append(f"{url}: {decision.reason}")
                return None
            await equipment.politeness.wait(url, decision.crawl_delay if decision else None)
            answer = await robots.fetcher.get(url, accept=ACCEPT, max_bytes=MAX_BYTES)
        except FetchError as error:
            refused.append(str(error))
            return None
        return answer.url, answer.status, answer.body

    await equipment.guard.check(scope.home)
    named = await robots.sitemaps(scope.home) if obey else ()
    found = await discover(await _widened(scope, get), get, sitemaps=named, step=step)
    found.notes += refused[:20]
    return found


async def _widened(scope: Scope, get: Get) -> Scope:
    """A seed that is a single post stands for its blog: the page that its feed is of, else the host's home page."""
    answer = await get(scope.home)
    if answer is None:
        return scope
    address, status, body = answer
    if not 200 <= status < 300 or read_feed(body, address) is not None:
        return scope
    links = read_links(body, address)
    if links is None or not urlsplit(address).path.strip("/") or len(links.posts) > 1:
        return scope  # a home page, or a list
    for url in links.feeds:
        found = await get(url)
        feed = read_feed(found[2], found[0]) if found else None
        if feed is not None and feed.home and not feed.of_comments and host_of(feed.home) == host_of(address):
            return replace(scope, home=feed.home)
    parts = urlsplit(address)
    return replace(scope, home=f"{parts.scheme}://{parts.netloc}/")
