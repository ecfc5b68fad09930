"""Writing and reading WARC 1.1: gzip per record, SHA-256 digests everywhere, evidence for each record written."""

from __future__ import annotations

import io
import os
import secrets
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

from warcio.archiveiterator import ArchiveIterator
from warcio.bufferedreaders import DecompressingBufferedReader
from warcio.digestverifyingreader import DigestChecker
from warcio.exceptions import ArchiveLoadFailed
from warcio.recordbuilder import RecordBuilder
from warcio.statusandheaders import StatusAndHeaders
from warcio.utils import Digester
from warcio.warcwriter import WARCWriter

from harvest.payloads import Payload, PayloadIndex
from store.records import Evidence

T = TypeVar("T")

#: Start a new file beyond this size (the field's usual bound); a page is never split over two files.
MAX_FILE_BYTES = 1_000_000_000

#: Payloads smaller than this are written again rather than as a revisit, which would take as much room.
MIN_REVISIT_BYTES = 256

#: How a gzip member begins (RFC 1952: its magic number, and deflate), zlib's sign for one, and how a record begins in it.
_MEMBER, _GZIP, _RECORD = b"\x1f\x8b\x08", 31, b"WARC/"

#: Bytes searched for it at a time, and bytes of it that are looked into.
SEARCHED, SEARCHED_IN = 1 << 20, 512


def utc_now() -> str:
    """This moment, to the second, as WARC-Date wants it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Sha256Writer(WARCWriter):  # type: ignore[misc]  # warcio is not typed
    """warcio digests with SHA-1 wherever it digests itself; one algorithm everywhere lets revisits resolve."""

    @staticmethod
    def _create_digester() -> Digester:
        return Digester("sha256")


@dataclass(slots=True)
class HttpMessage:
    """A response or request as it goes into a WARC record: start line, headers in order, decoded body."""

    start: str
    headers: list[tuple[str, str]]
    body: IO[bytes] = field(default_factory=io.BytesIO)
    truncated: str | None = None


class WarcWriter:
    """Writes one session's records into ``directory``. Not for two threads.

    ``index`` knows the payloads of the archive's other files: those become revisits, too.
    """

    def __init__(
        self,
        directory: Path,
        info: dict[str, str],
        *,
        max_bytes: int = MAX_FILE_BYTES,
        index: PayloadIndex | None = None,
    ) -> None:
        self.directory, self.info, self.max_bytes, self.index = directory, info, max_bytes, index
        self._file: IO[bytes] | None = None
        self._writer: Any = None
        self._builder = RecordBuilder(warc_version="WARC/1.1")
        self._payloads: dict[str, Payload] = {}
        self._leans_on: set[str] = set()
        self.written = 0

    def begin_page(self) -> None:
        """Open a file, or a new one when the last is full: called before each page so that none is split."""
        if self._file is not None and self._file.tell() >= self.max_bytes:
            self.close()
        if self._file is None:
            self._open()

    def _open(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")
        path = self.directory / f"chorus-{stamp}-{secrets.token_hex(3)}.warc.gz"
        self._file = path.open("xb")
        self._name = path.name
        self._writer = Sha256Writer(self._file, gzip=True, warc_version="WARC/1.1")
        self._write(self._builder.create_warcinfo_record(self._name, self.info))

    def exchange(
        self,
        url: str,
        response: HttpMessage,
        request: HttpMessage,
        *,
        date: str,
        address: str | None = None,
        allow_revisit: bool = True,
    ) -> Evidence:
        """Write a response (or a revisit, if its payload is in the archive already) and the request that led to it."""
        extra = {"WARC-Date": date}
        if address:
            extra["WARC-IP-Address"] = address
        if response.truncated:
            extra["WARC-Truncated"] = response.truncated
        protocol, _, status = response.start.partition(" ")
        http = StatusAndHeaders(status, response.headers, protocol=protocol)
        evidence = self._response_or_revisit(url, response, http, extra, date, allow_revisit)
        request_http = StatusAndHeaders(request.start, request.headers, is_http_request=True)
        headers = {"WARC-Date": date, "WARC-Concurrent-To": evidence.record_id}
        self._write(
            self._builder.create_warc_record(
                url, "request", payload=request.body, http_headers=request_http, warc_headers_dict=headers
            )
        )
        return evidence

    def _response_or_revisit(
        self,
        url: str,
        response: HttpMessage,
        http: StatusAndHeaders,
        extra: dict[str, str],
        date: str,
        allow_revisit: bool,
    ) -> Evidence:
        digest, size = _digest(response.body)
        worth = allow_revisit and size >= MIN_REVISIT_BYTES and not response.truncated
        seen = self._find(digest) if worth else None
        if seen:
            refers = {"WARC-Refers-To": seen.record_id}
            if seen.warc != self._name:
                refers["WARC-Refers-To-Filename"] = seen.warc
                self._leans_on.add(seen.warc)
            record = self._builder.create_revisit_record(
                url, digest, seen.url, seen.date, http_headers=http, warc_headers_dict={**extra, **refers}
            )
            return self._write(record)
        record = self._builder.create_warc_record(
            url, "response", payload=response.body, http_headers=http, warc_headers_dict=extra
        )
        evidence = self._write(record)
        if not response.truncated:
            payload = self._payloads[digest] = Payload(url, date, evidence.record_id, evidence.warc)
            if self.index and size >= MIN_REVISIT_BYTES:
                self.index.add(digest, payload)
        return evidence

    def _find(self, digest: str) -> Payload | None:
        return self._payloads.get(digest) or (self.index.find(digest) if self.index else None)

    def resource(self, uri: str, media_type: str, body: bytes, *, date: str) -> Evidence:
        """Write a record of something that chorus made: rendered page, screenshot, text, visit."""
        record = self._builder.create_warc_record(
            uri,
            "resource",
            payload=io.BytesIO(body),
            warc_content_type=media_type,
            warc_headers_dict={"WARC-Date": date},
        )
        return self._write(record)

    def _write(self, record: Any) -> Evidence:
        if self._file is None:
            raise ValueError("begin_page() comes first")
        offset = self._file.tell()
        self._writer.write_record(record)
        self.written += self._file.tell() - offset
        headers = record.rec_headers
        digest = record_digest(headers)
        return Evidence(warc=self._name, offset=offset, record_id=headers.get_header("WARC-Record-ID"), digest=digest)

    def sync(self) -> None:
        """Have everything on the disk; a page counts only after this."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            if self.index:
                self.index.keep(self._name)

    def place(self) -> tuple[str, int] | None:
        """The file that is open and how far it is written."""
        return None if self._file is None else (self._name, self._file.tell())

    def _declare(self) -> None:
        """Say which other files the revisits of this one lean on."""
        lines = "".join(f"depends-on: {name}\r\n" for name in sorted(self._leans_on))
        self._leans_on.clear()
        if lines:
            record = self._builder.create_warc_record(
                f"urn:chorus:dependencies:{self._name}",
                "metadata",
                payload=io.BytesIO(lines.encode()),
                warc_content_type="application/warc-fields",
                warc_headers_dict={"WARC-Date": utc_now()},
            )
            self._write(record)

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._declare()
            self.sync()
            self._file.close()
            self._file = None


