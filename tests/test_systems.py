"""Real WordPress and Isso servers, harvested by the real browser and compared with their own databases.

``CHORUS_TEST_SYSTEMS=off`` keeps the tests from installing what they need; they are skipped then, with the reason.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harvest.extract.build import Capture, document
from harvest.extract.page import read_page
from harvest.session import HarvestOptions, harvest_urls
from harvest.sources.driver import Completed, complete_thread
from harvest.visit import PageCapture
from tests.systems import content, fetch, isso, wordpress
from tests.systems.truth import Truth, differences, from_isso, from_wordpress

pytestmark = pytest.mark.browser


@dataclass(frozen=True)
class Case:
    """One way of setting a WordPress up. ``feed`` is how many comments its feeds hold."""

    theme: str
    rest: bool = True
    paged: bool = False
    default: str = "newest"
    order: str = "asc"
    permalinks: str = "/%year%/%monthnum%/%postname%/"
    style: str = "ol"
    feed: int = 10

    def __str__(self) -> str:
        parts = (
            self.theme,
            "rest" if self.rest else "no rest",
            f"paged {self.default} {self.order}" if self.paged else "",
        )
        return ", ".join(part for part in (*parts, self.style if self.style != "ol" else "") if part)


CASES = (
    Case("twentytwentyone"),
    Case("twentytwentyone", paged=True),
    Case("twentytwentyone", rest=False, paged=True, default="oldest", feed=200),
    Case("twentytwentythree", paged=True, default="oldest"),
    Case("twentytwentythree", rest=False, paged=True, order="desc", feed=200),
    Case("chorus-xhtml", paged=True, order="desc", permalinks="", style="div"),
    Case("chorus-xhtml", rest=False, paged=True, permalinks="", feed=200),
)


@dataclass
class Blog:
    """A WordPress with a post of deep threads and one of many comments, and the truth of both by post id."""

    site: wordpress.WordPress
    posts: dict[str, int]
    truth: dict[str, dict[str, Truth]]

    def urls(self) -> dict[str, str]:
        return {name: self.site.php("permalink", post=post) for name, post in self.posts.items()}

    def set_up(self, case: Case) -> None:
        self.site.configure(
            theme=case.theme,
            rest=case.rest,
            permalinks=case.permalinks,
            page_comments=int(case.paged),
            comments_per_page=10,
            default_comments_page=case.default,
            comment_order=case.order,
            chorus_style=case.style,
            posts_per_rss=case.feed,
        )


@pytest.fixture(scope="module")
def blog() -> Iterator[Blog]:
    if reason := wordpress.missing():
        pytest.skip(reason)
    with wordpress.WordPress() as site:
        site.configure(timezone_string="America/Los_Angeles", thread_comments=1, thread_comments_depth=5)
        threads = {"deep": content.deep_thread(), "long": content.long_thread()}
        made = {
            name: site.php(
                "fill", post={**content.POST, "post_name": name, "post_title": f"Frost, {name}"}, comments=thread
            )
            for name, thread in threads.items()
        }
        posts = {name: answer["post"] for name, answer in made.items()}
        truth = {name: from_wordpress(site.php("comments", post=post)) for name, post in posts.items()}
        yield Blog(site, posts, truth)


def harvest(urls: list[str], directory: Path) -> list[PageCapture]:
    directory.mkdir(exist_ok=True)
    found: list[PageCapture] = []
    options = HarvestOptions(allow_private=True, delay=0.0, screenshot=False)
    asyncio.run(harvest_urls(urls, warc_dir=directory, options=options, on_page=found.append))
    assert [page.error for page in found] == [None] * len(urls)
    return found


def completed(page: PageCapture) -> tuple[Completed, dict[str, Any]]:
    """The harvested page, completed over plain requests: the thread, and as JSON."""
    url, html = page.final_url or page.url, page.html or ""
    done = complete_thread(read_page(html, url, page.captured_at), html, url, fetch, anchor=page.captured_at)
    return done, document(done.page, Capture(url, page.captured_at, None, None)).to_json()


def without_title_lines(found: list[str], truth: dict[str, Truth]) -> list[str]:
    """A trackback's text opens with its sender's title, which the page reader takes for the author's line and leaves out."""
    tracked = [key for key, one in truth.items() if one.kind == "trackback"]
    excused = {f"{key}: text {truth[key].text.removeprefix(truth[key].author or '').strip()!r}, not" for key in tracked}
    return [line for line in found if not line.startswith(tuple(excused))]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_wordpress_thread_is_what_its_database_holds(blog: Blog, case: Case, tmp_path: Path) -> None:
    blog.set_up(case)
    urls = blog.urls()
    for name, page in zip(urls, harvest(list(urls.values()), tmp_path / "warc"), strict=True):
        done, thread = completed(page)
        truth = blog.truth[name]
        assert without_title_lines(differences(thread["comments"], truth), truth) == []
        assert thread["announced_count"] == sum(one.state == "visible" for one in truth.values())
        assert (thread["completeness"], done.shortfalls) == ("complete", ())
        assert len(done.requests) <= 10
        assert all(
            request.status == 200 or "rest_route" in request.url or "wp-json" in request.url
            for request in done.requests
        )
        told = {row["parent_source"] for row in thread["comments"] if row["parent_id"]}
        assert told == ({"api"} if case.rest else {"feed"})
        in_reading_order(thread["comments"], newest_first=case.order == "desc")


