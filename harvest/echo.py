"""Sites that answer every address with one and the same page: kept, but not read as if it were what was asked for."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from urllib.parse import urldefrag, urlsplit

from harvest.capture import PageCapture

#: Pages remembered, of all hosts together: an echoing host shows itself within a few pages.
REMEMBERED = 4096

#: Pages with less text than this (bytes of HTML) may well be alike: stubs, redirects by script.
MIN_BYTES = 512


class Echoes:
    """Remembers what the pages of this run looked like."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], str] = OrderedDict()

    def check(self, capture: PageCapture) -> PageCapture:
        """The capture; marked as a soft 404 if another address of its host brought the very same rendered page."""
        if capture.html is None or capture.error or len(capture.html) < MIN_BYTES:
            return capture
        address = urldefrag(capture.final_url or capture.url).url
        key = (urlsplit(address).netloc, hashlib.sha256(capture.html.encode("utf-8", "replace")).hexdigest())
        first = self._seen.setdefault(key, address)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        if urlsplit(first).path == urlsplit(address).path:
            return capture  # a parameter that changes nothing
        return replace(capture, obstacle="soft-404", error=f"the same page, to the last character, as {first}")
