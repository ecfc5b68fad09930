"""Writing a WARC file again without what is to be erased from it; every other record is copied byte for byte.

A record from which something was taken keeps its id, date and address, gets its new digests, and names the redaction
(``Chorus-Redacted``). What chorus wrote about it (visit records, verdicts) is brought up to its new place and digest.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urldefrag

from warcio.recordbuilder import RecordBuilder

from harvest.capture import PREFIX
from harvest.redact import Erasure, decoded, encoded
from harvest.warc import DAMAGE, Records, Sha256Writer, record_digest, see_end
from store.records import ArchiveError

#: The header of a record from which something was taken; its value is the redaction's id.
REDACTED = "Chorus-Redacted"

#: Media types (or ends or starts of such) that are text.
_TEXT = ("text/", "json", "xml", "javascript", "ecmascript", "x-www-form-urlencoded")

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)")

#: Records of chorus that show a page as a picture, by the kinds that their addresses name.
_PICTURES = ("view", "screenshot")

#: Headers of a response that no longer hold once its body is another.
_OF_THE_BODY = (
    "Content-Encoding",
    "Transfer-Encoding",
    "Content-MD5",
    "Digest",
    "Repr-Digest",
    "Content-Digest",
    "ETag",
)


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one record: ``redacted``, ``removed``, or ``moved`` where only what it says of others is new."""

    warc: str
    record_id: str
    what: str
    digest_before: str
    digest_after: str | None


@dataclass(slots=True)
class Course:
    """One erasure on its way through the files of an archive, in their order.

    ``addresses`` are pages that go whole; ``pictures`` are record ids of pictures that show what is erased. ``places`` are
    where each record is now, with its digest; ``digests`` are old payload digests and what became of them (``None``: gone).
    """

    redaction: str
    erasure: Erasure
    addresses: frozenset[str] = frozenset()
    pictures: frozenset[str] = frozenset()
    places: dict[str, tuple[int, str]] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    digests: dict[str, str | None] = field(default_factory=dict)
    shown: set[tuple[str, str]] = field(default_factory=set)
    found: int = 0

    def without(self, path: Path, target: Path) -> list[Change]:
        """Write ``path`` again as ``target``. Returns what was changed; if nothing was, ``target`` is not there. Raises
        ``ArchiveError``, with nothing written, if the file cannot be read to its end."""
        changes: list[Change] = []
        end = 0
        with path.open("rb") as source, path.open("rb") as raw, target.open("wb") as out:
            for record, place in _records(source):
                end = sum(place)
                change = self._record(record, place, raw, out, path.name)
                if change is not None:
                    changes.append(change)
        if end != path.stat().st_size:  # what lies behind must not be lost
            target.unlink()
            raise ArchiveError(
                f"{path}: cannot be read beyond byte {end}", hint="chorus verify; mend or move the file first"
            )
        if not changes:
            target.unlink()
        return changes

    def _record(
        self, record: _Read, place: tuple[int, int], raw: IO[bytes], out: IO[bytes], name: str
    ) -> Change | None:
        at, before = out.tell(), record.digest
        if self._goes(record):
            self.removed.add(record.id)
            if record.type != "revisit":
                self.digests[before] = None
            return Change(name, record.id, "removed", before, None)
        new = self._rewritten(record)
        if new is None:
            raw.seek(place[0])
            out.write(raw.read(place[1]))
            self.places[record.id] = (at, before)
            return None
        what, body = new
        after = _write(record, body, out, self.redaction if what == "redacted" else None)
        self.places[record.id] = (at, after)
        if record.type != "revisit":
            self.digests[before] = after
        return Change(name, record.id, what, before, after)

    def _goes(self, record: _Read) -> bool:
        """Whether the record is removed whole."""
        if record.id in self.pictures or record.partner in self.removed:
            return True
        if record.type == "revisit" and self.digests.get(record.digest, "") is None:
            return True
        if self.erasure.in_address(record.uri):  # the picture of someone, under the hash of their mail address
            return True
        kind, page = _kind_and_page(record.uri)
        return page in self.addresses or (kind in _PICTURES and (page, record.date) in self.shown)

    def _rewritten(self, record: _Read) -> tuple[str, bytes] | None:
        """What is to be written in the record's place; ``None``: itself."""
        if record.type == "revisit":
            new = self.digests.get(record.digest)
            if new is None or new == record.digest:
                return None
            record.headers.replace_header("WARC-Payload-Digest", new)
            return "moved", b""
        body, redacted = record.body, False
        text, encoding = decoded(body, record.charset) if record.is_text else ("", "")
        if text and self.erasure.may_touch(text):
            less, found = self.erasure.apply(text)
            redacted = less != text
            if redacted:
                self.found += found
                body = encoded(less, encoding)
                self._note_page(record)
        own = self._brought_up(record, body)
        if redacted:
            return "redacted", own
        return ("moved", own) if own != record.body else None

    def _note_page(self, record: _Read) -> None:
        """Pictures of the same page, which follow in the file, show what was erased."""
        kind, page = _kind_and_page(record.uri)
        if kind in ("dom", "part", "text"):
            self.shown.add((page, record.date))

    def _brought_up(self, record: _Read, body: bytes) -> bytes:
        """What chorus wrote about other records, true to where they are now."""
        if not record.uri.startswith(PREFIX) or not record.is_json or b'"record_id"' not in body:
            return body
        told = json.loads(body)
        new = self._evidence(told)
        return body if new == told else json.dumps(new, indent=1, ensure_ascii=False).encode("utf-8", "replace")

    def _evidence(self, value: Any) -> Any:
        if isinstance(value, list):
            return [part for part in map(self._evidence, value) if not self._lost(part)]
        if not isinstance(value, dict):
            return value
        if "record_id" in value and "offset" in value:
            return self._place(value)
        return {name: self._evidence(part) for name, part in value.items()}

    def _place(self, evidence: dict[str, Any]) -> dict[str, Any] | None:
        if evidence["record_id"] in self.removed:
            return None
        offset, digest = self.places.get(evidence["record_id"], (evidence["offset"], evidence["digest"]))
        return {**evidence, "offset": offset, "digest": digest}

    @staticmethod
    def _lost(part: Any) -> bool:
        """A part of a page whose record is gone."""
        return part is None or (isinstance(part, dict) and "role" in part and part.get("evidence") is None)


