"""What a site says of a thread beside its page: API, feed, further pages; and how it is made one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.dates import ReadDate
from harvest.extract.build import Capture, Page, document
from harvest.extract.items import Reading
from harvest.extract.page import read_page
from harvest.extract.source import parse
from harvest.sources import comment_feed, isso_json, wp_json
from harvest.sources.align import align
from harvest.sources.driver import Fetched, complete_thread, complete_thread_async
from harvest.sources.items import Answer, Said, Source, from_page, key_of
from harvest.sources.merge import merge
from harvest.sources.order import arrange
from harvest.sources.paging import comment_pages, own_key
from store.records import FetchError

URL = "https://blog.example/2012/12/frost/"
API = '<link rel="https://api.w.org/" href="https://blog.example/wp-json/">'


def tree(html: str) -> Any:
    return parse(f"<html><head>{html}</head><body></body></html>" if html.startswith("<link") else html)[0]


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    data = (
        body if isinstance(body, bytes) else json.dumps(body).encode() if not isinstance(body, str) else body.encode()
    )
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


# WordPress's API


@pytest.mark.parametrize(
    ("html", "root", "post"),
    [
        (f'{API}<link rel="alternate" type="application/json" href="/wp-json/wp/v2/posts/17">', "wp-json", 17),
        (f'{API}<link rel="alternate" type="application/json" href="/wp-json/wp/v2/recipe/9">', "wp-json", 9),
        (f'{API}<link rel="shortlink" href="https://blog.example/?p=17">', "wp-json", 17),
        (f'<html><head>{API}</head><body class="single postid-17 x"></body></html>', "wp-json", 17),
        (f'<html><head>{API}</head><body><input name="comment_post_ID" value="17"></body></html>', "wp-json", 17),
        (
            '<link rel="https://api.w.org/" href="/index.php?rest_route=/"><link rel="shortlink" href="/?p=17">',
            "index.php?rest_route=/",
            17,
        ),
        # the link taken out of the head, the core in a folder
        ('<link rel="shortlink" href="/?p=17"><link href="/sub/wp-includes/x.css">', "sub/wp-json", 17),
        (f"{API}", None, None),
        ('<link rel="shortlink" href="https://blog.example/?p=17">', None, None),
    ],
)
def test_wordpress_place_is_found(html: str, root: str | None, post: int | None) -> None:
    place = wp_json.discover(tree(html), URL)
    assert (place.root.rstrip("/") if place else None) == (f"https://blog.example/{root}".rstrip("/") if root else None)
    assert (place.post if place else None) == post


def test_wordpress_addresses_work_with_and_without_pretty_permalinks() -> None:
    pretty = wp_json.Place("https://blog.example/wp-json/", 17)
    plain = wp_json.Place("https://blog.example/index.php?rest_route=/", 17)
    assert pretty.comments(2).startswith("https://blog.example/wp-json/wp/v2/comments?post=17&per_page=100&page=2&")
    assert plain.comments(2).startswith(
        "https://blog.example/index.php?rest_route=/wp/v2/comments&post=17&per_page=100&"
    )
    assert "avatar" not in pretty.comments(1)  # their addresses are hashes of mail addresses


def row(number: int, parent: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "post": 17,
        "parent": parent,
        "author": 0,
        "author_name": f"Author {number}",
        "author_url": "",
        "date": f"2012-12-05T09:{number % 60:02d}:07",
        "date_gmt": f"2012-12-05T17:{number % 60:02d}:07",
        "content": {"rendered": f"<p>Text number {number}.</p>"},
        "link": f"{URL}#comment-{number}",
        "status": "approved",
        "type": "comment",
        **more,
    }


def test_wordpress_row_becomes_a_comment() -> None:
    name = "Tom &amp; &#8220;Jerry&#8221;"
    markup = '<p>See <a href="/x">this</a>.</p><p>And that &#8211; so.</p>'
    said = wp_json.read_comment(row(5, 3, author_name=name, author=2, content={"rendered": markup}), URL)
    assert said
    assert (said.key, said.parent, said.placed, said.writer) == ("5", "3", True, "2")
    assert said.reading == Reading(
        text="See this.\nAnd that – so.",
        native_id="comment-5",
        author="Tom & “Jerry”",
        date=ReadDate("2012-12-05T09:05:07-08:00", "second", "2012-12-05T09:05:07"),
        permalink=f"{URL}#comment-5",
        links=("https://blog.example/x",),
    )
    assert wp_json.read_comment(row(5, status="hold"), URL) is None


def drive(reader: Any, answers: Mapping[str, Answer]) -> tuple[Any, list[str]]:
    """Run a reader on stored answers; what it returns and what it asked for."""
    asked: list[str] = []
    try:
        wanted = next(reader)
        while True:
            asked.append(wanted)
            found = next((one for part, one in answers.items() if part in wanted), Answer(404, {}, b""))
            wanted = reader.send(found)
    except StopIteration as done:
        return done.value, asked


HEAD = f'{API}<link rel="alternate" type="application/json" href="https://blog.example/wp-json/wp/v2/posts/17">'


def test_wordpress_api_is_read_to_its_last_page() -> None:
    counts = {"x-wp-total": "3", "x-wp-totalpages": "2"}
    rows = {"&page=1&": [row(1), row(2, 1)], "&page=2&": [row(3, 2)]}
    answers = {part: Answer(200, counts, json.dumps(one).encode()) for part, one in rows.items()}
    source, asked = drive(wp_json.read(tree(HEAD), URL), answers)
    assert [(said.key, said.parent) for said in source.items] == [("1", None), ("2", "1"), ("3", "2")]
    assert (source.total, source.whole, len(asked)) == (3, True, 2)
    del answers["&page=2&"]
    source, _ = drive(wp_json.read(tree(HEAD), URL), answers)
    assert (len(source.items), source.whole) == (2, False)


@pytest.mark.parametrize(
    "given_answer",
    [
        answer({"code": "rest_disabled"}, status=401),
        answer({"code": "rest_no_route"}),
        answer(b"<html>not found</html>"),
        answer(b""),
        answer(b"[" * 100_000),
        answer("[null, 1, {}]", status=500),
    ],
)
def test_wordpress_api_that_does_not_answer_is_no_source(given_answer: Answer) -> None:
    source, asked = drive(wp_json.read(tree(HEAD), URL), {"comments": given_answer})
    assert source is None
    assert len(asked) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(row(1))), json_values))
def test_no_row_of_an_api_raises(values: dict[str, Any]) -> None:
    found = answer([{**row(1), **values}])
    for one in wp_json.comment_rows(found, 17) or ():
        wp_json.read_comment(one, URL)
    thread = {"replies": [{"id": 1, **values, "replies": [values, 7]}], "total_replies": values.get("id")}
    drive(isso_json.read(tree(ISSO), ISSO, URL), {"uri=": answer(thread)})


# Comment feeds

ATOM = f"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0">
<entry><title>By: Ann</title><link rel="alternate" href="{URL}comment-page-2/#comment-5"/>
 <author><name>Ann &#38; Co</name><uri>https://ann.example/</uri></author><id>{URL}#comment-5</id>
 <published>2012-12-05T17:05:07Z</published>
 <content type="html"><![CDATA[<p>In reply to <a href="{URL}comment-page-1/#comment-3">Bob</a>.</p>
<p>Quite &#8211; so.</p>]]></content>
 <thr:in-reply-to ref="{URL}#comment-3" href="{URL}comment-page-1/#comment-3"/></entry>
<entry><title>By: Bob</title><link rel="alternate" href="{URL}#comment-3"/>
 <author><name>Bob</name></author><id>{URL}#comment-3</id>
 <published>2012-12-05T17:03:07Z</published><content type="html">&lt;p&gt;First.&lt;/p&gt;</content>
 <thr:in-reply-to ref="https://blog.example/?p=17" href="{URL}"/></entry>
<entry><title>Elsewhere</title><link rel="alternate" href="https://blog.example/other/#comment-9"/>
 <id>https://blog.example/other/#comment-9</id>
 <content>x</content></entry></feed>"""

