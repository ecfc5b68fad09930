"""Finding someone's words in an archived payload, whatever they are wrapped in, and taking them out of it.

A comment lies in an archive many times: in the page as it came, in the page as rendered, in answers of APIs, in feeds, as an
excerpt in the margin of other pages or in attributes of a page's head. What they have in common are the letters. So a payload is
looked at in several *views* (tags left out and entities decoded; what stands inside tags and comments; escapes of JSON undone
before that; entities undone twice), each of which knows where in the payload its letters stand; whitespace counts in none. What
is found is cut out in place: tags and everything else stay as they were, so that the page still replays and its thread keeps
its shape.
"""

from __future__ import annotations

import html
import json
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from html.entities import codepoint2name
from unicodedata import normalize

__all__ = ["MARK", "Erasure", "Words", "avatar_hashes", "decoded", "encoded"]

#: What stands where words stood. Readers know it for a removed comment, and so do chorus' extractors.
MARK = "[removed]"

#: Letters (whitespace aside) that two texts must share for it to be no accident: eight words or so. Excerpts are longer.
MIN_PART = 40

#: A whole entry shorter than this ("Great post!") others may have written, too: it must stand near its author's name.
MIN_WHOLE = 16

#: Letters between an entry and its author's name: at most, and where the name is what tells whose "Great post!" it is.
NEAR, VERY_NEAR = 240, 80

#: Words that are looked for before a payload is looked at closely, and how many of them must be there.
KEYS, KEYS_FOUND = 12, 3

_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.", re.DOTALL)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BLANK = r"[\s\u00ad\u200b-\u200d\u2060\ufeff]+"
_MARKUP = re.compile(rf"<!\[CDATA\[|\]\]>|<[/!?A-Za-z][^<>]*>|{_ENTITY.pattern}|{_BLANK}", re.DOTALL)
_SPACE = re.compile(_BLANK)
_BETWEEN_TAGS = re.compile(rf"(?:^|>)[^<>]*(?:<|$)|{_ENTITY.pattern}|{_BLANK}")

#: A letter with its accents apart from it, as some systems write it.
_APART = re.compile(r"\w[\u0300-\u036f]+")

#: Letters that sites and extractors write in more than one way; one for one.
_FOLD = {
    **dict.fromkeys(map(ord, "\x91\x92\u2018\u2019\u201b\u2032"), "'"),
    **dict.fromkeys(map(ord, "\x93\x94\u201c\u201d\u2033"), '"'),
    **dict.fromkeys(map(ord, "\x96\x97\u2010\u2011\u2012\u2013\u2014"), "-"),
}

#: How bytes that are no letters of an encoding are kept in a text.
_ESCAPED = "surrogateescape"

#: Byte order marks; encodings in which the mark is a letter like others, so that it comes back.
_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

#: Where a page names its encoding, and the bytes from its start within which HTML has it do so.
_CHARSET, SNIFFED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9_.:-]{2,40})"""), 1024

#: A hashed mail address in the address of a picture (Gravatar, Libravatar: MD5 or SHA-256 in hex).
_AVATAR = re.compile(r"avatar/([0-9a-fA-F]{64}|[0-9a-fA-F]{32})\b")

#: The rest of an address; the end of one, whatever fragment follows; where a relative one begins.
_EDGE, _REST = r"(?=[/?#\s\"'<>\\&;,)]|$)", r"(?:(?!&quot;|&#0?3[49];)[^\s\"'<>\\)])*"
_END, _QUOTED = r"/?(?:#[^\s\"'<>\\]*)?(?=[\s\"'<>\\]|$)", r"(?<=[\"'])"

#: Letters of a path below which it is taken for no page of its own.
MIN_PATH = 8

#: Around a name of a single word, where it cannot be a word of someone's sentence: a whole element or JSON value, or a turn
#: of phrase in which a site names a writer.
_BEFORE = r"(?:(?<=>)|(?<=>\s)|(?<=@)|(?<=:\")|(?<=: \")|(?<=title=\")|(?<=alt=\")|(?<=[Rr]eply to )|(?<=[Bb]y ))"
_AFTER = r"(?=\s*(?:[<\"':]|says|said|wrote|writes|on\s))"


@dataclass(frozen=True, slots=True)
class _View:
    """Letters, and where in the payload each begins and ends."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]


