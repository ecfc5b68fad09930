"""Reading the body of a paused response within bounds.

A body whose length is known and small is read in one message and let through. Any other (large, compressed, of unknown
length) is streamed into a file that spills to disk: a compressed bomb or an endless answer then costs no more than the bound.
The page gets what was read in its place, or a failure where it is too large for a page to need.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import IO, Any

from harvest.exchange import Exchange

#: Bodies up to this announced length are read in one message.
MAX_INLINE_BYTES = 2 * 1024 * 1024

#: A streamed body up to this size is handed to the page; beyond it the page does without, and only the archive has it.
MAX_GIVEN_BACK_BYTES = 16 * 1024 * 1024

#: What a body may weigh at most; the rest is cut off and the record says so.
MAX_BODY_BYTES = 256 * 1024 * 1024

#: Bodies above this wait on disk, not in memory, until the page is written.
SPOOL_BYTES = 512 * 1024

#: Bytes of one read of a stream.
BLOCK_BYTES = 1024 * 1024

#: Seconds that one body may take before it is cut.
BODY_TIMEOUT = 30.0

Send = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any] | None]]


def new_body() -> IO[bytes]:
    """Where a body waits until its page is written: in memory while it is small, then on disk."""
    return tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)


async def take_body(send: Send, event: dict[str, Any], exchange: Exchange, max_body: int) -> bool:
    """Read the body into ``exchange``. Returns whether the paused request was answered on the way."""
    length = exchange.content_length
    if length is not None and length <= MAX_INLINE_BYTES and not exchange.encoded:
        await _read_inline(send, event, exchange, max_body)
        return False
    return await _stream(send, event, exchange, max_body)


def keep(exchange: Exchange, data: bytes, max_body: int) -> bool:
    """Append to the spooled body; ``False`` when the bound is reached."""
    room = max_body - exchange.size
    exchange.body.write(data[:room])
    exchange.size += min(len(data), room)
    if len(data) > room:
        exchange.truncated = "length"
        return False
    return True


async def _read_inline(send: Send, event: dict[str, Any], exchange: Exchange, max_body: int) -> None:
    try:
        command = send("Fetch.getResponseBody", {"requestId": event["requestId"]})
        found = await asyncio.wait_for(command, BODY_TIMEOUT)
    except TimeoutError:
        exchange.truncated = "time"
        return
    if found is None:
        exchange.truncated = "disconnect"
        return
    keep(exchange, decode(found, "body"), max_body)
    _notice_cut(exchange)


async def _stream(send: Send, event: dict[str, Any], exchange: Exchange, max_body: int) -> bool:
    found = await send("Fetch.takeResponseBodyAsStream", {"requestId": event["requestId"]})
    if found is None:
        exchange.truncated = "disconnect"
        return False
    await read_stream(send, found["stream"], exchange, max_body)
    if exchange.truncated is None:
        _notice_cut(exchange)
    if exchange.size > MAX_GIVEN_BACK_BYTES:
        await send("Fetch.failRequest", {"requestId": event["requestId"], "errorReason": "Aborted"})
    else:
        await send("Fetch.fulfillRequest", _answer(event, exchange))
    return True


async def read_stream(send: Send, handle: str, exchange: Exchange, max_body: int) -> None:
    """Read a protocol stream to its end, its bound or its time, and close it."""
    deadline = time.monotonic() + BODY_TIMEOUT
    while True:
        try:
            left = max(0.05, deadline - time.monotonic())
            part = await asyncio.wait_for(send("IO.read", {"handle": handle, "size": BLOCK_BYTES}), left)
        except TimeoutError:
            exchange.truncated = "time"
            break
        if part is None:
            exchange.truncated = "disconnect"
            break
        if not keep(exchange, decode(part, "data"), max_body) or part["eof"]:
            break
    await send("IO.close", {"handle": handle})


def decode(message: dict[str, Any], name: str) -> bytes:
    """The bytes of a protocol message that may or may not be base64."""
    text = message[name]
    return base64.b64decode(text) if message.get("base64Encoded") else str(text).encode("utf-8", "surrogatepass")


def _notice_cut(exchange: Exchange) -> None:
    """The browser calls a body that was cut off a success; only the lengths tell."""
    length = exchange.content_length
    if length is not None and not exchange.encoded and exchange.size < length:
        exchange.truncated = "disconnect"


def _answer(event: dict[str, Any], exchange: Exchange) -> dict[str, Any]:
    """The response for the page: the body is decoded, so the headers that describe its wire form go."""
    dropped = ("content-encoding", "content-length", "transfer-encoding")
    headers = [h for h in event.get("responseHeaders", []) if h["name"].lower() not in dropped]
    exchange.body.seek(0)
    body = base64.b64encode(exchange.body.read()).decode()
    exchange.body.seek(0, 2)
    answer = {
        "requestId": event["requestId"],
        "responseCode": event["responseStatusCode"],
        "responseHeaders": headers,
        "body": body,
    }
    if event.get("responseStatusText"):
        answer["responsePhrase"] = event["responseStatusText"]
    return answer
