"""Comment systems on pages made after their own markup: what the saved pages of the bench do not hold."""

# ruff: noqa: E501 - pages keep their own lines

from typing import Any

import pytest

from harvest.extract import extract

HACKER_NEWS = """<html><body><center><table id="hnmain"><tr><td><table class="fatitem"><tr class="athing" id="100"><td class="title">
<span class="titleline"><a href="https://loom.example/">A loom with a parallel port</a></span></td></tr></table>
<table class="comment-tree">
<tr class="athing comtr" id="101"><td><table><tr><td class="ind" indent="0"><img src="s.gif" height="1" width="0"></td><td class="default">
<span class="comhead"><a href="user?id=wefter" class="hnuser">wefter</a> <span class="age" title="2019-04-02T08:15:00"><a href="item?id=101">on April 2, 2019</a></span></span>
<div class="comment"><div class="commtext c00">My grandmother wove on one of these.<p>Hers had no port.</div><div class="reply"><a href="reply?id=101">reply</a></div></div></td></tr></table></td></tr>
<tr class="athing comtr" id="102"><td><table><tr><td class="ind" indent="1"><img src="s.gif" height="1" width="40"></td><td class="default">
<span class="comhead"><a href="user?id=heddle" class="hnuser">heddle</a> <span class="age" title="2019-04-02T09:00:00"><a href="item?id=102">on April 2, 2019</a></span></span>
<div class="comment"><div class="commtext c00">Neither had mine, but it had mice.</div></div></td></tr></table></td></tr>
<tr class="athing comtr" id="103"><td><table><tr><td class="ind" indent="0"><img src="s.gif" height="1" width="0"></td><td class="default">
<span class="comhead"><a href="user?id=selvage" class="hnuser">selvage</a> <span class="age" title="2019-04-03T10:00:00"><a href="item?id=103">on April 3, 2019</a></span></span>
<div class="comment"><div class="commtext c00">Is the driver source anywhere?</div></div></td></tr></table></td></tr>
</table></td></tr></table></center></body></html>"""

LIVEJOURNAL = """<html><body><article class="b-singlepost"><h1 class="entry-title">Snow, again</h1><div class="entry-content"><p>It fell on the
washing, on the cat and on the only clean coat in this house, and then it had the nerve to be pretty for the whole of an hour.</p></div></article>
<div id="comments"><div class="b-grove"><div class="b-leaf" id="t201" style="margin-left: 0px"><div class="b-leaf-header"><span class="ljuser"><a href="https://ivy.lj.example/"><b>ivy</b></a></span>
<span class="b-leaf-createdtime">January 4 2008, 10:12:00 UTC</span></div><div class="b-leaf-article">Ours came down in one piece, off the roof.</div></div>
<div class="b-leaf" id="t202" style="margin-left: 30px"><div class="b-leaf-header"><span class="ljuser"><a href="https://moth.lj.example/"><b>moth</b></a></span>
<span class="b-leaf-createdtime">January 4 2008, 11:40:00 UTC</span></div><div class="b-leaf-article">On whom?</div></div></div></div></body></html>"""

MICRODATA = """<html><body><main><h1>How long to soak beans</h1><p itemprop="articleBody">Overnight, says everyone, and everyone is asleep while they
find out whether it was true; I have timed it with an alarm clock, three kinds of beans and a very patient neighbour, and here it is.</p></main>
<section><div itemprop="comment" itemscope itemtype="https://schema.org/Comment" id="c-1"><span itemprop="author" itemscope><span itemprop="name">Pilar</span></span>
<time itemprop="datePublished" datetime="2020-02-03T12:00:00Z">3 Feb</time><div itemprop="text">Salt goes in at the start, whatever they say.</div>
<div itemprop="comment" itemscope itemtype="https://schema.org/Comment" id="c-2"><span itemprop="author" itemscope><span itemprop="name">Ono</span></span>
<time itemprop="datePublished" datetime="2020-02-04T12:00:00Z">4 Feb</time><div itemprop="text">It does, and mine were tough.</div></div></div></section></body></html>"""

