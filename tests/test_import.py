"""Importing what exists already, end to end into a real archive."""

# ruff: noqa: E501 - exports keep their own lines

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from cli.main import main
from harvest.imports import read_path
from store.archive import Archive
from store.tables import Tables

PAGE = """<!doctype html><html lang=en><head><meta charset={charset}><title>Rye bread | Crumbs</title>
<link rel=canonical href="https://crumbs.example/2012/12/rye/"></head><body><article class="post"><h1 class="entry-title">Rye bread</h1>
<div class="entry-content"><p>The second loaf came out like a brick, and the third like a slightly better brick, which is
progress of a kind. I fed the starter at six and again at noon, and the kitchen smelled of apples and old socks all day.</p></div></article>
<div id="comments"><h3>2 responses</h3><ol class="commentlist"><li class="comment" id="comment-7"><cite class="fn">Ulla Brandt</cite>
<div class="comment-meta"><a href="#comment-7">December 5, 2012 at 9:14 am</a></div><p>Bricks keep, at least. Café crumbs too.</p>
<ul class="children"><li class="comment" id="comment-9"><cite class="fn">Tom</cite><div class="comment-meta"><a href="#comment-9">December 6,
2012 at 7:00 pm</a></div><p>Mine kept for a month and then somebody built a wall with it.</p></li></ul></li></ol></div></body></html>"""

WXR = """<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE rss [<!ENTITY leak SYSTEM "file:///etc/passwd">]>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:wp="http://wordpress.org/export/1.2/"><channel><title>Crumbs</title>
<item><title>Sourdough &amp; patience</title><link>https://crumbs.example/2013/01/sourdough/</link><dc:creator>ulla</dc:creator>
<content:encoded><![CDATA[Day one: nothing.

Day two: <a href="https://mill.example/">the mill</a> sent flour. &leak;]]></content:encoded>
<wp:post_id>41</wp:post_id><wp:post_date>2013-01-04 08:00:00</wp:post_date><wp:post_date_gmt>2013-01-04 07:00:00</wp:post_date_gmt>
<wp:status>publish</wp:status><wp:post_type>post</wp:post_type>
<wp:comment><wp:comment_id>3</wp:comment_id><wp:comment_author>Tom</wp:comment_author><wp:comment_author_email>tom@secret.example</wp:comment_author_email>
<wp:comment_author_IP>203.0.113.9</wp:comment_author_IP><wp:comment_date_gmt>2013-01-05 10:00:00</wp:comment_date_gmt>
<wp:comment_content>And day three?</wp:comment_content><wp:comment_approved>1</wp:comment_approved><wp:comment_type>comment</wp:comment_type><wp:comment_parent>0</wp:comment_parent></wp:comment>
<wp:comment><wp:comment_id>5</wp:comment_id><wp:comment_author>Ulla</wp:comment_author><wp:comment_date_gmt>2013-01-05 12:00:00</wp:comment_date_gmt>
<wp:comment_content>Day three is soup.</wp:comment_content><wp:comment_approved>1</wp:comment_approved><wp:comment_type></wp:comment_type><wp:comment_parent>3</wp:comment_parent></wp:comment>
<wp:comment><wp:comment_id>6</wp:comment_id><wp:comment_author>Cheap pills</wp:comment_author><wp:comment_content>buy</wp:comment_content>
<wp:comment_approved>spam</wp:comment_approved><wp:comment_parent>0</wp:comment_parent></wp:comment>
<wp:comment><wp:comment_id>8</wp:comment_id><wp:comment_author>Mill News</wp:comment_author><wp:comment_date_gmt>2013-01-06 12:00:00</wp:comment_date_gmt>
<wp:comment_content>[...] a loaf [...]</wp:comment_content><wp:comment_approved>1</wp:comment_approved><wp:comment_type>pingback</wp:comment_type><wp:comment_parent>0</wp:comment_parent></wp:comment>
</item><item><title>A draft</title><link>https://crumbs.example/?p=9</link><wp:status>draft</wp:status><wp:post_type>post</wp:post_type></item>
</channel></rss>"""