RSS = f"""<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>
<item><title>By: Ann</title><link>{URL}#comment-5</link><dc:creator><![CDATA[Ann]]></dc:creator>
<pubDate>Wed, 05 Dec 2012 17:05:07 +0000</pubDate>
<guid isPermaLink="false">https://blog.example/?p=17#comment-5</guid><description>cut</description>
<content:encoded><![CDATA[<p>Als Antwort auf <a href="{URL}#comment-3">Bob</a>.</p>
<p>In reply to nobody.</p>]]></content:encoded></item></channel></rss>"""


def test_atom_feed_gives_parents_and_full_texts() -> None:
    feed = comment_feed.parse_feed(answer(ATOM), URL)
    assert feed
    first, second = feed.items
    assert (first.key, first.parent, first.placed) == ("5", "3", True)
    assert (second.key, second.parent, second.placed) == ("3", None, True)
    assert first.reading.text == "Quite – so."
    assert (first.reading.author, first.reading.author_url) == ("Ann & Co", "https://ann.example/")
    assert first.reading.date == ReadDate("2012-12-05T17:05:07Z", "second", "2012-12-05T17:05:07Z")
    assert first.reading.native_id == "comment-5"


def test_rss_feed_names_the_parent_in_its_salutation() -> None:
    feed = comment_feed.parse_feed(answer(RSS), URL)
    assert feed
    [said] = feed.items
    assert (said.key, said.parent, said.placed) == ("5", "3", True)
    assert said.reading.text == "In reply to nobody."
    assert said.reading.author == "Ann"
    assert said.reading.date
    assert said.reading.date.iso == "2012-12-05T17:05:07Z"


