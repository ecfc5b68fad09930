"""Pseudonyms for people in an export: the same name gives the same pseudonym under one key, and nothing leads back without it.

What is replaced: authors, in their own column, in the names of those they answer, and where a text of their thread names them
(the whole name, and any capitalised part of it of ``SHORTEST`` letters or more, as a word of its own and written alike); mail
addresses; handles. What is dropped: authors' pages and links to them, permanent links of comments, the ids that the page gave.
What stays: the texts, the thread's address, all dates. Who searches for a sentence can still find its page where that is
public, so this is pseudonymisation and not anonymity.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from store.errors import UsageError
from store.records import Entry, ThreadDocument

#: Bytes of a key, and letters of a pseudonym: among a million names two are alike with a chance of one in two million.
KEY_BYTES, HEX_DIGITS = 32, 15

#: A shorter part of a name is too often a word or an initial. Whole names are replaced at any length above one letter.
SHORTEST = 3

MAIL = "[mail address]"

#: A mail address, with what hangs on to it ("a@b.com@c.com"). It begins at a boundary only: from every letter of a long word the
#: search would cost its length squared.
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+(?:[\w.+-]*@[\w-]+(?:\.[\w-]+)+)*")
_HANDLE = re.compile(r"(?<![\w/@.])@\w{2,30}")
_PART = re.compile(r"[^\W\d_][\w'’-]*")


def read_key(path: Path) -> bytes:
    """The key in a file, which is made if it is not there (readable by its owner only). Raises ``UsageError``."""
    try:
        found = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return _new_key(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"--key {path}: no key of chorus", hint="name a new file to have one made") from error
    if len(found) != KEY_BYTES:
        raise UsageError(f"--key {path}: no key of chorus", hint="name a new file to have one made")
    return found


def _new_key(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UsageError(f"--key {path}: cannot be written ({error.strerror})") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write(key.hex() + "\n")
    return key


class Pseudonyms:
    """Names for people under one ``key`` (default: a new one that nobody keeps)."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(KEY_BYTES)
        self._thread: tuple[str, _Names] | None = None

    def of(self, name: str) -> str:
        """The pseudonym of a name; case and white space do not matter."""
        plain = " ".join(name.casefold().removeprefix("@").split())
        digest = hmac.new(self._key, plain.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        return f"person-{digest[:HEX_DIGITS]}"

    def document(self, document: ThreadDocument) -> ThreadDocument:
        """A thread in which nobody is named."""
        thread = document.thread
        if thread.title is not None:
            thread = replace(thread, title=self.text(thread.title, document))
        pages = frozenset(e.author_url.rstrip("/") for e in document.entries if e.author_url)
        post = self._entry(document.post, document, pages) if document.post else None
        return ThreadDocument(thread, post, tuple(self._entry(entry, document, pages) for entry in document.comments))

    def text(self, text: str, document: ThreadDocument) -> str:
        """A text of the thread in which nobody is named."""
        names = self._names(document)
        text = _MAIL.sub(MAIL, text)
        text = _HANDLE.sub(lambda found: "@" + self.of(names.whole.get(found.group()[1:], found.group())), text)
        return names.replaced(text, self.of)

    def _names(self, document: ThreadDocument) -> _Names:
        """Those of the thread, found once for all of its texts."""
        if self._thread is None or self._thread[0] != document.thread.thread_id:
            self._thread = (document.thread.thread_id, _Names(document.entries))
        return self._thread[1]

    def _entry(self, entry: Entry, document: ThreadDocument, pages: frozenset[str]) -> Entry:
        return replace(
            entry,
            author=self.of(entry.author) if entry.author else entry.author,
            author_url=None,
            native_id=None,
            url=None if entry.kind != "post" else entry.url,
            text=self.text(entry.text, document),
            links=tuple(link for link in entry.links if not _leads_to(link, pages)),
            evidence=None,
        )


class _Names:
    """What the authors of a thread are called in texts. ``whole`` maps each way to the whole name.

    A part that two authors share stands for the first of them: it has to go either way.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        names = dict.fromkeys(e.author.strip() for e in entries if e.author and len(e.author.strip()) > 1)
        self.whole = {name: name for name in names}
        for name in names:
            for part in _PART.findall(name):
                if len(part) >= SHORTEST and part[0].isupper():
                    self.whole.setdefault(part, name)
        self._by_start: dict[str, list[str]] = {}
        for name in sorted(self.whole, key=len, reverse=True):
            self._by_start.setdefault(_start(name), []).append(name)

    def replaced(self, text: str, stand_in: Callable[[str], str]) -> str:
        """``text`` with something else for each name; the longest name counts. Linear in the text, however many names."""
        out, done = [], 0
        for word in _START.finditer(text):
            at = word.start()
            if at < done:
                continue
            name = next((n for n in self._by_start.get(word.group(), ()) if _stands_at(text, at, n)), None)
            if name is not None:
                out += [text[done:at], stand_in(self.whole[name])]
                done = at + len(name)
        return "".join([*out, text[done:]])


#: Where a name can begin: a word, or a character that is none.
_START = re.compile(r"\w+|[^\w\s]")


def _start(name: str) -> str:
    found = _START.match(name)
    return found.group() if found else name


def _stands_at(text: str, at: int, name: str) -> bool:
    """Whether the name stands there as words of its own."""
    end = at + len(name)
    return text.startswith(name, at) and not (end < len(text) and _is_word(text[end]) and _is_word(name[-1]))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _leads_to(link: str, pages: frozenset[str]) -> bool:
    """To a mail address, or to an author's page or below it. ``pages`` have no slash at the end."""
    parts = link.rstrip("/").split("/")
    above = ("/".join(parts[:n]) for n in range(3, len(parts) + 1))
    return link.lower().startswith("mailto:") or any(place in pages for place in above)
