"""Cues: rules as data, spans with exact offsets."""

from itertools import pairwise

import pytest

from nlp.cues import SPANS_KEY, ZONE, compile_pattern, cue_acts, cue_pipeline, cue_types, find_cues_in
from store.records import ConfigError

EXPECTED = [
    ("Thanks to Rui for this one.", "thanks"),
    ("Have a read of my latest post on glaze.", "own_link"),
    ("Subscribe and you get one each Tuesday.", "follow_call"),
    ("Nominations close on Friday.", "vote_request"),
    ("We passed 9,000 subscribers in spring.", "brag"),
    ("The first ten get 20% off.", "offer"),
    ("She is the founder of Tidewater.", "credential"),
    ("Hat tip to Ana.", "credit"),
    ("What do you all do about slugs?", "open_question"),
    ("Try it without the washer first.", "advice"),
    ("Well done, you deserve it.", "praise"),
    ("So sorry about your dog.", "empathy"),
    ("Welcome to the group!", "welcome"),
    ("Count me in for Saturday.", "collective"),
    ("Follower counts mean little.", "meta_terms"),
    ("Can anyone tell me where it leaks?", "request"),
    ("Filed under: Plums", "boilerplate"),
]


@pytest.mark.parametrize(("text", "kind"), EXPECTED)
def test_each_kind_is_found(text: str, kind: str) -> None:
    (cues,) = find_cues_in([text])
    assert kind in {cue.type for cue in cues}


def test_a_plain_sentence_has_no_cue_of_an_act() -> None:
    (cues,) = find_cues_in(["The bridge opened in May."])
    assert not [cue for cue in cues if cue_acts()[cue.type] != "none"]


def test_offsets_are_those_of_the_text_as_given() -> None:
    text = "😀\ud800 ok, thanks to Rui, and my new book too."
    (cues,) = find_cues_in([text])
    assert {"thanks", "own_link"} <= {cue.type for cue in cues}
    assert all(text[cue.start : cue.end] == cue.text for cue in cues)


def test_spans_lie_in_the_document_and_never_overlap_within_a_kind() -> None:
    doc = cue_pipeline()("Thank you, thank you so much, thanks to you all!")
    spans = [span for span in doc.spans[SPANS_KEY] if span.label_ == "thanks"]
    assert len(spans) >= 3
    assert all(a.end <= b.start for a, b in pairwise(spans))


def test_every_rule_names_a_known_act() -> None:
    assert set(cue_acts().values()) == {"promo", "share", "meta", "none"}
    assert len(cue_types()) >= 12


def test_the_notation_of_patterns() -> None:
    assert compile_pattern("my|our _? blog") == [
        {"LOWER": {"IN": ["my", "our"]}},
        {"OP": "?"},
        {"LOWER": {"IN": ["blog"]}},
    ]
    assert compile_pattern("^try <url>") == [{"LOWER": {"IN": ["try"]}, "IS_SENT_START": True}, {"LIKE_URL": True}]
    with pytest.raises(ConfigError):
        compile_pattern(" ")


def test_words_that_were_met_are_forgotten_again() -> None:
    texts = [f"Thanks to wordnumber{n} for the quixotic{n} help." for n in range(2 * ZONE + 10)]
    list(find_cues_in(texts[:1]))
    before = len(cue_pipeline().vocab.strings)
    found = list(find_cues_in(texts))
    assert len(cue_pipeline().vocab.strings) <= before
    assert all("thanks to" in {cue.text.lower() for cue in cues} for cues in found)