def _digest(body: IO[bytes]) -> tuple[str, int]:
    digester, size = Digester("sha256"), 0
    body.seek(0)
    while block := body.read(1 << 16):
        digester.update(block)
        size += len(block)
    body.seek(0)
    return str(digester), size


class _StrictReader(DecompressingBufferedReader):  # type: ignore[misc]  # warcio is not typed
    """warcio takes a gzip error in the midst of a record for the end of the file, and says so on stderr: here it is raised."""

    def _decompress(self, data: bytes) -> bytes:
        if data and self.decompressor and self.num_block_read:
            return bytes(self.decompressor.decompress(data))
        return bytes(super()._decompress(data))


class Records(ArchiveIterator):  # type: ignore[misc]  # warcio is not typed
    """The records of an open WARC file. Going on, and reading a record's content, raise one of ``DAMAGE`` where it is damaged."""

    def __init__(self, stream: IO[bytes], *, digests: bool = True) -> None:
        super().__init__(stream, check_digests=digests)
        self.reader = _StrictReader(self.fh)


#: What tells of damage, in a record's head or its content.
DAMAGE = (ArchiveLoadFailed, EOFError, zlib.error)


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """One record as read: its type, target, date, id, place and payload."""

    type: str
    uri: str | None
    date: str
    record_id: str
    offset: int
    content_type: str | None
    digest: str
    payload: bytes