@dataclass(slots=True)
class _Read:
    """A record with its body, read whole."""

    record: Any
    body: bytes

    @property
    def headers(self) -> Any:
        return self.record.rec_headers

    def header(self, name: str) -> str:
        return self.headers.get_header(name) or ""

    @property
    def type(self) -> str:
        return str(self.record.rec_type)

    @property
    def id(self) -> str:
        return self.header("WARC-Record-ID")

    @property
    def uri(self) -> str:
        return self.header("WARC-Target-URI")

    @property
    def date(self) -> str:
        return self.header("WARC-Date")

    @property
    def digest(self) -> str:
        return record_digest(self.headers)

    @property
    def partner(self) -> str:
        """The response that a request led to."""
        return self.header("WARC-Concurrent-To")

    @property
    def media_type(self) -> str:
        http = self.record.http_headers
        declared = http.get_header("Content-Type") if http is not None else self.header("Content-Type")
        return (declared or "").lower()

    @property
    def charset(self) -> str | None:
        """The encoding that it was declared in."""
        found = _CHARSET.search(self.media_type)
        return found.group(1) if found else None

    @property
    def is_text(self) -> bool:
        """Whether it can hold text: declared so, or not declared and not binary by its looks."""
        if self.type in ("warcinfo", "metadata"):
            return False
        kind = self.media_type
        return any(part in kind for part in _TEXT) if kind else b"\0" not in self.body[:1024]

    @property
    def is_json(self) -> bool:
        return "json" in self.media_type


def _records(source: IO[bytes]) -> Iterator[tuple[_Read, tuple[int, int]]]:
    """Records with their place (offset and length); damage ends it quietly."""
    records = Records(source, digests=False)
    try:
        for record in records:
            body = record.content_stream().read()
            see_end(record)
            offset, length = records.get_record_offset(), records.get_record_length()
            yield _Read(record, body), (offset, length)
    except DAMAGE:
        return


def _kind_and_page(uri: str) -> tuple[str, str]:
    """``dom`` and the page's address for ``urn:chorus:dom:…``; nothing and the address for any other."""
    if not uri.startswith(PREFIX):
        return "", urldefrag(uri).url
    kind, _, page = uri.removeprefix(PREFIX).partition(":")
    return kind, urldefrag(page).url


def _write(record: _Read, body: bytes, out: IO[bytes], redaction: str | None) -> str:
    """Write a record anew; returns its digest."""
    headers, http = record.headers, record.record.http_headers
    for name in ("WARC-Block-Digest", "WARC-Payload-Digest", "Content-Length"):
        if not (name == "WARC-Payload-Digest" and record.type == "revisit"):  # a revisit's is another record's
            headers.remove_header(name)
    if redaction is not None:
        headers.replace_header(REDACTED, redaction)
    if http is not None and record.type == "response":
        for name in _OF_THE_BODY:
            http.remove_header(name)
        if http.get_header("Content-Length"):
            http.replace_header("Content-Length", str(len(body)))
    made = RecordBuilder(warc_version="WARC/1.1").create_warc_record(
        record.uri,
        record.type,
        payload=io.BytesIO(body),
        length=len(body),
        warc_content_type=record.header("Content-Type"),
        warc_headers=headers,
        http_headers=http,
    )
    Sha256Writer(out, gzip=True, warc_version="WARC/1.1").write_record(made)
    return record_digest(headers)