def test_blogger_feed_names_the_parent_in_a_link() -> None:
    entry = """<entry><id>tag:blogger.com,1999:blog-1.post-{0}</id><published>2012-12-05T09:0{0}:00-08:00</published>
    <content type="html">Text {0}</content><author><name>A{0}</name></author>{1}
    <thr:in-reply-to href="https://b.example/2012/12/p.html" ref="tag:blogger.com,1999:blog-1.post-17"/></entry>"""
    related = '<link rel="related" href="https://www.blogger.com/feeds/1/17/comments/default/3"/>'
    feed = comment_feed.parse_feed(
        answer(
            '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0" '
            'xmlns:o="http://a9.com/-/spec/opensearchrss/1.0/"><o:totalResults>2</o:totalResults>'
            + entry.format(3, "")
            + entry.format(5, related)
            + "</feed>"
        ),
        "https://b.example/2012/12/p.html",
    )
    assert feed
    assert [(said.key, said.parent, said.reading.native_id) for said in feed.items] == [
        ("3", None, "c3"),
        ("5", "3", "c5"),
    ]
    assert feed.total == 2


@pytest.mark.parametrize(
    ("html", "feed"),
    [
        (f'<link rel="alternate" type="application/rss+xml" href="{URL}feed/">', f"{URL}feed/atom/"),
        ('<link rel="alternate" type="application/rss+xml" href="/comments/feed/">', None),
        ('<link rel="alternate" type="application/rss+xml" href="/feed/">', None),
        (
            '<link rel="alternate" type="application/rss+xml" href="/?feed=rss2&amp;p=17">',
            "https://blog.example/?feed=atom&p=17",
        ),
        (
            '<link rel="alternate" type="application/atom+xml" href="/feeds/17/comments/default">',
            "https://blog.example/feeds/17/comments/default?max-results=500",
        ),
        (f'<link rel="alternate" type="application/rss+xml" href="https://evil.example{URL[20:]}feed/">', None),
    ],
)
def test_only_the_feed_of_the_page_is_asked_for(html: str, feed: str | None) -> None:
    assert comment_feed.discover(tree(html), URL) == feed


def test_a_feed_cannot_make_the_reader_fetch_or_grow() -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
    entry = f"<item><link>{URL}#comment-5</link><description>&b;&c;x</description></item>"
    feed = comment_feed.parse_feed(answer(f"{bomb}<rss><channel>{entry}</channel></rss>"), URL)
    assert feed is not None
    assert all("root:" not in said.reading.text and len(said.reading.text) < 50 for said in feed.items)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: ATOM.replace("Ann", text).encode()))
def test_no_feed_raises(body: bytes) -> None:
    comment_feed.parse_feed(answer(body), URL)