def read_records(path: Path, types: frozenset[str] | None = None, *, start: int = 0) -> Iterator[WarcRecord]:
    """Records of a file, in order, from a byte offset on; those that are damaged are left out, and a torn tail ends it quietly.

    ``types`` limits whose payload is read and yielded.
    """

    def read(record: Any, records: Records) -> WarcRecord | None:
        return _record(record, records) if types is None or record.rec_type in types else None

    with path.open("rb") as stream:
        yield from (found for found in each_record(stream, read, start=start) if found is not None)


def each_record(
    stream: IO[bytes],
    read: Callable[[Any, Records], T],
    *,
    start: int = 0,
    damaged: Callable[[int, int | None], None] = lambda at, resumed: None,
) -> Iterator[T]:
    """What ``read`` makes of each record (warcio's); the ``Records`` tell its place, once its content is read.

    Where a record is damaged, or ``read`` raises one of ``DAMAGE``, reading goes on with the next whole one; ``damaged`` is
    told where that was and where it goes on (``None``: nowhere).
    """
    at: int | None = start
    while at is not None:
        stream.seek(at)
        records = Records(stream)
        try:
            for record in records:
                found = read(record, records)
                at = records.get_record_offset() + records.get_record_length()
                yield found
            return
        except DAMAGE:
            resumed = _next_record(stream, at + 1)
            damaged(at, resumed)
            at = resumed


def read_record(path: Path, offset: int) -> WarcRecord:
    """The record at a byte offset. Raises ``ValueError`` if no whole one begins there."""
    with path.open("rb") as stream:
        stream.seek(offset)
        try:
            return _record(next(iter(records := Records(stream))), records)
        except (StopIteration, *DAMAGE) as error:
            raise ValueError(f"{path.name}: no whole record at offset {offset}") from error


def record_digest(headers: Any) -> str:
    """The payload's digest, or the block's of a record that has no other; empty if it names none."""
    return headers.get_header("WARC-Payload-Digest") or headers.get_header("WARC-Block-Digest") or ""


def _record(record: Any, records: Records) -> WarcRecord:
    headers = record.rec_headers
    payload = record.content_stream().read()  # first: asking for the offset reads over it
    _see_whole(record)
    return WarcRecord(
        type=record.rec_type,
        uri=headers.get_header("WARC-Target-URI"),
        date=headers.get_header("WARC-Date"),
        record_id=headers.get_header("WARC-Record-ID"),
        offset=records.get_record_offset(),
        content_type=headers.get_header("Content-Type"),
        digest=record_digest(headers),
        payload=payload,
    )


def see_end(record: Any) -> None:
    """Raise ``ArchiveLoadFailed`` for a record that was read and is shorter than it says."""
    if getattr(record.raw_stream, "limit", 0) > 0:
        raise ArchiveLoadFailed("the record ends before its length")


def _see_whole(record: Any) -> None:
    """Raise ``ArchiveLoadFailed`` for a record that ends early or is not what its digest says."""
    see_end(record)
    checker: DigestChecker = record.digest_checker
    wrong = [one for one in checker.problems if "digest failed" in one]  # not: an algorithm that we cannot compute
    if wrong:
        raise ArchiveLoadFailed(wrong[0])


@dataclass(frozen=True, slots=True)
class Healed:
    """Bytes that were cut off the end of a file, and the offset from which on it is damaged in its midst (``None``: nowhere)."""

    cut: int
    damaged: int | None = None


def heal(path: Path, start: int = 0) -> Healed:
    """Cut off what an interrupted write left at the end of a file.

    A gzip member whose end and checksum are there was written whole; anything behind the last such member goes. Where whole
    members follow behind one that is not, no write was interrupted but the file was damaged later: nothing is cut then. ``start``
    is an offset up to which the file is known to be whole.
    """
    with path.open("r+b") as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(start)
        good = start + _length_of_whole_members(stream)
        if good < size and _whole_record_behind(stream, good):
            return Healed(0, good)
        if good < size:
            stream.truncate(good)
            os.fsync(stream.fileno())
    return Healed(size - good)


def _length_of_whole_members(stream: IO[bytes], most: int | None = None) -> int:
    """Bytes from here to the end of the last whole gzip member, or of the one numbered ``most`` (from 1)."""
    good, rest, count = 0, b"", 0
    while count != most:
        member = zlib.decompressobj(wbits=_GZIP)
        length = 0
        while not member.eof:
            block = rest or stream.read(1 << 16)
            rest = b""
            if not block:
                return good
            try:
                member.decompress(block)
            except zlib.error:
                return good
            length += len(block) - len(member.unused_data)
        rest = member.unused_data
        good += length
        count += 1
    return good


