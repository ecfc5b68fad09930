"""Extraction: own pages for each shape, bad input, ids, time in proportion to size."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.dates import find_date, find_relative, machine_date, numeric_order
from harvest.extract import extract
from harvest.extract.counts import read_count
from harvest.extract.select import compiled
from harvest.platforms import platforms
from store.records import ConfigError, Evidence, ExtractError, ThreadDocument

PAGES = Path(__file__).parent / "pages"
WHEN = "2026-01-01T00:00:00Z"


def read(source: str | bytes, url: str = "https://blog.example/a-post/", visit: str | None = None) -> ThreadDocument:
    return extract(source, url=url, captured_at=WHEN, visit_id=visit)


def wordpress(count: int, announced: int | None = None) -> str:
    items = "".join(
        f'<li class="comment depth-1" id="comment-{n}"><div class="comment-author"><cite class="fn">User {n}</cite> <span class="says">says:</span>'  # noqa: E501
        f'</div><div class="commentmetadata"><a href="#comment-{n}">March 3, 2012 at 5:0{n % 10} pm</a></div><p>Body number {n} says hello.</p>'  # noqa: E501
        f'<div class="reply"><a class="comment-reply-link" href="?replytocom={n}#respond">Reply</a></div></li>'
        for n in range(count)
    )
    head = f"<h3>{announced} Responses to Title</h3>" if announced is not None else ""
    return f'<html lang="en"><body><h1>Title</h1><div class="entry-content"><p>{"word " * 60}</p></div>{head}<ol class="commentlist">{items}</ol></body></html>'  # noqa: E501


def test_plain_text_thread() -> None:
    found = read((PAGES / "plain_thread.txt").read_text(encoding="utf-8")).to_json()
    assert [(row["parent"], row["kind"], row["depth"]) for row in found["comments"]] == [
        (None, "comment", 1),
        (0, "comment", 2),
        (1, "comment", 3),
        (None, "pingback", 1),
        (None, "comment", 1),
    ]
    assert found["comments"][1]["parent_source"] == "indent"
    assert "smoke gently" in found["comments"][0]["text"]
    assert found["comments"][4]["text"] == "I disagree with all of it."
    assert all(row["author"] is None and row["published"] is None for row in found["comments"])
    assert (found["announced_count"], found["completeness"], found["title"]) == (5, "complete", "Why I keep bees")
    assert "Watch" in found["post"]["text"]


def test_generic_reader_in_german() -> None:
    found = read((PAGES / "generic.html").read_bytes()).to_json()
    rows = found["comments"]
    assert [row["native_id"] for row in rows] == ["kommentar-1", "kommentar-2", "kommentar-3"]
    assert [row["author"] for row in rows] == ["Nele", "Ole", "Kira"]
    assert [row["published"] for row in rows] == ["2019-05-03T18:05", "2019-05-04T07:30", "2019-05-05T12:00"]
    assert [row["parent"] for row in rows] == [None, 0, None]
    assert rows[0]["text"] == "Bei mir geht der Teig nie auf.\nWoran liegt das?"
    assert rows[0]["author_url"] == "https://nele.example/"
    assert rows[2]["links"] == ["https://kira.example/brot"]
    assert found["announced_count"] == 3
    assert "Brot braucht Zeit" in found["post"]["text"]
    assert "Teig" not in found["post"]["text"]


def test_page_without_comments_has_none() -> None:
    found = read((PAGES / "no_comments.html").read_bytes())
    assert found.comments == ()
    assert found.thread.announced_count == 0
    assert found.post is not None
    assert found.post.text.startswith("A clock is a promise")


@pytest.mark.parametrize(
    ("announced", "verdict"), [(3, "complete"), (2, "complete"), (9, "partial"), (None, "unknown")]
)
def test_completeness(announced: int | None, verdict: str) -> None:
    thread = read(wordpress(3, announced)).thread
    assert (thread.completeness, thread.captured_count) == (verdict, 3)
    assert (thread.completeness_reason is None) == (verdict == "complete")


def test_wordpress_fields() -> None:
    row = read(wordpress(2)).to_json()["comments"][1]
    assert (row["author"], row["text"], row["url"]) == (
        "User 1",
        "Body number 1 says hello.",
        "https://blog.example/a-post/#comment-1",
    )
    assert (row["published"], row["published_precision"], row["published_text"]) == (
        "2012-03-03T17:01",
        "minute",
        "March 3, 2012 at 5:01 pm",
    )


def test_ids_are_the_same_each_time_and_at_each_address_of_the_page() -> None:
    one = read(wordpress(3))
    other = read(
        wordpress(3),
        url="https://www.blog.example/a-post/comment-page-2/?utm_source=x&replytocom=3#comment-2".replace("www.", ""),
    )
    assert [entry.revision_id for entry in one.entries] == [entry.revision_id for entry in other.entries]
    assert len({entry.entry_id for entry in one.entries}) == 4


def test_canonical_of_another_host_is_refused() -> None:
    head = '<html><head><link rel="canonical" href="https://{}/other/"></head><body><p>Hello world, this is text.</p></body></html>'  # noqa: E501
    assert read(head.format("evil.example")).thread.canonical_url == "https://blog.example/a-post/"
    assert read(head.format("www.blog.example")).thread.canonical_url == "https://www.blog.example/other/"
    assert read(head.format("www.blog.example")).thread.site == "blog.example"


def test_relative_dates_count_from_a_capture_on_record_only() -> None:
    page = wordpress(2).replace("March 3, 2012 at 5:01 pm", "3 days ago")
    assert read(page).comments[1].published is None
    assert read(page).comments[1].published_text == "3 days ago"
    anchored = read(page, visit="v").comments[1]
    assert (anchored.published, anchored.published_precision) == ("2025-12-29", "day")


def test_evidence_goes_into_every_entry() -> None:
    evidence = Evidence(warc="a.warc.gz", offset=7, record_id="r", digest="sha256:0")
    found = extract(wordpress(2), url="https://blog.example/p", captured_at=WHEN, visit_id="v", evidence=evidence)
    assert {entry.evidence for entry in found.entries} == {evidence}


@pytest.mark.parametrize("source", ["", "  \n", b"", b"%PDF-1.7 x", b"\x89PNG\r\n", bytes(range(256)) * 40])
def test_unusable_input_is_one_clear_error(source: str | bytes) -> None:
    with pytest.raises(ExtractError):
        read(source)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ("<meta charset=iso-8859-1><p>Grüße “so”</p>".encode("cp1252"), "Grüße “so”"),
        ("<meta charset=iso-8859-1><p>Grüße</p>".encode(), "Grüße"),
        ("\ufeff<p>Grüße</p>".encode("utf-16"), "Grüße"),
        ("<meta charset=koi8-r><p>Привет</p>".encode("koi8-r"), "Привет"),
    ],
)
def test_charsets(data: bytes, word: str) -> None:
    from harvest.extract.source import decode

    assert word in decode(data)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("October 20, 2019 at 1:31 pm", "2019-10-20T13:31"),
        ("10. Februar 2019 um 18:05 Uhr", "2019-02-10T18:05"),
        ("lundi 29 octobre 2012 à 15h40", "2012-10-29T15:40"),
        ("20 de abril de 2012, 3:05 a. m.", "2012-04-20T03:05"),
        ("Mon, May 23 '11, 7:57\u00a0PM", "2011-05-23T19:57"),
        ("1:20 AM, Apr 5, 2020", "2020-04-05T01:20"),
        ("2012-12-05 09:14:07 +0100", "2012-12-05T09:14:07+01:00"),
        ("31.12.2013", "2013-12-31"),
        ("April 31, 2012", None),
        ("Chapter 3, verse 16", None),
    ],
)
def test_dates_as_printed(text: str, iso: str | None) -> None:
    found = find_date(text)
    assert (found.iso if found else None) == iso


def test_dates_by_machine_and_by_page() -> None:
    stamp = machine_date("2012-12-05T09:14:00-08:00")
    assert stamp is not None and stamp.iso == "2012-12-05T09:14:00-08:00"
    assert machine_date("yesterday") is None
    assert numeric_order(["3/4/2012", "25/4/2012"], "en") == "dmy"
    assert numeric_order(["3/4/2012"], "en-US") == "mdy"
    ago = find_relative("vor 2 Stunden", WHEN)
    assert ago is not None and (ago.iso, ago.precision) == ("2025-12-31T22:00:00Z", "hour")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("60 Responses to “A, B”", 60),
        ("One comment", 1),
        ("Kommentare (12)", 12),
        ("1,234 comments", 1234),
        ("No comments", 0),
        ("Say hello", None),
    ],
)
def test_announced_counts(text: str, count: int | None) -> None:
    assert read_count(text) == count


def test_the_registered_platforms_are_these() -> None:
    assert {rules.name for rules in platforms()} >= {
        "wordpress",
        "blogger",
        "typepad",
        "movabletype",
        "disqus",
        "drupal",
        "xenforo",
        "phpbb",
        "vbulletin",
    }
    for rules in platforms():
        for selector in (
            *rules.items,
            *rules.signs,
            *rules.author,
            *rules.date,
            *rules.body,
            *rules.permalink,
            *rules.drop,
        ):
            compiled(selector)
    with pytest.raises(ConfigError):
        compiled("div:has(p)")


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_page_however_broken_raises(data: st.DataObject) -> None:
    page = wordpress(3, 3)
    start = data.draw(st.integers(0, len(page)))
    broken = page[:start] + data.draw(st.text(max_size=20)) + page[start + data.draw(st.integers(0, 200)) :]
    try:
        read(broken)
    except ExtractError:
        assert len(broken) < 200 or "\x00" in broken


def test_deep_nesting_is_no_trouble() -> None:
    nest = "".join(
        f'<ol class="children"><li class="comment" id="comment-{n}"><cite class="fn">U{n}</cite><p>Text {n} here.</p>'
        for n in range(300)
    )
    found = read(f"<html><body>{nest}</body></html>")
    assert found.comments[40].depth == 41


def test_time_grows_with_size_not_with_its_square() -> None:
    def spent(count: int) -> float:
        started = time.process_time()
        assert len(read(wordpress(count)).comments) == count
        return time.process_time() - started

    spent(50)
    assert spent(1600) < 8 * max(spent(400), 0.05)
