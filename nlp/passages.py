"""Cutting a text into passages for search: whole sentences, as many as the embedding model reads well at once."""

from __future__ import annotations

from nlp.segment import Span, split_sentences

#: Words in a passage. The default model reads 256 word pieces, about 180 words; shorter passages rank more sharply.
MAX_WORDS = 120


def split_passages(text: str, max_words: int = MAX_WORDS) -> list[Span]:
    """Spans of ``text`` that end where sentences end; a sentence longer than ``max_words`` stands alone."""
    passages: list[Span] = []
    start: int | None = None
    end = words = 0
    for sentence in split_sentences(text):
        length = len(sentence.text.split())
        if start is not None and words + length > max_words:
            passages.append(Span(start, end, text[start:end]))
            start, words = None, 0
        start = sentence.start if start is None else start
        end, words = sentence.end, words + length
    if start is not None:
        passages.append(Span(start, end, text[start:end]))
    return passages
