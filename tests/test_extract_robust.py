"""Pages that are broken, hostile or huge: always an answer or a clear error, in time that grows with the page."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.sample_blog.server import SampleBlog
from harvest.extract import extract
from harvest.extract.select import compiled
from store.records import ExtractError, ThreadDocument

BENCH = Path(__file__).resolve().parents[2] / "shared" / "bench"

#: Bits that break parsers: unclosed and misplaced tags, odd entities, control characters, nested tables.
BITS = (
    *(
        "<div",
        "</p></li>",
        "<li class=comment id=comment-1>",
        "<table><tr><td>",
        "&#0;&#xFFFFFF;&bogus;",
        "\x00\x0b",
        "<!--",
        "]]>",
    ),
    *(
        "<script>",
        "<template shadowrootmode=open>",
        "<svg><title>",
        "<plaintext>",
        "\ud7ff",
        "<cite class=fn>",
        "March 3, 2011 at 9:00 am",
    ),
)


def read(source: str | bytes) -> ThreadDocument | None:
    try:
        return extract(source, url="https://page.example/a/", captured_at="2026-01-01T00:00:00Z", visit_id="v")
    except ExtractError:
        return None


@pytest.fixture(scope="module")
def blog_page() -> str:
    import urllib.request

    with SampleBlog() as blog, urllib.request.urlopen(blog.post_urls[0]) as answer:
        return str(answer.read().decode())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(BITS)), max_size=12), end=st.integers(0, 10**6))
def test_mutated_and_cut_pages_never_raise(blog_page: str, cuts: list[tuple[int, str]], end: int) -> None:
    text = blog_page
    for place, bit in cuts:
        at = place % (len(text) + 1)
        text = text[:at] + bit + text[at:]
    found = read(text[: end % (len(text) + 1)])
    if found is not None:
        positions = {entry.entry_id: entry.position for entry in found.comments}
        assert all(e.parent_id is None or positions[e.parent_id] < e.position for e in found.comments)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_give_a_thread_or_an_error(data: bytes) -> None:
    read(data)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=3000))
def test_any_text_gives_a_thread_or_an_error(text: str) -> None:
    read(text)


@pytest.mark.skipif(not BENCH.is_dir(), reason="needs ../shared/bench")
def test_real_pages_cut_anywhere() -> None:
    rng = random.Random(5)
    pages = sorted((BENCH / "threads/html/dev").glob("*.html")) + sorted((BENCH / "forums/dev").glob("*.html"))
    for path in rng.sample(pages, 12):
        data = path.read_bytes()
        read(data[: rng.randrange(len(data))])


def many(n: int) -> str:
    item = (
        '<li class="comment" id="comment-{0}"><cite class="fn">W{0}</cite><div class="comment-meta">March 3, 2011</div>'
    )
    item += "<p>Number {0} says so.</p></li>"
    return (
        "<html><body><h1>T</h1><ol class=commentlist>"
        + "".join(item.format(i) for i in range(n))
        + "</ol></body></html>"
    )


def test_no_comment_of_thousands_is_lost() -> None:
    found = read(many(3000))
    assert found is not None
    assert [c.author for c in found.comments] == [f"W{i}" for i in range(3000)]


def test_work_grows_with_the_page_and_not_with_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: how often a rule is tried for twice as many comments."""
    import harvest.extract.select as module

    calls = 0
    true = compiled

    def counted(selector: str, scope: str = ".") -> object:
        nonlocal calls
        calls += 1
        return true(selector, scope)

    monkeypatch.setattr(module, "compiled", counted)
    counts = []
    for n in (200, 400):
        calls = 0
        read(many(n))
        counts.append(calls)
    assert counts[1] < 2.3 * counts[0]


def test_deep_nesting_is_survived() -> None:
    assert read("<div>" * 4000 + "bottom" + "</div>" * 4000) is not None