# Isso

ISSO = '<html><body><section id="isso-thread"></section><script data-isso="//c.example/isso/" src="/e.js"></script></body></html>'


def test_isso_address_and_answer() -> None:
    assert isso_json.discover(tree(ISSO), ISSO, URL) == "https://c.example/isso/?uri=%2F2012%2F12%2Ffrost%2F"
    named = ISSO.replace('id="isso-thread"', 'id="isso-thread" data-isso-id="/a b"')
    assert (isso_json.discover(tree(named), named, URL) or "").endswith("?uri=%2Fa%20b")
    embedded = ISSO.replace('data-isso="//c.example/isso/" src="/e.js"', 'src="https://c.example/js/embed.min.js"')
    assert (isso_json.discover(tree(embedded), embedded, URL) or "").startswith("https://c.example/?uri=")
    assert isso_json.discover(tree("<p>x</p>"), "<p>x</p>", URL) is None
    inner = {"id": 2, "parent": 1, "text": "", "mode": 4, "created": 1354727647.5, "author": None}
    outer = {
        "id": 1,
        "parent": None,
        "text": "<p>Hi</p>",
        "mode": 1,
        "created": 1354727647.9,
        "author": "A &amp; B",
        "replies": [inner],
    }
    source, asked = drive(
        isso_json.read(tree(ISSO), ISSO, URL), {"uri=": answer({"replies": [outer], "total_replies": 3})}
    )
    assert len(asked) == 1
    assert [(said.key, said.parent, said.reading.state) for said in source.items] == [
        ("1", None, "visible"),
        ("2", "1", "deleted"),
    ]
    assert source.items[0].reading.author == "A & B"
    assert source.items[0].reading.date == ReadDate("2012-12-05T17:14:07Z", "second", "1354727647.9")
    assert (source.total, source.whole) == (3, False)


# Further pages

TWO_TO_NINE = [2, 3, 4, 5, 6, 7, 8, 9]
FORUM = "https://forum.example/"
NUMBERS = "".join(f'<a href="{{0}}{n}{{1}}">{n}</a> ' for n in (2, 3, 9))


@pytest.mark.parametrize(
    ("markup", "url", "forum", "expected"),
    [
        # newest page shown, one link back: the gaps below it are filled
        (f'<a href="{URL}comment-page-3/#comments">Older</a>', URL, False, [1, 2, 3]),
        (f'<a href="{URL}comment-page-1/?replytocom=5#respond">Reply</a>', URL, False, []),
        ('<a href="https://blog.example/other/comment-page-3/#comment-5">recent</a>', URL, False, []),
        ('<a href="/?p=17&cpage=2#comments">x</a>', "https://blog.example/?p=17", False, [1, 2]),
        ('<a href="/?p=18&cpage=2#comments">x</a>', "https://blog.example/?p=17", False, []),
        ('<a href="p.html?commentPage=2">Newer</a>', "https://b.example/p.html", False, [1, 2]),
        # a pager of the comments, and one of something else
        (f'<div id="comments"><ul class="pager">{NUMBERS.format("?page=", "")}</ul></div>', URL, False, TWO_TO_NINE),
        (f'<ul class="pager">{NUMBERS.format("?page=", "")}</ul>', URL, False, []),
        (f'<div id="comments">{NUMBERS.format("?page=", "")}</div>', URL, False, []),
        (
            '<div id="comments"><ul class="pager"><a href="?page=1">2</a><a href="?page=2">3</a></ul></div>',
            URL,
            False,
            [1, 2],
        ),
        # forums
        (f'<nav class="pageNav">{NUMBERS.format("/threads/x.12/page-", "")}</nav>', FORUM + "threads/x.12/", True, TWO_TO_NINE),
        ('<p class="pagination"><a href="viewtopic.php?t=1&start=20">2</a>', FORUM + "viewtopic.php?t=1&sid=9", True, [20]),
        ('<p class="pagination"><a href="viewtopic.php?t=2&start=20">2</a>', FORUM + "viewtopic.php?t=1", True, []),
        ('<div class="pagelinks"><a href="index.php?topic=5.20">2</a>', FORUM + "index.php?topic=5.0", True, [20]),
        ('<p class="pagination"><a href="t-5-page-2.html">2</a>', FORUM + "t-5.html", True, [2]),
        ('<div class="pagenav"><a href="showthread.php?t=1&page=2">2</a>', FORUM + "showthread.php?t=1", True, [2]),
        ('<td><a class="morelink" rel="next" href="item?id=1&p=2">More</a></td>', "https://n.example/item?id=1", True, [2]),
        ('<p class="pagination"><a href="/t/x/5?page=2" rel="next">next page</a></div>', "https://d.example/t/x/5", True, [2]),
    ],
)  # fmt: skip
def test_links_to_further_pages_are_found(markup: str, url: str, forum: bool, expected: list[int]) -> None:
    links = comment_pages(tree(f"<html><body>{markup}</body></html>"), url, forum=forum)
    assert [link.number for link in links] == expected
    assert len({link.url for link in links}) == len(expected)