def _plain_view(raw: str) -> _View:
    return _View(raw, range(len(raw)), range(1, len(raw) + 1))


def _through(view: _View, pattern: re.Pattern[str], put: Callable[[str], str]) -> _View:
    """The view with each match of ``pattern`` replaced; the letters put in stand where the match stood."""
    parts, starts, ends, at = list[str](), array("I"), array("I"), 0
    for match in pattern.finditer(view.text):
        begin, end = match.span()
        new = put(match.group())
        parts += [view.text[at:begin], new]
        starts.extend(view.starts[at:begin])
        ends.extend(view.ends[at:begin])
        starts.extend([view.starts[begin]] * len(new))
        ends.extend([view.ends[end - 1]] * len(new))
        at = end
    parts.append(view.text[at:])
    starts.extend(view.starts[at:])
    ends.extend(view.ends[at:])
    return _View("".join(parts), starts, ends)


def _unescape(escape: str) -> str:
    try:
        return str(json.loads(f'"{escape}"'))
    except ValueError:
        return escape[1:]


def _bare(piece: str) -> str:
    """What is left of a tag, an entity or whitespace."""
    return _SPACE.sub("", html.unescape(piece)) if piece.startswith("&") else ""


def _apart(piece: str) -> str:
    """What is left of an entity or whitespace in a tag; a mark of its end for what stands between two tags."""
    return _bare(piece) if piece.startswith("&") or _SPACE.fullmatch(piece) else "<"


def _views(raw: str) -> Iterator[_View]:
    for view in _unwrapped(raw):
        yield _letters(view)
        if "<" in view.text:
            yield _letters(view, _BETWEEN_TAGS, _apart)


def _unwrapped(raw: str) -> Iterator[_View]:
    """The payload, and what its strings and entities stand for."""
    base = _plain_view(raw)
    yield base
    if "\\" in raw:
        once = _through(base, _ESCAPE, _unescape)
        yield once
        if "\\\\" in raw:  # JSON in a string of a script
            yield _through(once, _ESCAPE, _unescape)
    if "&lt;" in raw or "&#" in raw or "&amp;" in raw:
        yield _through(base, _ENTITY, html.unescape)


def _letters(view: _View, left_out: re.Pattern[str] = _MARKUP, put: Callable[[str], str] = _bare) -> _View:
    found = _through(view, left_out, put)
    if _APART.search(found.text):
        found = _through(found, _APART, partial(normalize, "NFC"))
    return _View(found.text.translate(_FOLD), found.starts, found.ends)


def _squeezed(text: str) -> str:
    return normalize("NFC", _SPACE.sub("", text)).translate(_FOLD)