BLOGGER = """<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom' xmlns:thr='http://purl.org/syndication/thread/1.0'>
<generator uri='http://www.blogger.com'>Blogger</generator>
<entry><id>tag:blogger.com,1999:blog-1.post-100</id><published>2010-03-01T09:00:00.000+01:00</published>
<category scheme='http://schemas.google.com/g/2005#kind' term='http://schemas.google.com/blogger/2008/kind#post'/>
<title>Frost</title><content type='html'>&lt;p&gt;All of the beans are gone.&lt;/p&gt;</content>
<link rel='alternate' href='http://plot.example/2010/03/frost.html'/><author><name>Iris</name><uri>http://plot.example/</uri></author></entry>
<entry><id>tag:blogger.com,1999:blog-1.post-200</id><published>2010-03-02T09:00:00.000+01:00</published>
<category scheme='http://schemas.google.com/g/2005#kind' term='http://schemas.google.com/blogger/2008/kind#comment'/>
<content type='html'>Fleece, always fleece.</content><thr:in-reply-to ref='tag:blogger.com,1999:blog-1.post-100'/><author><name>Bram</name></author></entry>
<entry><id>tag:blogger.com,1999:blog-1.post-201</id><published>2010-03-02T11:00:00.000+01:00</published>
<category scheme='http://schemas.google.com/g/2005#kind' term='http://schemas.google.com/blogger/2008/kind#comment'/>
<content type='html'>I had none left.</content><thr:in-reply-to ref='tag:blogger.com,1999:blog-1.post-100'/>
<link rel='related' href='http://www.blogger.com/feeds/1/100/comments/default/200'/><author><name>Iris</name></author></entry></feed>"""

DISQUS = """<?xml version="1.0"?><disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals">
<thread dsq:id="70"><link>https://engine.example/steam</link><title>Steam</title><createdAt>2014-05-05T05:05:05Z</createdAt></thread>
<post dsq:id="900"><message><![CDATA[<p>Brass or copper?</p>]]></message><createdAt>2014-05-06T05:05:05Z</createdAt><isDeleted>false</isDeleted><isSpam>false</isSpam>
<author><email>x@y.example</email><name>Gus</name></author><thread dsq:id="70"/></post>
<post dsq:id="901"><message><![CDATA[<p>Copper.</p>]]></message><createdAt>2014-05-07T05:05:05Z</createdAt><isDeleted>false</isDeleted><isSpam>false</isSpam>
<author><name>Nell</name></author><thread dsq:id="70"/><parent dsq:id="900"/></post>
<post dsq:id="902"><message>spam</message><isSpam>true</isSpam><thread dsq:id="70"/></post></disqus>"""

TEXT = """A post about lamps

It was dark and we talked about lamps.

3 responses to "A post about lamps"

1. I like the green one best.

   It reminds me of trains.

   • The one in the hall is greener.

2. Nobody makes wicks any more.
"""


def warc(path: Path, *pages: tuple[str, bytes, str]) -> None:
    with path.open("wb") as out:
        writer = WARCWriter(out, gzip=True)
        for url, body, media_type in pages:
            http = StatusAndHeaders("200 OK", [("Content-Type", media_type)], protocol="HTTP/1.1")
            headers = {"WARC-Date": "2015-06-07T08:09:10Z"}
            writer.write_record(
                writer.create_warc_record(
                    url, "response", io.BytesIO(body), http_headers=http, warc_headers_dict=headers
                )
            )


def run(archive: Path, *arguments: str) -> int:
    return main(["import", *arguments, "-a", str(archive), "--quiet", "--format", "jsonl"])


def threads(archive: Path) -> dict[str, Any]:
    return {d.thread.url: d.to_json() for d in Tables.open(Archive.open(archive)).documents()}


def rows(archive: Path) -> set[tuple[str | None, ...]]:
    return {
        (e.revision_id, e.author, e.published, e.text, e.parent_id)
        for e in Tables.open(Archive.open(archive)).iter_entries()
    }


def test_a_saved_page_knows_its_address_and_becomes_a_thread(tmp_path: Path) -> None:
    (tmp_path / "rye.html").write_bytes(PAGE.format(charset="iso-8859-1").encode("latin-1"))
    assert run(tmp_path / "a", str(tmp_path / "rye.html")) == 0
    [thread] = threads(tmp_path / "a").values()
    assert thread["url"] == "https://crumbs.example/2012/12/rye/"
    assert [(c["author"], c["parent"]) for c in thread["comments"]] == [("Ulla Brandt", None), ("Tom", 0)]
    assert "Café" in thread["comments"][0]["text"]
    assert thread["completeness"] == "complete"