def test_a_page_tells_its_own_number_by_its_comments() -> None:
    own = "".join(f'<a href="{URL}comment-page-5/#comment-{n}">x</a>' for n in range(3))
    assert own_key(tree(f"<p>{own}<a href='{URL}comment-page-4/#comments'>Older</a></p>"), URL) == ("wordpress", 5)
    plain = "".join(f'<a href="{URL}#comment-{n}">x</a>' for n in range(3))
    assert own_key(tree(f"<p>{plain}<a href='{URL}comment-page-2/#comments'>Newer</a></p>"), URL) == ("wordpress", 1)
    assert own_key(tree("<p>x</p>"), URL) is None


# Making one thread of it


def reading(number: int, **more: Any) -> Reading:
    day = {"date": ReadDate(f"2012-12-{number:02d}", "day", f"{number}. 12. 2012"), "native_id": f"comment-{number}"}
    return Reading(**{"text": f"Text number {number}.", "author": f"Author {number}", **day, **more})


def page_source(*readings: Reading, announced: int | None = None) -> Source:
    return from_page(Page(None, readings, "wordpress", "en", announced, None), URL)


def api_source(*items: Said, whole: bool = True) -> Source:
    return Source(name="api", url="https://blog.example/api", items=items, total=len(items), whole=whole)


def said(number: int, parent: int | None = None, **more: Any) -> Said:
    return Said(key=str(number), parent=str(parent) if parent else None, reading=reading(number, **more))


def ids(readings: tuple[Reading, ...]) -> list[str]:
    return [(one.native_id or "").removeprefix("comment-") for one in readings]


def parents(readings: tuple[Reading, ...]) -> list[str | None]:
    return [None if one.parent is None else ids(readings)[one.parent] for one in readings]


def test_ids_of_page_api_and_feed_are_one() -> None:
    assert {key_of(name) for name in ("comment-12", "li-comment-12", "div-comment-12", "12", "c12")} == {"12"}
    assert key_of("comment-6a00d83451b0b869e2") == key_of("6A00D83451B0B869E2")
    assert key_of("intro") == "intro"


def test_the_api_knows_best_who_answers_whom() -> None:
    page = page_source(reading(1), reading(2, parent=0, parent_source="dom"), reading(3, parent=0, parent_source="dom"))
    feed = Source(name="feed", url="f", items=(said(3, 1),))
    merged = merge([page, feed, api_source(said(1), said(2), said(3, 2))], whole=True)
    assert parents(merged.readings) == [None, None, "2"]
    assert [one.parent_source for one in merged.readings] == [None, None, "api"]
    assert {
        (note["native_id"], note["chosen"], note["other"], note["other_source"]) for note in merged.disagreements
    } == {
        ("comment-2", None, "comment-1", "dom"),
        ("comment-3", "comment-2", "comment-1", "feed"),
        ("comment-3", "comment-2", "comment-1", "dom"),
    }


def test_a_page_that_shows_no_place_does_not_overrule_one_that_does() -> None:
    flat = page_source(reading(1), reading(2))
    nested = page_source(reading(1), reading(2, parent=0, parent_source="indent"))
    merged = merge([flat, nested], whole=True)
    assert parents(merged.readings) == [None, "1"]
    assert [one.parent_source for one in merged.readings] == [None, "indent"]