def in_reading_order(comments: list[dict[str, Any]], *, newest_first: bool) -> None:
    """Answers follow what they answer; the rest stand as the blog sorts them, answers oldest first."""
    below: dict[int | None, list[str]] = {}
    for n, row in enumerate(comments):
        assert row["parent"] is None or row["parent"] < n
        if row["state"] == "visible":
            below.setdefault(row["parent"], []).append(row["published"][:10])
    for parent, dates in below.items():
        assert dates == sorted(dates, reverse=newest_first and parent is None)


def test_wordpress_blog_is_found_whole(blog: Blog, tmp_path: Path) -> None:
    """Its own feed, sitemap and front page, as the software makes them: the posts, and nothing but posts."""
    from cli.jobs.harvest import HarvestRequest, plan
    from cli.jobs.seedbook import Seed

    blog.set_up(CASES[0])
    home = blog.site.url
    request = HarvestRequest(seeds=(Seed(url=home, site=True),), delay=0.0, allow_private=True)
    rows = list(plan(tmp_path / "none", request, quiet=True))
    found = {row["url"] for row in rows if row["action"] == "visit"}
    assert set(blog.urls().values()) <= found
    assert all("wordpress" in url or "hello-world" in url or url in blog.urls().values() for url in found)


def test_wordpress_post_author_and_pings_are_told_apart(blog: Blog, tmp_path: Path) -> None:
    blog.set_up(Case("twentytwentyone", paged=True))
    [page] = harvest([blog.urls()["deep"]], tmp_path / "warc")
    assert page.html
    assert "Keeper here" not in page.html  # on another page: only the API tells who wrote it
    _, thread = completed(page)
    assert [row["author"] for row in thread["comments"] if row["is_post_author"]] == ["Mara Keeper"]
    assert {row["kind"] for row in thread["comments"]} == {"comment", "pingback", "trackback"}
    assert "watches" not in json.dumps(thread)


def test_wordpress_without_api_and_with_a_short_feed_says_no_more_than_it_knows(blog: Blog, tmp_path: Path) -> None:
    case = Case("twentytwentyone", rest=False)
    blog.set_up(case)
    [page] = harvest([blog.urls()["deep"]], tmp_path / "warc")
    done, thread = completed(page)
    truth = blog.truth["deep"]
    wrong = without_title_lines(differences(*as_drawn(thread["comments"], truth)), truth)
    # what the theme flattened stands too high, at something it does answer by way of others; nothing else is amiss
    assert wrong
    assert [line for line in wrong if " parent " not in line] == []
    by_id = {row["id"]: row["native_id"] for row in thread["comments"]}
    for row in thread["comments"]:
        if row["native_id"] in truth and row["parent_id"]:
            assert by_id[row["parent_id"]] in ancestors(row["native_id"], truth)
    assert [request.status for request in done.requests] == [401, 200]