def test_importing_the_same_again_adds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rye.html").write_text(PAGE.format(charset="utf-8"))
    assert run(tmp_path / "a", str(tmp_path / "rye.html")) == 0
    before = rows(tmp_path / "a")
    capsys.readouterr()
    assert run(tmp_path / "a", str(tmp_path / "rye.html")) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "skipped"
    assert rows(tmp_path / "a") == before


def test_exports_keep_trees_states_and_dates_and_drop_mail_and_addresses(tmp_path: Path) -> None:
    for name, content in (("wp.xml", WXR), ("b.xml", BLOGGER), ("d.xml", DISQUS)):
        (tmp_path / name).write_text(content)
    assert run(tmp_path / "a", *(str(tmp_path / n) for n in ("wp.xml", "b.xml", "d.xml"))) == 0
    found = threads(tmp_path / "a")
    bread = found["https://crumbs.example/2013/01/sourdough/"]
    assert [(c["author"], c["parent"], c["kind"]) for c in bread["comments"]] == [
        ("Tom", None, "comment"),
        ("Ulla", 0, "comment"),
        ("Mill News", None, "pingback"),
    ]
    assert bread["post"]["published"] == "2013-01-04T07:00:00Z"
    assert bread["post"]["text"].splitlines()[0] == "Day one: nothing."
    assert bread["post"].get("links", ["https://mill.example/"]) == ["https://mill.example/"]
    assert [(c["author"], c["parent"]) for c in found["http://plot.example/2010/03/frost.html"]["comments"]] == [
        ("Bram", None),
        ("Iris", 0),
    ]
    assert [(c["author"], c["parent"]) for c in found["https://engine.example/steam"]["comments"]] == [
        ("Gus", None),
        ("Nell", 0),
    ]
    everything = json.dumps(found) + "".join(
        gzip.decompress(p.read_bytes()).decode("utf-8", "replace") for p in (tmp_path / "a/warc").glob("*.gz")
    )
    for private in ("secret.example", "203.0.113.9", "x@y.example", "root:", "buy"):
        assert private not in everything


def test_a_plain_text_thread_needs_its_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.txt").write_text(TEXT)
    assert run(tmp_path / "a", str(tmp_path / "t.txt")) == 1
    assert "--url" in capsys.readouterr().out
    assert run(tmp_path / "a", str(tmp_path / "t.txt"), "--url", "https://lamps.example/p") == 0
    [thread] = threads(tmp_path / "a").values()
    assert [c["parent"] for c in thread["comments"]] == [None, 0, None]
    assert [c["author"] for c in thread["comments"]] == [None, None, None]


def test_web_archives_of_other_tools_give_their_pages(tmp_path: Path) -> None:
    page = PAGE.format(charset="utf-8").encode()
    warc(
        tmp_path / "crawl.warc.gz",
        ("https://crumbs.example/2012/12/rye/", page, "text/html; charset=utf-8"),
        ("https://crumbs.example/style.css", b"p {}", "text/css"),
        ("https://ads.example/frame", page.replace(b"Ulla", b"Advert"), "text/html"),
    )
    with zipfile.ZipFile(tmp_path / "c.wacz", "w") as package:
        package.write(tmp_path / "crawl.warc.gz", "archive/../../crawl.warc.gz")
        package.write(tmp_path / "crawl.warc.gz", "archive/crawl.warc.gz")
        package.writestr(
            "pages/pages.jsonl", '{"format": "json-pages-1.0"}\n{"url": "https://crumbs.example/2012/12/rye/"}\n'
        )
    assert run(tmp_path / "a", str(tmp_path / "c.wacz")) == 0
    [thread] = threads(tmp_path / "a").values()
    assert thread["captured_at"] == "2015-06-07T08:09:10Z"
    assert len(thread["comments"]) == 2
    assert not (tmp_path.parent / "crawl.warc.gz").exists()
    assert run(tmp_path / "b", str(tmp_path / "crawl.warc.gz")) == 0
    assert len(threads(tmp_path / "b")) == 2  # without a page list every HTML answer may be a page


