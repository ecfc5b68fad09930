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
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from store.errors import UsageError
from store.records import Entry, ThreadDocument

#: Bytes of a key, and letters of a pseudonym: among a million names two are alike with a chance of one in two million.
KEY_BYTES, HEX_DIGITS = 32, 15

#: A shorter part of a name is too often a word or an initial. Whole names are replaced at any length above one letter.
SHORTEST = 3

MAIL = "[mail address]"

_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
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
        self._patterns = lru_cache(maxsize=4)(_pattern)

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
        post = self._entry(document.post, document) if document.post else None
        return ThreadDocument(thread, post, tuple(self._entry(entry, document) for entry in document.comments))

    def text(self, text: str, document: ThreadDocument) -> str:
        """A text of the thread in which nobody is named."""
        whole_of = _names_in(document.entries)
        text = _MAIL.sub(MAIL, text)
        text = _HANDLE.sub(lambda found: "@" + self.of(whole_of.get(found.group()[1:], found.group())), text)
        pattern = self._patterns(tuple(sorted(whole_of)))
        return pattern.sub(lambda found: self.of(whole_of[found.group()]), text) if pattern else text

    def _entry(self, entry: Entry, document: ThreadDocument) -> Entry:
        own = {e.author_url for e in document.entries if e.author_url}
        return replace(
            entry,
            author=self.of(entry.author) if entry.author else entry.author,
            author_url=None,
            native_id=None,
            url=None if entry.kind != "post" else entry.url,
            text=self.text(entry.text, document),
            links=tuple(link for link in entry.links if not _leads_to(link, own)),
            evidence=None,
        )


def _names_in(entries: Iterable[Entry]) -> dict[str, str]:
    """What the authors of a thread are called in texts, and the whole name behind it.

    A part that two authors share stands for the first of them: it has to go either way.
    """
    names = dict.fromkeys(entry.author.strip() for entry in entries if entry.author and len(entry.author.strip()) > 1)
    found = {name: name for name in names}
    for name in names:
        for part in _PART.findall(name):
            if len(part) >= SHORTEST and part[0].isupper():
                found.setdefault(part, name)
    return found


def _pattern(names: tuple[str, ...]) -> re.Pattern[str] | None:
    """Any of the names as words of their own, the longest first."""
    if not names:
        return None
    longest = sorted(names, key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest)) + r")(?!\w)")


def _leads_to(link: str, pages: set[str]) -> bool:
    return link.lower().startswith("mailto:") or any(link.rstrip("/").startswith(page.rstrip("/")) for page in pages)