def ancestors(key: str | None, truth: dict[str, Truth]) -> list[str]:
    found: list[str] = []
    while key in truth and (key := truth[key].parent):
        found.append(key)
    return found


def test_wordpress_through_the_command_line(blog: Blog, tmp_path: Path) -> None:
    blog.set_up(Case("twentytwentythree"))
    url, archive = blog.urls()["long"], tmp_path / "archive"
    rows = chorus("harvest", url, "-a", archive, "--allow-private", "--delay", "0", "--quiet")
    assert [(row["outcome"], row["completeness"]) for row in rows] == [("captured", "complete")]
    [thread] = chorus("show", url, "-a", archive)
    assert differences(*as_drawn(thread["comments"], blog.truth["long"])) == []


def as_drawn(comments: list[dict[str, Any]], truth: dict[str, Truth]) -> tuple[list[dict[str, Any]], dict[str, Truth]]:
    """Both sides without quotes and symbols: themes set quotes in type, and WordPress's script draws emoji as pictures."""

    def bare(text: str | None) -> str:
        return " ".join(re.sub(r"[^\w\s]", "", text or "").split())

    rows = [{**row, "author": bare(row["author"]), "text": bare(row["text"])} for row in comments]
    return rows, {key: replace(one, author=bare(one.author), text=bare(one.text)) for key, one in truth.items()}


def chorus(*arguments: str | Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, check=False, timeout=300)
    assert result.returncode == 0, result.stderr.decode()
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def filled_isso() -> Iterator[isso.Isso]:
    """A server with answers beyond what its page unfolds, changed, deleted and held-back comments."""
    if reason := isso.missing():
        pytest.skip(reason)
    with isso.Isso() as server:
        made = [
            server.add(text, author=name if n % 3 else None, website=url or None)
            for n, (text, (name, url)) in enumerate(zip(content.MARKDOWN, content.AUTHORS, strict=True))
        ]
        first = made[0][0]
        answers = [server.add(f"An answer, number {n}.", parent=first, author="Ann & Co.") for n in range(8)]
        server.add("An answer to an answer.", parent=answers[2][0], author="bob")
        server.edit(*made[1], text="Changed my mind: **late** frost.", author="bob")
        answered = server.add("This goes, but was answered.", author="Gone")
        server.add("The answer to what went.", parent=answered[0], author="Stays")
        server.delete(*answered)
        server.delete(*server.add("This goes without a trace.", author="Gone"))
        server.run(moderated=True)
        server.add("This waits for somebody.", author="Patience")
        yield server


def test_isso_thread_is_what_its_database_holds(filled_isso: isso.Isso, tmp_path: Path) -> None:
    [page] = harvest([filled_isso.url], tmp_path / "warc")
    truth = from_isso(filled_isso.rows())
    assert len(truth) == 19
    done, thread = completed(page)
    assert differences(thread["comments"], truth) == []
    assert thread["platform"] == "isso"
    assert (thread["announced_count"], thread["completeness"]) == (19, "complete")
    assert [request.status for request in done.requests] == [200]
    assert {row["state"] for row in thread["comments"]} == {"visible", "deleted"}
    assert all(row["url"] == f"{filled_isso.url}#{row['native_id']}" for row in thread["comments"])


def test_isso_page_alone_is_right_in_what_it_unfolds(filled_isso: isso.Isso, tmp_path: Path) -> None:
    [page] = harvest([filled_isso.url], tmp_path / "warc")
    read = read_page(page.html or "", filled_isso.url, page.captured_at)
    thread = document(read, Capture(filled_isso.url, page.captured_at, None, None)).to_json()
    truth = from_isso(filled_isso.rows())
    assert len(thread["comments"]) == 15  # of nine answers five are shown
    shown = {row["native_id"]: truth[row["native_id"]] for row in thread["comments"]}
    # the page marks a deleted comment by words only; the API says its state
    wrong = differences(thread["comments"], shown)
    assert [line for line in wrong if "state 'visible', not 'deleted'" not in line] == []
    assert (thread["announced_count"], thread["completeness"]) == (19, "partial")