def test_missing_values_are_filled_and_differences_kept() -> None:
    page = page_source(
        reading(1, author=None, date=ReadDate("2012-12-01T09:14", "minute", "December 1, 2012 at 9:14 am")),
        reading(2, text="Text [...]"),
        reading(3, author="Somebody else", text="Something else."),
    )
    exact = ReadDate("2012-12-01T09:14:07-08:00", "second", "2012-12-01T09:14:07")
    merged = merge([page, api_source(said(1, date=exact), said(2), said(3))], whole=True)
    first, second, third = merged.readings
    assert first.author == "Author 1"
    assert first.date == ReadDate("2012-12-01T09:14:07-08:00", "second", "December 1, 2012 at 9:14 am")
    assert second.text == "Text number 2."
    assert (third.author, third.text) == ("Author 3", "Something else.")
    assert sorted((note["native_id"], note["field"]) for note in merged.disagreements) == [
        ("comment-2", "text"),
        ("comment-3", "author"),
        ("comment-3", "text"),
    ]


@pytest.mark.parametrize(
    ("shown", "fed", "expected"),
    [
        ("2012-12-01T09:14", "2012-12-01T17:14:07Z", "2012-12-01T09:14:07-08:00"),
        ("2012-12-01T09:14", "2012-12-01T03:44:59Z", "2012-12-01T09:14:59+05:30"),
        ("2012-12-01T09:14:07-08:00", "2012-12-01T17:14:07Z", "2012-12-01T09:14:07-08:00"),
        ("2012-12-01", "2012-12-02T05:00:00Z", "2012-12-02T05:00:00Z"),
        ("2012-12-01T09:14", "2012-12-05T09:14:07Z", "2012-12-05T09:14:07Z"),
    ],
)
def test_a_moment_in_utc_is_put_on_the_clock_of_the_page(shown: str, fed: str, expected: str) -> None:
    precision = {10: "day", 16: "minute"}.get(len(shown), "second")
    page = page_source(reading(1, date=ReadDate(shown, precision, "as printed")))  # type: ignore[arg-type]
    feed = Source(name="feed", url="f", items=(said(1, date=ReadDate(fed, "second", fed)),))
    merged = merge([page, feed], whole=True)
    assert merged.readings[0].date == ReadDate(expected, "second", "as printed")
    assert [note["field"] for note in merged.disagreements] == (["date"] if "12-05" in fed else [])


def test_what_pages_leave_out_stands_among_its_neighbours() -> None:
    page = page_source(reading(1), reading(2, parent=0, parent_source="dom"), reading(6))
    merged = merge(
        [page, api_source(said(1), said(2, 1), said(3, 2), said(4, 1), said(5), said(6), said(7))], whole=True
    )
    assert ids(merged.readings) == ["1", "2", "3", "4", "5", "6", "7"]
    newest = page_source(reading(6), reading(1), reading(2, parent=1, parent_source="dom"))
    merged = merge(
        [newest, api_source(said(1), said(2, 1), said(3, 2), said(4, 1), said(5), said(6), said(7))], whole=True
    )
    assert ids(merged.readings) == ["7", "6", "5", "1", "2", "3", "4"]
    assert merged.origins[:2] == ("https://blog.example/api", URL)


def test_a_flat_list_keeps_the_order_of_the_page() -> None:
    page = page_source(reading(1), reading(2), reading(3, parent=0, parent_source="quote"), reading(4))
    assert ids(merge([page], whole=True).readings) == ["1", "2", "3", "4"]


def test_a_parent_that_nobody_shows_is_hidden_and_its_child_keeps_it() -> None:
    sources = [page_source(reading(1)), api_source(said(1), said(3, 2))]
    merged = merge(sources, whole=True)
    assert merged.unseen == 1
    assert [(one.native_id, one.state) for one in merged.readings][1:] == [
        ("comment-2", "hidden"),
        ("comment-3", "visible"),
    ]
    assert parents(merged.readings) == [None, None, "2"]
    unread = merge(sources, whole=False)  # it may stand on a page that did not come
    assert ids(unread.readings) == ["1", "3"]
    assert parents(unread.readings) == [None, None]
    assert unread.disagreements[-1]["other"] == "2"