INDIEWEB = """<html><body><article class="h-entry"><h1 class="p-name">A bench by the canal</h1><div class="e-content"><p>Somebody painted it green in the
night, and by the morning there were four people on it who had never sat there before, each with a different newspaper or none.</p></div>
<section class="comments"><div class="u-comment h-cite" id="r1"><a class="p-author h-card" href="https://ann.example/"><span class="p-name">Ann</span></a>
<a class="u-url" href="https://ann.example/n/1"><time class="dt-published" datetime="2018-06-01T10:00:00+00:00">1 June</time></a><div class="e-content">I was the one with none.</div></div>
<div class="u-comment h-cite" id="r2"><a class="p-author h-card" href="https://bo.example/"><span class="p-name">Bo</span></a>
<a class="u-url" href="https://bo.example/n/2"><time class="dt-published" datetime="2018-06-02T10:00:00+00:00">2 June</time></a><div class="e-content">It is blue now.</div></div></section></article></body></html>"""

INTENSE = """<html><body><div class="post"><h1>Choir practice</h1><p>We sang the slow one fast and the fast one not at all, because the organist had
the flu and the rest of us had each a different idea of where the bar lines were, as we always do in February.</p></div>
<div id="idc-container"><div class="idc-c" id="IDComment900"><div class="idc-c-h"><div class="idc-c-h-inner"><a class="idc-a" href="https://p.example/">Petra</a></div><span class="idc-time">March 3, 2011, 7:45 pm</span></div>
<div class="idc-c-t"><div class="idc-c-t-inner">Altos were innocent.</div></div></div>
<div class="idc-c" id="IDComment901"><div class="idc-c-h"><div class="idc-c-h-inner"><a class="idc-a" href="https://q.example/">Quin</a></div><span class="idc-time">March 4, 2011, 8:00 am</span></div>
<div class="idc-c-t"><div class="idc-c-t-inner">Nobody is innocent in February.</div></div></div></div></body></html>"""

#: name -> (page, platform, [(author, parent, day, first words)])
CASES: dict[str, tuple[str, str, list[tuple[str, int | None, str, str]]]] = {
    "hackernews": (
        HACKER_NEWS,
        "hackernews",
        [
            ("wefter", None, "2019-04-02", "My grandmother"),
            ("heddle", 0, "2019-04-02", "Neither had mine"),
            ("selvage", None, "2019-04-03", "Is the driver"),
        ],
    ),
    "livejournal": (
        LIVEJOURNAL,
        "livejournal",
        [("ivy", None, "2008-01-04", "Ours came down"), ("moth", 0, "2008-01-04", "On whom?")],
    ),
    "microdata": (
        MICRODATA,
        "microdata",
        [("Pilar", None, "2020-02-03", "Salt goes in"), ("Ono", 0, "2020-02-04", "It does")],
    ),
    "indieweb": (
        INDIEWEB,
        "indieweb",
        [("Ann", None, "2018-06-01", "I was the one"), ("Bo", None, "2018-06-02", "It is blue")],
    ),
    "intensedebate": (
        INTENSE,
        "intensedebate",
        [("Petra", None, "2011-03-03", "Altos"), ("Quin", None, "2011-03-04", "Nobody is")],
    ),
}


def read(page: str) -> dict[str, Any]:
    found = extract(page, url="https://page.example/a/", captured_at="2026-01-01T00:00:00Z")
    return dict(found.to_json())


@pytest.mark.parametrize("name", CASES)
def test_comments_of_a_made_page(name: str) -> None:
    page, platform, expected = CASES[name]
    thread = read(page)
    assert thread["platform"] == platform
    got = [
        (c["author"], c["parent"], (c["published"] or "")[:10], c["text"][: len(e[3])])
        for c, e in zip(thread["comments"], expected, strict=False)
    ]
    assert got == expected
    assert len(thread["comments"]) == len(expected)


def test_emoji_edits_and_code_survive() -> None:
    page = """<html><body><div class="post"><h1>T</h1><p>%s</p></div><ol class="commentlist"><li class="comment" id="comment-1"><cite class="fn">Ada</cite>
    <div class="comment-meta">March 3, 2011</div><div class="comment-content"><p>Nice <img class="emoji" alt="🌻" src="x.svg"> one</p><pre>  if x:
      y()</pre></div><p class="edited">Last edited by Ada on March 4, 2011</p></li>
    <li class="comment" id="comment-2"><cite class="fn">Bo</cite><div class="comment-meta">March 5, 2011</div><div class="comment-content"><p>ok then</p></div></li></ol></body></html>"""
    first = read(page % ("words " * 60))["comments"][0]
    assert first["text"].splitlines() == ["Nice 🌻 one", "  if x:", "      y()"]
    assert first["edited"] == "2011-03-04"


