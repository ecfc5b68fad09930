"""The extractor against the sample blog's own account of its threads."""

from __future__ import annotations

from typing import Any

import pytest

from cli.sample_blog.content import load
from cli.sample_blog.render import expected_threads, post_page
from harvest.extract import extract

BASE = "http://127.0.0.1:8000"
POSTS = load().posts
TRUTH = expected_threads(BASE)
SAME = ("native_id", "kind", "parent", "depth", "author", "author_url", "is_post_author", "state", "text")


def minute(value: Any) -> str | None:
    """A date to the minute on the page's own wall clock: the classic theme prints no more."""
    return str(value).replace(" ", "T")[:16] if value else None


@pytest.mark.parametrize(("post", "truth"), list(zip(POSTS, TRUTH, strict=True)), ids=[post.slug for post in POSTS])
def test_a_page_gives_the_thread_that_made_it(post: Any, truth: dict[str, Any]) -> None:
    document = extract(post_page(post, BASE), url=BASE + post.path, captured_at="2026-01-01T00:00:00Z")
    found = document.to_json()
    assert len(found["comments"]) == len(truth["comments"])
    for got, want in zip(found["comments"], truth["comments"], strict=True):
        assert {name: got[name] for name in SAME} == {name: want[name] for name in SAME}
        assert minute(got["published"]) == minute(want["published"])
    assert found["completeness"] == "complete"
    assert found["announced_count"] == len(truth["comments"])
    assert found["title"] == truth["title"]
    assert found["post"]["author"] == truth["author"]
    assert found["post"]["text"].split() == truth["text"].split()
