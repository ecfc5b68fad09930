"""Text as the classifier reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.plain import MAX_CHARACTERS, plain


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("I wrote about it: http://www.harborlog.example/2011/05/trip.html?a=1#c", "I wrote about it: website.com"),
        ("Mine are at saltpan.example. Come by!", "Mine are at website.com. Come by!"),
        ("(see www.kitehouse.co.uk/a,b), then", "(see website.com), then"),
        ("short: bit.example/x, kilo.ly/3f", "short: website.com, website.com"),
        ("mail ana.b@kiln-clay.example or ask @kilnandclay", "mail mail@website.com or ask @someone"),
        ("“It’s – well… ‘nice’”", "\"It's - well... 'nice'\""),
        ("so   good\u00a0!!!!!!\u200b", "so good !!!"),
        ('and <a href="http://mine.example">mine</a>, too', "and mine , too"),
        # what only looks like an address, a handle or a tag
        ("That was the end.In the morning we left.", "That was the end.In the morning we left."),
        ("I use Scoop.it and e.g. the U.S. one", "I use Scoop.it and e.g. the U.S. one"),
        ("meet at 5 @ the pub, if a < b and b > c <3", "meet at 5 @ the pub, if a < b and b > c <3"),
        ("", ""),
    ],
)
def test_what_means_nothing_is_made_alike(text: str, read: str) -> None:
    assert plain(text) == read


@given(st.text())
def test_reading_what_was_read_changes_nothing(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize("piece", ["a.", "@a", "<a ", "http://", "!", "x@y.", "www.", "a-", "“"])
def test_long_texts_are_cut_before_they_are_read(piece: str) -> None:
    assert plain(piece * 1_000_000) == plain((piece * 1_000_000)[:MAX_CHARACTERS])