LEMMY = """<html><body><div class="post-listing"><h1>Which kettle?</h1><div class="md-div"><p>Mine whistles in the key of F sharp and the dog has opinions
about that, so I am looking for one that is silent, or at least a semitone lower, and will last for longer than a winter.</p></div></div>
<ul class="comments"><li class="comment"><article class="details comment-node py-2" id="comment-11"><div class="ms-2"><a class="person-listing" href="/u/fern">fern</a>
<span class="moment-time pointer" data-tippy-content="2023-07-01 10:00:00" title="July 1st, 2023 10:00">7 months ago</span></div><div class="comment-content"><div class="md-div"><p>A pan.</p></div></div></article>
<ul class="comments"><li class="comment"><article class="details comment-node py-2" id="comment-12"><div class="ms-2"><a class="person-listing" href="/u/oak">oak</a>
<span class="moment-time pointer" title="July 2nd, 2023 11:00">7 months ago</span></div><div class="comment-content"><div class="md-div"><p>With a lid, if you are rich.</p></div></div></article></li></ul></li></ul></body></html>"""

NODEBB = """<html><body><ul component="topic"><li component="post" data-pid="1" data-username="mill" id="p1"><a component="user/username" data-username="mill">mill</a>
<span class="timeago" title="2021-05-04T08:00:00.000Z"></span><div component="post/content"><p>The belt slips when it rains, and it rains.</p></div></li>
<li component="post" data-pid="2" data-username="weir" id="p2"><a component="user/username" data-username="weir">weir</a>
<span class="timeago" title="2021-05-04T09:00:00.000Z"></span><div component="post/content"><p>Chalk it, twice, and complain to the sky.</p></div></li></ul></body></html>"""

JSON_LD = """<html><head><script type="application/ld+json">{"@context":"https://schema.org","@type":"DiscussionForumPosting","headline":"Moss",
"commentCount":2,"comment":[{"@type":"Comment","@id":"c1","text":"<p>Leave it.</p><p>It was there first.</p>","author":{"@type":"Person","name":"Dag","url":"https://dag.example/"},
"datePublished":"2022-01-02T03:04:05Z","comment":[{"@type":"Comment","text":"Agreed &amp; agreed","author":{"name":"Ebba"},"datePublished":"2022-01-03"}]}]}</script></head>
<body><h1>Moss</h1><p>On the north side of everything there is moss, and on the south side there is me with a wire brush, every spring, for no reason at all.</p></body></html>"""

INDEX = (
    "<html><head><title>Crumbs</title></head><body>"
    + "".join(
        f'<article class="post"><h2><a href="/2012/{n}/">Loaf number {n}</a></h2><p>It rose, it fell, it was eaten by the dog in the end.</p></article>'
        for n in range(1, 6)
    )
    + "</body></html>"
)


def test_lemmy_nodebb_and_json_ld() -> None:
    lemmy = read(LEMMY)
    assert [(c["author"], c["parent"], c["text"]) for c in lemmy["comments"]] == [
        ("fern", None, "A pan."),
        ("oak", 0, "With a lid, if you are rich."),
    ]
    nodebb = read(NODEBB)
    assert nodebb["platform"] == "nodebb"
    assert (nodebb["post"]["author"], nodebb["post"]["text"][:8]) == ("mill", "The belt")
    assert [(c["author"], (c["published"] or "")[:10]) for c in nodebb["comments"]] == [("weir", "2021-05-04")]
    stated = read(JSON_LD)
    assert [(c["author"], c["parent"], c["text"]) for c in stated["comments"]] == [
        ("Dag", None, "Leave it.\nIt was there first."),
        ("Ebba", 0, "Agreed & agreed"),
    ]
    assert (stated["announced_count"], stated["completeness"]) == (2, "complete")


def test_an_index_is_told_from_a_thread() -> None:
    found = read(INDEX)
    assert found["comments"] == []
    assert found["completeness_reason"] == "an index of 5 posts, no thread"
