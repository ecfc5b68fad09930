"""Text as the classifier reads it: what differs from site to site without meaning anything is made alike.

An address pasted whole is twenty word pieces that say nothing but "here is a link" and drown the five words that do something;
curly and straight quotes are different words to an encoder. Who is linked or addressed is not for the classifier to know.
"""

from __future__ import annotations

import re

#: What stands for every address, mail address and handle. Words that an encoder knows, not marks that it does not.
SITE, MAIL, HANDLE = "website.com", "mail@website.com", "@someone"

_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("‘’‛´`ʼ", "'"),
        **dict.fromkeys("“”„«»", '"'),
        **dict.fromkeys("‐‑‒–—―", "-"),
        "…": "...",
        **dict.fromkeys("\u00a0\u2007\u202f", " "),
        **dict.fromkeys("\u200b\ufeff\u00ad", ""),
    }
)

#: Endings that make an address of bare words, and those that do only where a path follows ("the end.In the" is no address).
_ENDINGS = r"(?:com|org|net|edu|gov|info|biz|example|(?:co|org|ac|gov)\.uk|com\.au|co\.nz)"
_SHORT_ENDINGS = r"(?:[a-z]{2}|tv|blog)/"

#: In their order. A tag is not text; an address ends where a quote, bracket or space does, and not with a stop.
_ALIKE: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"</?(?:a|b|i|u|p|q|br|em|strong|span|div|img|li|ul|ol|font|cite|code|pre|blockquote|strike|center|h\d)\b[^<>]{0,300}>",
            re.IGNORECASE,
        ),
        " ",
    ),
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+", re.IGNORECASE), MAIL),
    (re.compile(r"(?:https?://|\bwww\d?\.)[^\s<>\"'()\[\]{}]+[^\s<>\"'()\[\]{}.,;:!?]", re.IGNORECASE), SITE),
    (
        re.compile(
            rf"(?<![@\w.])(?:[a-z\d-]{{1,64}}\.){{1,4}}(?:{_ENDINGS}\b(?:/[^\s<>\"'()]*[^\s<>\"'().,;:!?])?|{_SHORT_ENDINGS}[^\s<>\"'()]*)",
            re.IGNORECASE,
        ),
        SITE,
    ),
    (re.compile(r"(?<![\w.@])@[a-z_]\w{1,30}", re.IGNORECASE), HANDLE),
    (re.compile(r"([!?.])\1{3,}"), r"\1\1\1"),
    (re.compile(r"\s+"), " "),
)

#: Sentences are short; of a text without end only so much is read here (the encoder reads less).
MAX_CHARACTERS = 16_000


def plain(text: str) -> str:
    """``text`` with addresses, handles, quotes, dashes and spaces made alike, and without tags."""
    out = text[:MAX_CHARACTERS].translate(_TYPOGRAPHY)
    for pattern, instead in _ALIKE:
        out = pattern.sub(instead, out)
    return out.strip()