def test_damage_is_named_and_the_rest_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.format(charset="utf-8").encode()
    warc(
        tmp_path / "torn.warc.gz",
        ("https://a.example/1", page, "text/html"),
        ("https://a.example/2", page, "text/html"),
    )
    whole = (tmp_path / "torn.warc.gz").read_bytes()
    (tmp_path / "torn.warc.gz").write_bytes(whole[:-100])
    (tmp_path / "lines.jsonl").write_text(
        json.dumps(
            {
                "url": "https://b.example/",
                "title": "T",
                "post": {"text": "x"},
                "comments": [{"text": "hello", "parent": None}],
            }
        )
        + '\n{"url": "https://b.example/2", "comments": [{"text": "y", "parent": 7}]}\nnot json\n'
    )
    (tmp_path / "noise.html").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "bomb.wacz").write_bytes(b"PK\x03\x04 no zip")
    (tmp_path / "empty.txt").write_text("")
    code = run(tmp_path / "a", str(tmp_path))
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    failed = " ".join(f"{row['url']} {row['error']}" for row in found if row["outcome"] == "failed")
    assert code == 3
    for name in ("torn.warc.gz", "lines.jsonl:2", "lines.jsonl:3", "noise.html", "bomb.wacz", "empty.txt"):
        assert name in failed
    assert {"https://a.example/1", "https://b.example/"} <= set(threads(tmp_path / "a"))


def test_rebuild_gives_the_same_rows_and_search_finds_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rye.html").write_text(PAGE.format(charset="utf-8"))
    (tmp_path / "wp.xml").write_text(WXR)
    assert run(tmp_path / "a", str(tmp_path / "rye.html"), str(tmp_path / "wp.xml")) == 0
    before = rows(tmp_path / "a")
    assert main(["rebuild", "-a", str(tmp_path / "a"), "--quiet"]) == 0
    assert rows(tmp_path / "a") == before
    capsys.readouterr()
    assert (
        main(["search", "somebody built a wall with it", "-a", str(tmp_path / "a"), "--format", "jsonl", "-k", "3"])
        == 0
    )
    hits = [json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()]
    assert any("wall" in hit for hit in hits)
    assert main(["verify", "-a", str(tmp_path / "a"), "--quiet"]) == 0


@pytest.mark.parametrize("behind", [12, 60, 200, 600])
def test_one_damaged_record_costs_its_page_and_no_other(
    behind: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The record's name and time differ at each run, and with them what the damaged bytes unpack to: an error or other bytes."""
    (tmp_path / "rye.html").write_text(PAGE.format(charset="utf-8"))
    (tmp_path / "wp.xml").write_text(WXR)
    assert run(tmp_path / "a", str(tmp_path / "rye.html"), str(tmp_path / "wp.xml")) == 0
    before = set(threads(tmp_path / "a"))
    tables = Tables.open(Archive.open(tmp_path / "a"))
    visit = next(v for t in tables.threads() for v in tables.visits(t.thread_id) if v.dom and v.outcome == "captured")
    assert visit.dom is not None
    warc = tmp_path / "a" / "warc" / visit.dom.warc
    size = warc.stat().st_size
    with warc.open("r+b") as stream:
        stream.seek(visit.dom.offset + behind)
        stream.write(bytes(20))
    assert main(["rebuild", "-a", str(tmp_path / "a"), "--quiet"]) == 0
    assert f"damaged at byte {visit.dom.offset}" in capsys.readouterr().err
    assert warc.stat().st_size == size
    assert len(before - set(threads(tmp_path / "a"))) == 1 and set(threads(tmp_path / "a")) < before
    [failed] = [row for row in Tables.open(Archive.open(tmp_path / "a")).rows("visits") if row["outcome"] == "failed"]
    assert failed["url"] == visit.url and "damaged" in failed["error"]
    assert main(["verify", "-a", str(tmp_path / "a"), "--quiet"]) == 3
    assert f"offset {visit.dom.offset}: damaged" in capsys.readouterr().out


def test_relative_dates_of_a_file_without_a_date_stay_unknown(tmp_path: Path) -> None:
    html = PAGE.format(charset="utf-8").replace("December 5, 2012 at 9:14 am", "3 hours ago")
    (tmp_path / "p.html").write_text(html)
    [item] = read_path(tmp_path / "p.html")
    assert item.captured_at is None
    assert run(tmp_path / "a", str(tmp_path / "p.html")) == 0
    [thread] = threads(tmp_path / "a").values()
    assert (thread["comments"][0]["published"], thread["comments"][0]["published_text"]) == (None, "3 hours ago")


@pytest.mark.parametrize("arguments", [["nowhere.html"], ["--as", "rtf", "x.html"], ["--url", "ftp://x", "x.html"]])
def test_wrong_use_is_one_line_and_exit_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.html").write_text(PAGE.format(charset="utf-8"))
    assert run(tmp_path / "a", *arguments) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
