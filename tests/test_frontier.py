"""The queue on disk, the schedule, the rules of discovery: without a browser."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.discovery.feeds import read_feed
from harvest.discovery.shapes import Shapes, shape
from harvest.discovery.sitemaps import read_sitemap
from harvest.discovery.traps import classify, is_static, sitemap_kind
from harvest.frontier import Frontier, State, Visited, Wanted
from harvest.schedule import DAY, HOUR, next_visit
from harvest.urls import clean_url, page_key, url_key
from store.records import ArchiveError, UsageError

NOW = 1_700_000_000.0
FAILED: tuple[State, ...] = ("failed",)


def urls(host: str, count: int) -> list[str]:
    return [f"https://{host}/{n}" for n in range(count)]


def test_a_host_is_one_workers_at_a_time_and_rests_between_pages(tmp_path: Path) -> None:
    with Frontier(tmp_path / "f.db", delay=2.0) as frontier:
        frontier.add([*urls("a.example", 2), *urls("b.example", 1)], NOW)
        first, second = frontier.claim(NOW, "w1"), frontier.claim(NOW, "w2")
        assert first
        assert second
        assert {first.host, second.host} == {"a.example", "b.example"}
        assert frontier.claim(NOW + 60, "w3") is None
        frontier.let_go(first)
        assert frontier.claim(NOW + 1.9, "w3") is None
        third = frontier.claim(NOW + 2.5, "w3")
        assert third
        assert third.host == first.host
        assert frontier.ack(first, Visited(), NOW + 3)  # let go and acknowledged later: the host stays with the third
        assert frontier.claim(NOW + 60, "w1") is None
        assert frontier.ack(third, Visited(), NOW + 3)
        assert not frontier.ack(third, Visited(), NOW + 3)


def test_failures_wait_longer_each_time_and_end(tmp_path: Path) -> None:
    with Frontier(tmp_path / "f.db", delay=0) as frontier:
        frontier.add(urls("a.example", 1), NOW)
        waits, now = [], NOW
        while (claim := frontier.claim(now, "w")) is not None:
            frontier.nack(claim, "no answer", now)
            due = frontier.next_ready(now)
            if due is None:
                break
            waits.append(due - now)
            now = due
        assert waits == sorted(waits)
        assert len(waits) == 4
        assert frontier.stats(now).failed == 1
        frontier.add(urls("a.example", 1), now, again=FAILED)
        assert frontier.claim(now, "w")


def test_leases_of_a_killed_process_are_free_at_once(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from harvest.frontier import Frontier
frontier = Frontier(Path({str(tmp_path / "f.db")!r}), delay=0)
frontier.add(["https://a.example/1"], {NOW})
assert frontier.claim({NOW}, "w")
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[1])
    with Frontier(tmp_path / "f.db", delay=0) as frontier:
        assert frontier.released == 1
        claim = frontier.claim(NOW + 1, "w")
        assert claim
        frontier.record(claim.url, Visited(), NOW + 1)  # the crashed run had it in the WARC after all
        assert frontier.state(claim.url) == "done"


def test_a_clock_set_back_makes_no_wait_longer(tmp_path: Path) -> None:
    with Frontier(tmp_path / "f.db", delay=5.0) as frontier:
        frontier.add(urls("a.example", 2), NOW)
        claim = frontier.claim(NOW, "w")
        assert claim
        frontier.ack(claim, Visited(), NOW)
        assert frontier.claim(NOW - 86_400, "w") is None
        assert frontier.claim(NOW - 86_400 + 8, "w")


def test_what_other_runs_left_waits_for_them(tmp_path: Path) -> None:
    with Frontier(tmp_path / "f.db", delay=0) as frontier:
        frontier.add([Wanted(url="https://a.example/1", seed="A"), Wanted(url="https://b.example/1", seed="B")], NOW)
        assert frontier.park() == 2
        assert frontier.claim(NOW, "w") is None
        assert frontier.unpark(NOW, "B") == 1
        claim = frontier.claim(NOW, "w")
        assert claim
        assert claim.host == "b.example"
        frontier.add(["https://a.example/1"], NOW)  # asked for by name
        assert frontier.claim(NOW, "w2")


def test_a_hundred_thousand_addresses_stay_on_the_disk(tmp_path: Path) -> None:
    import resource

    with Frontier(tmp_path / "f.db", delay=0) as frontier:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        added = frontier.add((f"https://h{n % 50}.example/{n}" for n in range(100_000)), NOW)
        assert added.new == 100_000
        for _ in range(200):
            claim = frontier.claim(NOW + 1, "w")
            assert claim
            frontier.ack(claim, Visited(), NOW + 1)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 60_000  # kB


def test_a_damaged_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "f.db").write_bytes(os.urandom(8192))
    with pytest.raises(ArchiveError):
        Frontier(tmp_path / "f.db")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://Blog.example:80/a/../b", "https://blog.example/b"),
        ("https://blog.example/p?utm_source=x&id=3", "https://blog.example/p?id=3#comment-4"),
        ("https://blog.example/p?b=2&a=1", "https://blog.example/p?a=1&b=2"),
        ("https://blog.example/p;jsessionid=AB12CD34", "https://blog.example/p"),
        ("https://blog.example/%7Eme/", "https://blog.example/~me/"),
    ],
)
def test_addresses_of_one_page_have_one_key(one: str, other: str) -> None:
    assert url_key(one) == url_key(other)


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_keys_are_stable_for_whatever_a_page_links_to(tail: str) -> None:
    try:
        clean = clean_url("https://blog.example/" + tail)
    except UsageError:
        return
    assert clean_url(clean) == clean
    assert url_key(clean) == url_key(clean_url(clean))
    assert page_key(clean)


def test_the_schedule_follows_the_thread() -> None:
    def wait(age: float, *changes: bool) -> float:
        return next_visit(NOW, last_activity=NOW - age, changes=changes) - NOW

    assert wait(HOUR) == 6 * HOUR
    assert wait(4 * DAY) == 2 * DAY
    assert wait(10 * DAY, False) > wait(10 * DAY) > wait(2 * DAY)
    assert wait(10 * DAY, False, True) == wait(10 * DAY)
    assert wait(4000 * DAY, False, False, False) == 180 * DAY
    assert next_visit(NOW, last_activity=None, closed=True) - NOW == 180 * DAY


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://b.example/2012/12/a-post/", "page"),
        ("https://b.example/a-post.html", "page"),
        ("https://b.example/?p=12", "page"),
        ("https://b.example/2012/12/", "index"),
        ("https://b.example/page/3/", "index"),
        ("https://b.example/category/food/", "index"),
        ("https://b.example/a-post/?replytocom=5", "skip"),
        ("https://b.example/a-post/print/", "skip"),
        ("https://b.example/a-post/comment-page-2/", "skip"),
        ("https://b.example/calendar/2031/02/", "skip"),
        ("https://b.example/x/y/x/y/x/y/", "skip"),
        ("https://b.example/pic.jpg", "skip"),
        ("https://b.example/feed/", "skip"),
        ("https://b.example/search/cats", "skip"),
        ("https://b.example/wp-login.php", "skip"),
    ],
)
def test_traps_are_told_from_posts(url: str, kind: str) -> None:
    assert classify(url)[0] == kind


def test_static_pages_and_sitemaps_by_their_names() -> None:
    assert is_static("https://b.example/about/")
    assert is_static("https://b.example/impressum.html")
    assert not is_static("https://b.example/about-last-night/")
    assert sitemap_kind("https://b.example/wp-sitemap-posts-post-1.xml") == "posts"
    assert sitemap_kind("https://b.example/wp-sitemap-posts-page-1.xml") == "other"
    assert sitemap_kind("https://b.example/category-sitemap.xml") == "other"
    assert sitemap_kind("https://b.example/sitemap.xml") == "mixed"


def test_posts_have_a_shape() -> None:
    shapes = Shapes()
    assert shapes.fits("https://b.example/whatever")
    shapes.learn(f"https://b.example/2012/0{n}/post-{n}/" for n in range(1, 5))
    assert shapes.fits("https://b.example/2019/11/another/")
    assert not shapes.fits("https://b.example/shop/")
    assert shape("https://b.example/?p=12") == shape("https://b.example/?p=7")


def test_feeds_of_every_kind() -> None:
    rss = b"""<?xml version="1.0"?><rss xmlns:f="http://rssnamespace.org/feedburner/ext/1.0"><channel><link>https://b.example/</link>
    <item><title>A</title><link>https://proxy.example/1</link><f:origLink>https://b.example/a</f:origLink>
    <pubDate>Wed, 05 Dec 2012 09:14:00 -0800</pubDate></item><item><guid>https://b.example/b</guid></item></channel></rss>"""
    feed = read_feed(rss, "https://b.example/feed")
    assert feed
    assert [item.url for item in feed.items] == ["https://b.example/a", "https://b.example/b"]
    assert feed.items[0].moment == 1354727640.0
    assert feed.home == "https://b.example/"
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><link rel="next" href="?p=2"/><link href="/"/>
    <entry><link rel="edit" href="/x"/><link href="/a"/><published>2012-12-05T09:14:00Z</published></entry></feed>"""
    feed = read_feed(atom, "https://b.example/atom")
    assert feed
    assert (feed.items[0].url, feed.next) == ("https://b.example/a", "https://b.example/atom?p=2")
    comments = rss.replace(b"https://b.example/a<", b"https://b.example/a#comment-3<").replace(b"/b<", b"/b#comment-9<")
    feed = read_feed(comments, "https://b.example/comments/feed")
    assert feed
    assert feed.of_comments
    assert read_feed(b'{"version":"https://jsonfeed.org/version/1.1","items":[{"url":"/a"}]}', "https://b.example/f")
    assert read_feed(b"<html><body>no</body></html>", "https://b.example/") is None
    assert read_feed(rss[:300], "https://b.example/feed")  # cut short: what came counts
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss><channel><item><link>&b;</link>'
    read_feed(bomb, "https://b.example/feed")


def test_sitemaps_of_every_kind() -> None:
    space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    urls = f"<urlset {space}><url><loc>https://b.example/a</loc><lastmod>2012-12-05</lastmod></url></urlset>".encode()
    found = read_sitemap(gzip.compress(urls))
    assert found
    assert not found.index
    assert found.lines[0].url == "https://b.example/a"
    assert found.lines[0].changed == 1354665600.0
    index = read_sitemap(
        f"<sitemapindex {space}><sitemap><loc>https://b.example/1.xml</loc></sitemap></sitemapindex>".encode()
    )
    assert index
    assert index.index
    plain = read_sitemap(b"https://b.example/a\nhttps://b.example/b\n")
    assert plain
    assert len(plain.lines) == 2
    assert read_sitemap(b"<html></html>") is None
    assert read_sitemap(gzip.compress(b"\0" * 300_000_000)[:300_000]) is None  # a bomb is cut, and is no sitemap