def test_comments_without_ids_are_the_same_by_their_words() -> None:
    bare = [reading(n, native_id=None) for n in (1, 2, 3)]
    merged = merge([page_source(*bare[:2]), page_source(*bare[1:])], whole=True)
    assert [one.text for one in merged.readings] == [one.text for one in bare]
    twice = merge([page_source(bare[0], bare[0])], whole=True)
    assert len(twice.readings) == 2


def test_a_deleted_state_and_the_posts_author_come_through() -> None:
    page = page_source(reading(1, is_post_author=True), reading(2, text=""))
    items = (
        Said(key="1", reading=reading(1), writer="7"),
        said(2, text="", state="deleted"),
        Said(key="3", reading=reading(3), writer="7"),
        Said(key="4", reading=reading(4), writer="8"),
    )
    merged = merge([page, api_source(*items)], whole=True)
    assert [one.state for one in merged.readings] == ["visible", "deleted", "visible", "visible"]
    assert [one.is_post_author for one in merged.readings] == [True, False, True, False]


def test_a_bare_pingback_takes_the_words_of_another_source() -> None:
    page = page_source(reading(1, kind="pingback", text="Pingback: Author 1", date=None))
    merged = merge([page, api_source(said(1, text="[…] as they said […]"))], whole=True)
    assert (merged.readings[0].text, merged.readings[0].kind) == ("[…] as they said […]", "pingback")


@given(
    st.dictionaries(st.integers(1, 12), st.none() | st.integers(1, 12), max_size=12), st.randoms(use_true_random=False)
)
def test_any_parents_give_an_order_with_parents_first(tree_of: dict[int, int | None], chance: Any) -> None:
    readings = {str(n): reading(n) for n in tree_of}
    up = {str(n): str(parent) if parent in tree_of else None for n, parent in tree_of.items()}
    shown = [key for key in readings if chance.random() < 0.5]
    order = arrange(shown, readings, up)
    assert sorted(order.keys) == sorted(readings)
    place = {key: n for n, key in enumerate(order.keys)}
    assert all(key in order.cut or parent is None or place[parent] < place[key] for key, parent in up.items())


def test_another_systems_comments_are_not_poured_in() -> None:
    page = page_source(
        *(reading(n, native_id=f"dsq-{n}") for n in (101, 102, 103) if n < 200)
        if False
        else (reading(n, native_id=f"post-{n + 900}") for n in (1, 2, 3))
    )
    strangers = align([page], [api_source(*(said(n, text=f"Quite another {n}.", author="x") for n in (1, 2, 3)))])
    assert (strangers.others, len(strangers.strangers)) == ([], 1)
    same = align([page], [api_source(said(1), said(2, 1), said(3, 2))])
    merged = merge([*same.pages, *same.others], whole=True)
    assert [one.native_id for one in merged.readings] == ["post-901", "post-902", "post-903"]
    assert [one.parent for one in merged.readings] == [None, 0, 1]


# The driver


def item(number: int, inner: str = "", depth: int = 1) -> str:
    return (
        f'<li class="comment depth-{depth}" id="comment-{number}"><article class="comment-body"><b class="fn">Author {number}</b>'
        f'<a href="{URL}#comment-{number}"><time datetime="2012-12-05T09:{number:02d}:07-08:00">5 December</time></a>'
        f'<div class="comment-content"><p>Text number {number}.</p></div></article>{inner}</li>'
    )


def blog_page(items: str, count: int | None, more: str = "", head: str = HEAD) -> str:
    heading = f"<h2>{count} comments</h2>" if count is not None else ""
    post = (
        "<article class='post' id='post-17'><h1>Frost</h1><div class='entry-content'><p>"
        + "The frost came. " * 30
        + "</p></div></article>"
    )
    return (
        f"<html><head><title>Frost</title>{head}</head><body>{post}<div id='comments'>{heading}"
        f"<ol class='comment-list'>{items}</ol>{more}</div></body></html>"
    )


