"""Sentences of messy comments."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.segment import sentence_pipeline, split_sentences

CASES = [
    ("Hello there. this is it! ok", ["Hello there.", "this is it!", "ok"]),
    ("See http://a.example/x?y=1.2!z now. Bye", ["See http://a.example/x?y=1.2!z now.", "Bye"]),
    ("Dr. Smith paid $3.50 to J. R. Vale, e.g. at noon.", ["Dr. Smith paid $3.50 to J. R. Vale, e.g. at noon."]),
    ("We left at 5 p.m. Then it rained.", ["We left at 5 p.m.", "Then it rained."]),
    ("1. Mix flour\n2. Add egg. Stir.\n- done", ["1. Mix flour", "2. Add egg.", "Stir.", "- done"]),
    ("“Is it?” she said. “No.” He left.", ["“Is it?” she said.", "“No.”", "He left."]),
    ("great post!Thanks for it.I'll be back", ["great post!", "Thanks for it.", "I'll be back"]),
    ("https://foo.example/a.b.c?x=1", ["https://foo.example/a.b.c?x=1"]),
    ("I love it!!! 😍😍 Where did you get it? xx", ["I love it!!! 😍😍", "Where did you get it? xx"]),
    ("Node.js v1.2.3 works. Good", ["Node.js v1.2.3 works.", "Good"]),
    ("Well... I slept. Wait... What?!", ["Well... I slept.", "Wait...", "What?!"]),
    ("Thanks so much\n\nMara\nTidewater Coaching", ["Thanks so much", "Mara", "Tidewater Coaching"]),
    ("What? no. really?", ["What?", "no.", "really?"]),
    ("😀😀", ["😀😀"]),
    ("", []),
    (" \n\t \x00 ", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_sentences_of_real_looking_comments(text: str, expected: list[str]) -> None:
    assert [span.text for span in split_sentences(text)] == expected


@given(st.text(alphabet=st.characters(), max_size=300))
def test_spans_hold_every_visible_character_once_and_in_order(text: str) -> None:
    spans = split_sentences(text)
    assert all(text[s.start : s.end] == s.text and s.text == s.text.strip() != "" for s in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    between = [
        text[a:b] for a, b in zip([0, *(s.end for s in spans)], [*(s.start for s in spans), len(text)], strict=True)
    ]
    assert not any(c.isalnum() for c in "".join(between))


def test_lone_surrogates_and_nulls_do_no_harm() -> None:
    assert [s.text for s in split_sentences("a \ud800 bee. \x00C d.")] == ["a \ud800 bee.", "C d."]


def test_the_component_sets_the_same_sentences() -> None:
    text = "Dr. Vale left. Did she? See www.foo.example.\nBye :) Rui"
    found = [sentence.text.strip() for sentence in sentence_pipeline()(text).sents]
    assert found == [span.text for span in split_sentences(text)]


@pytest.mark.parametrize("text", ["word and this. " * 40_000, "a" * 600_000, "? " * 200_000, "a.b@" * 100_000])
def test_a_hundred_thousand_words_take_seconds_and_no_sentence_is_endless(text: str) -> None:
    started = time.perf_counter()
    spans = split_sentences(text)
    assert time.perf_counter() - started < 10
    assert max(len(span.text) for span in spans) <= 2_000