def _whole_record_behind(stream: IO[bytes], damaged: int) -> bool:
    """Whether a whole record lies behind one that is not."""
    at = _next_record(stream, damaged + 1)
    while at is not None:
        stream.seek(at)
        if _length_of_whole_members(stream, most=1):
            return True
        at = _next_record(stream, at + 1)
    return False


def _next_record(stream: IO[bytes], at: int) -> int | None:
    """Offset of the first gzip member, from ``at`` on, that opens a record; ``None`` if there is none."""
    stream.seek(at)
    block = stream.read(SEARCHED)
    while block:
        found = block.find(_MEMBER)
        while found >= 0:
            stream.seek(at + found)
            if _opens_record(stream.read(SEARCHED_IN)):
                return at + found
            found = block.find(_MEMBER, found + 1)
        at += len(block) - (len(_MEMBER) - 1) if len(block) == SEARCHED else len(block)
        stream.seek(at)
        block = stream.read(SEARCHED)
    return None


def _opens_record(data: bytes) -> bool:
    try:
        return zlib.decompressobj(wbits=_GZIP).decompress(data, len(_RECORD)) == _RECORD
    except zlib.error:
        return False


@dataclass(slots=True)
class FileCheck:
    """What a check found: problems in words, the digest of each record id, and what must be resolved in other files.

    ``payloads`` are the (URL, digest) pairs of whole responses, ``revisits`` those that revisit records refer to.
    """

    problems: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    payloads: set[tuple[str, str]] = field(default_factory=set)
    revisits: list[tuple[int, str, str]] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)


def check_file(path: Path) -> FileCheck:
    """Recompute every digest of a file; see that requests and responses come in pairs and that lengths are true."""
    check = FileCheck()

    def damaged(at: int, resumed: int | None) -> None:
        check.problems.append(f"offset {at}: damaged" + ("" if resumed else ", nothing can be read from here on"))

    with path.open("rb") as stream:
        for _ in each_record(stream, lambda record, records: _check_record(record, records, check), damaged=damaged):
            pass
    for offset in check.waiting.values():
        check.problems.append(f"offset {offset}: the response's request is missing")
    return check


def dangling(check: FileCheck, payloads: set[tuple[str, str]]) -> list[str]:
    """Revisits of a file whose payload is in none of the files that ``payloads`` comes from."""
    return [
        f"offset {offset}: revisits {url}, which is not here"
        for offset, url, digest in check.revisits
        if (url, digest) not in payloads
    ]


def _check_record(record: Any, records: Records, check: FileCheck) -> None:
    body = record.content_stream()
    size = 0
    while block := body.read(1 << 16):
        size += len(block)
    see_end(record)
    offset = records.get_record_offset()
    checker: DigestChecker = record.digest_checker
    check.problems += [f"offset {offset}: {problem}" for problem in checker.problems]
    headers = record.rec_headers
    name = headers.get_header("WARC-Record-ID")
    digest = record_digest(headers)
    check.digests[name] = digest
    if record.rec_type in ("response", "revisit"):
        check.waiting[name] = offset
        _check_response(record, offset, size, digest, check)
    elif record.rec_type == "request":
        partner = headers.get_header("WARC-Concurrent-To")
        if partner not in check.digests:
            check.problems.append(f"offset {offset}: the request's response {partner} is missing")
        check.waiting.pop(partner, None)


def _check_response(record: Any, offset: int, size: int, digest: str, check: FileCheck) -> None:
    headers = record.rec_headers
    if record.rec_type == "revisit":
        check.revisits.append((offset, headers.get_header("WARC-Refers-To-Target-URI") or "", digest))
        return
    if not headers.get_header("WARC-Truncated"):
        check.payloads.add((headers.get_header("WARC-Target-URI"), digest))
    length = record.http_headers.get_header("Content-Length") if record.http_headers else None
    head = record.http_headers.get_header("Content-Encoding") if record.http_headers else None
    if length and length.isdigit() and not head and int(length) != size:
        check.problems.append(f"offset {offset}: Content-Length is {length}, the body has {size} bytes")