@dataclass(frozen=True)
class Words:
    """The text of an entry, and its author's name, which goes wherever it stands beside the text. ``earlier`` are texts by
    others that stood there before: what the entry only quotes from them is theirs."""

    text: str
    author: str | None = None
    earlier: tuple[str, ...] = ()

    @cached_property
    def _earlier_letters(self) -> tuple[str, ...]:
        return tuple(map(_squeezed, self.earlier))

    @cached_property
    def letters(self) -> str:
        """The text as the views have it."""
        return _squeezed(self.text)

    @cached_property
    def keys(self) -> tuple[bytes, ...]:
        """Words that no wrapping changes: the first ones and the longest ones."""
        words = list(dict.fromkeys(re.findall(r"[A-Za-z]{5,}", normalize("NFC", self.text))))
        chosen = [*words[: KEYS // 2], *sorted(words, key=len, reverse=True)[: KEYS // 2]]
        return tuple(word.encode() for word in dict.fromkeys(chosen))

    def may_be_in(self, data: bytes) -> bool:
        """False only where the text certainly is not."""
        found = sum(key in data for key in self.keys)
        return bool(self.letters) and found >= min(KEYS_FOUND, len(self.keys))

    def spans(self, raw: str, seen: _View) -> list[tuple[int, int]]:
        """Where in a view the text stands, whole or in part. What others may have written, too, must stand by itself."""
        size, view = len(self.letters), seen.text
        if not size:
            return []
        whole = [(at, at + size) for at in _all(view, self.letters)]
        if size < MIN_PART:
            whole = [span for span in whole if _by_itself(raw, seen, span)]
        if size < MIN_WHOLE:
            return [span for span in whole if self.names_beside(raw, seen, span, VERY_NEAR)]
        return whole + self._parts(view, whole)

    def _parts(self, view: str, known: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Stretches of at least ``MIN_PART`` letters: each holds one of the seeds whole."""
        own, seed, found = self.letters, MIN_PART // 2, list[tuple[int, int]]()
        for begin in range(0, len(own) - seed + 1, seed):
            for at in _all(view, own[begin : begin + seed]):
                if any(a <= at < b for a, b in (*known, *found)):
                    continue
                back = _alike(reversed(own[:begin]), reversed(view[max(0, at - begin) : at]))
                ahead = _alike(iter(own[begin + seed :]), iter(view[at + seed : at + len(own) - begin]))
                span = at - back, at + seed + ahead
                if span[1] - span[0] >= MIN_PART and not self._is_anothers(view[slice(*span)]):
                    found.append(span)
        return found

    def _is_anothers(self, letters: str) -> bool:
        return any(letters in one for one in self._earlier_letters)

    def names_beside(self, raw: str, seen: _View, span: tuple[int, int], near: int = NEAR) -> list[tuple[int, int]]:
        """The author's name: the nearest before the text, else the nearest behind it. One that comes after it, too, may belong
        to the next entry."""
        name, view = _squeezed(self.author or ""), seen.text
        if len(name) < 2:
            return []
        begin = max(0, span[0] - near)
        before = [begin + at for at in _all(view[begin : span[0]], name)]
        behind = [span[1] + at for at in _all(view[span[1] : span[1] + near], name)]
        found = [(at, at + len(name)) for at in (*reversed(before), *behind)]
        return [one for one in found if _is_word(raw, seen, one)][:1]


def _is_word(raw: str, seen: _View, span: tuple[int, int]) -> bool:
    """Whether no letter stands right before or behind it."""
    begin, end = seen.starts[span[0]], seen.ends[span[1] - 1]
    return not (raw[max(0, begin - 1) : begin].isalnum() or raw[end : end + 1].isalnum())


def _by_itself(raw: str, seen: _View, span: tuple[int, int]) -> bool:
    """Whether it is all that an element, a JSON value or a line holds."""
    before = raw[max(0, seen.starts[span[0]] - 40) : seen.starts[span[0]]]
    behind = raw[seen.ends[span[1] - 1] : seen.ends[span[1] - 1] + 40]
    left, right = before.rstrip(), behind.lstrip()
    opens = not left or left.endswith((">", '"', "[", "&gt;", "\\n")) or "\n" in before[len(left) :]
    closes = not right or right.startswith(("<", '"', "]", "&lt;", "\\")) or "\n" in behind[: len(behind) - len(right)]
    return opens and closes


def _all(view: str, part: str) -> Iterator[int]:
    at = view.find(part)
    while at >= 0:
        yield at
        at = view.find(part, at + len(part))


def _alike(one: Iterator[str], other: Iterator[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What is to go: entries, names wherever they stand, addresses of their sites with all below them (``urls``), addresses
    of single pages (``pages``), hashes of mail addresses."""

    words: tuple[Words, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()

    def may_touch(self, text: str) -> bool:
        """False only where nothing that is to go can be."""
        data = text.encode("utf-8", _ESCAPED)
        if any(value.encode() in data for value in self.hashes):
            return True
        parts = (*self.names, *map(_host, self.urls), *map(_path, self.pages))
        if any(_longest_word(part) in data for part in parts):
            return True
        return any(words.may_be_in(data) for words in self.words)

    def apply(self, raw: str) -> tuple[str, int]:
        """The payload without it, and how often entries were found in it, whole or in part."""
        edits: list[tuple[int, int, str]] = []
        found = 0
        data = raw.encode("utf-8", _ESCAPED)
        present = [words for words in self.words if words.may_be_in(data)]
        for view in _views(raw) if present else ():
            for words in present:
                spans = words.spans(raw, view)
                found += len(spans)
                for span in spans:
                    edits += _cut(raw, view, span, MARK)
                    for name in words.names_beside(raw, view, span):
                        edits += _cut(raw, view, name, "")
        for pattern in self._patterns:
            edits += [(*match.span(), _in_place(raw, match)) for match in pattern.finditer(raw)]
        edits += [(*match.span(), "") for pattern in self._addresses for match in pattern.finditer(raw)]
        return self.without_hashes(_edited(raw, edits)), found

    def without_hashes(self, text: str) -> str:
        """Hashes become zeros: what refers to one another by them still does."""
        for value in self.hashes:
            text = re.sub(re.escape(value), "0" * len(value), text, flags=re.IGNORECASE)
        return text

    def in_address(self, url: str) -> bool:
        """Whether a hash stands in the address."""
        return any(value.lower() in url.lower() for value in self.hashes)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(_name_pattern, self.names))

    @cached_property
    def _addresses(self) -> tuple[re.Pattern[str], ...]:
        own = (form for url in self.urls for form in _forms(url))
        below = (re.escape(form) + ("" if form.endswith("/") else _EDGE) + _REST for form in own)
        alone = (re.escape(form) + _END for url in self.pages for form in _forms(url))
        paths = (_path(url) for url in self.pages)
        relative = (
            _QUOTED + re.escape(form) + _END for path in paths if len(path) >= MIN_PATH for form in _forms(path)
        )
        return tuple(map(re.compile, (*below, *alone, *relative)))


def _longest_word(value: str) -> bytes:
    """The longest part of it that no wrapping changes."""
    return max(re.findall(r"[A-Za-z0-9]+", value), key=len, default="").encode()


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]


def _path(url: str) -> str:
    """Path and query, as a page of the same site refers to it."""
    rest = url.split("://", 1)[-1]
    return rest[rest.find("/") :] if "/" in rest else ""


def _forms(value: str) -> tuple[str, ...]:
    """The ways in which a value is written in HTML and JSON."""
    escaped = json.dumps(value)[1:-1]
    forms = (value, html.escape(value), escaped, value.replace("/", "\\/"), escaped.replace("/", "\\/"))
    return tuple(dict.fromkeys(forms))


def _name_pattern(name: str) -> re.Pattern[str]:
    parts = ["".join(map(_letter, part)) for part in normalize("NFC", name).split()]
    body = r"(?:\s|&nbsp;|&#160;)+".join(parts)
    if len(parts) > 1:
        return re.compile(rf"(?<!\w){body}(?!\w)")
    return re.compile(rf"{_BEFORE}{body}(?!\w){_AFTER}")


def _letter(letter: str) -> str:
    """A letter of a name in every way in which HTML and JSON write it."""
    if letter.isascii() and letter.isalnum():
        return letter
    forms = []
    for one in "'\u2019" if letter in "'\u2019" else letter:
        number = ord(one)
        forms += [re.escape(one), rf"&#0*{number};", rf"&#[xX]0*(?i:{number:x});", rf"\\u(?i:{number:04x})"]
        forms += [f"&{codepoint2name[number]};"] if number in codepoint2name else []
        forms += [re.escape(normalize("NFD", one))] if normalize("NFD", one) != one else []
    return f"(?:{'|'.join(forms)})"


def _in_place(raw: str, match: re.Match[str]) -> str:
    """Nothing where the name was all that stood there: a missing value, not a name of its own."""
    begin, end = match.span()
    alone = raw[:begin].rstrip()[-1:] in (">", '"') and raw[end:].lstrip()[:1] in ("<", '"')
    return "" if alone else MARK


def _cut(raw: str, view: _View, span: tuple[int, int], put: str) -> Iterator[tuple[int, int, str]]:
    """The stretch of a view as edits of the payload: ``put`` for the first piece, nothing for those behind tags."""
    begin, end = view.starts[span[0]], view.ends[span[0]]
    for n in range(span[0] + 1, span[1]):
        start = view.starts[n]
        if start > end and not raw[end:start].isspace():
            yield begin, end, put
            begin, put = start, ""
        end = max(end, view.ends[n])
    yield begin, end, put


def _edited(raw: str, edits: Sequence[tuple[int, int, str]]) -> str:
    parts, at = list[str](), 0
    for begin, end, put in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if begin >= at:
            parts += [raw[at:begin], put]
        at = max(at, end)
    return "".join([*parts, raw[at:]]) if edits else raw


def decoded(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """A payload as text, and the encoding that gives the same bytes again: the one of its byte order mark, UTF-8 if it is that,
    the ``declared`` one, the one that the page itself names, or UTF-8 with flaws; else Latin-1, in which everything is text."""
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    for encoding in (marked, "utf-8", declared, _named_in(data)):
        with suppress(LookupError, UnicodeError, ValueError):  # no such encoding, or not this one
            text = data.decode(encoding or "ascii")
            if text.encode(encoding or "ascii") == data:
                return text, encoding or "ascii"
    flawed = data.decode("utf-8", _ESCAPED)
    others = sum(not letter.isascii() for letter in flawed)
    if 2 * sum("\udc80" <= letter <= "\udcff" for letter in flawed) < others:
        return flawed, "utf-8"
    return data.decode("latin-1"), "latin-1"


def _named_in(data: bytes) -> str | None:
    found = _CHARSET.search(data[:SNIFFED])
    return found.group(1).decode("ascii") if found else None


def encoded(text: str, encoding: str) -> bytes:
    """The inverse of ``decoded``."""
    return text.encode(encoding, _ESCAPED)


def avatar_hashes(raw: str, words: Words) -> set[str]:
    """Hashed mail addresses in the smallest part of a page, or of a JSON answer, that holds the words and such an address."""
    try:
        return _hashes_in_json(json.loads(raw), words)
    except ValueError:
        return _hashes_in_page(raw, words)


def _hashes_in_page(raw: str, words: Words) -> set[str]:
    from bs4 import BeautifulSoup, Tag

    soup = BeautifulSoup(raw, "lxml")
    if not words.letters or words.letters not in _squeezed(soup.get_text()):
        return set()
    innermost: Tag = soup
    smaller: Tag | None = soup
    while smaller is not None:
        innermost = smaller
        children = (child for child in innermost.children if isinstance(child, Tag))
        smaller = next((c for c in children if words.letters in _squeezed(c.get_text())), None)
    for element in (innermost, *innermost.parents):
        if len(_squeezed(element.get_text())) > len(words.letters) + 2 * NEAR:
            break  # more than the entry: the picture would be someone else's
        found = set(_AVATAR.findall(str(element)))
        if found:
            return {one.lower() for one in found} if len(found) == 1 else set()
    return set()


def _hashes_in_json(value: object, words: Words) -> set[str]:
    found: set[str] = set()
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found |= _hashes_in_json(part, words)
    if found or not isinstance(value, dict):
        return found
    own = [part for part in value.values() if not isinstance(part, list)]
    texts = [one for part in own for one in (part.values() if isinstance(part, dict) else [part])]
    if any(words.letters in _letters(_plain_view(one)).text for one in texts if isinstance(one, str)):
        return {one.lower() for one in _AVATAR.findall(json.dumps(own))}
    return set()