PAGED = blog_page(item(1) + item(2), 5, f'<a href="{URL}comment-page-2/#comments">Newer</a>', head="")
ANSWERS: dict[str, Fetched] = {
    f"{URL}comment-page-2/": (
        200,
        {},
        blog_page(item(3) + item(4), 5, f'<a href="{URL}comment-page-3/#comments">Newer</a>').encode(),
    ),
    f"{URL}comment-page-3/": (200, {}, blog_page(item(5), 5).encode()),
}


def fetch(url: str) -> Fetched:
    if url not in ANSWERS:
        raise FetchError("nothing there", url=url)
    return ANSWERS[url]


def test_pages_are_followed_until_the_announced_count_is_there() -> None:
    done = complete_thread(read_page(PAGED, URL, None), PAGED, URL, fetch)
    assert ids(done.page.readings) == ["1", "2", "3", "4", "5"]
    assert [request.url.removeprefix(URL) for request in done.requests] == ["comment-page-2/", "comment-page-3/"]
    assert done.origins == (URL, URL, f"{URL}comment-page-2/", f"{URL}comment-page-2/", f"{URL}comment-page-3/")
    thread = document(done.page, Capture(URL, "2026-11-23T00:00:00Z", None, None)).thread
    assert (thread.completeness, thread.captured_count) == ("complete", 5)


def test_what_could_not_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ANSWERS, f"{URL}comment-page-3/")
    done = complete_thread(read_page(PAGED, URL, None), PAGED, URL, fetch)
    assert ids(done.page.readings) == ["1", "2", "3", "4"]
    assert done.shortfalls == ("1 further pages of comments could not be read",)
    assert [request.status for request in done.requests] == [200, 0, 0]
    limited = complete_thread(read_page(PAGED, URL, None), PAGED, URL, fetch, max_requests=1)
    assert len(limited.requests) == 1
    assert document(limited.page, Capture(URL, "2026-11-23T00:00:00Z", None, None)).thread.completeness == "partial"


def test_a_page_that_is_all_there_asks_for_the_api_only() -> None:
    html = blog_page(item(1) + item(2), 2)
    rows = answer([row(1), row(2, 1)])
    asked: list[str] = []

    def api_only(url: str) -> Fetched:
        asked.append(url)
        return rows.status, {"X-WP-Total": "2"}, rows.body

    done = complete_thread(read_page(html, URL, None), html, URL, api_only)
    assert len(asked) == 1
    assert parents(done.page.readings) == [None, "1"]
    assert [one.parent_source for one in done.page.readings] == [None, "api"]
    plain = "<html><body><h1>Nothing</h1><p>No comments here at all.</p></body></html>"
    assert complete_thread(read_page(plain, URL, None), plain, URL, fetch).requests == ()


def test_awaited_and_plain_driver_do_the_same() -> None:
    async def later(url: str) -> Fetched:
        await asyncio.sleep(0)
        return fetch(url)

    page = read_page(PAGED, URL, None)
    assert asyncio.run(complete_thread_async(page, PAGED, URL, later)) == complete_thread(page, PAGED, URL, fetch)


def test_the_first_item_of_a_forums_second_page_is_no_post() -> None:
    def forum_page(numbers: range, pager: str) -> str:
        posts = "".join(
            f'<article class="message message--post" id="js-post-{n}" data-author="Author {n}">'
            f'<time datetime="2012-12-05T09:{n:02d}:00Z" class="u-dt">x</time>'
            f'<div class="message-body"><div class="bbWrapper">Text of number {n}, to be read.</div></div></article>'
            for n in numbers
        )
        return f"<html><body><h1>Frost</h1>{posts}<nav class='pageNav'>{pager}</nav></body></html>"

    url = "https://f.ex/threads/frost.12/"
    first = forum_page(range(1, 5), '<a href="/threads/frost.12/page-2">2</a>')
    second = forum_page(range(5, 8), '<a href="/threads/frost.12/">1</a>')
    done = complete_thread(read_page(first, url, None), first, url, lambda _: (200, {}, second.encode()))
    assert done.page.post
    assert done.page.post.native_id == "js-post-1"
    assert [one.native_id for one in done.page.readings] == [f"js-post-{n}" for n in range(2, 8)]
