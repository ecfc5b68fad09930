"""The browser's only way out: a small SOCKS5 server in this process that connects to checked addresses and no others.

The browser asks for a name, this server resolves it, checks the answer and connects to the very address that was checked.
A name whose answer changes between check and connection (DNS rebinding) therefore gains nothing. TLS passes through as it is.
Speaks what a browser needs of RFC 1928: no authentication, CONNECT, IPv4, IPv6 and names.
"""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from contextlib import suppress
from urllib.parse import urlsplit

from harvest.guard import AddressGuard
from store.records import FetchError

#: Reply codes of RFC 1928 section 6.
OK, NOT_ALLOWED, UNREACHABLE, BAD_COMMAND, BAD_ADDRESS = 0x00, 0x02, 0x04, 0x07, 0x08

#: Bytes of one read; large enough that a fast download is not slowed down by this process.
BLOCK = 1 << 18

CONNECT_TIMEOUT = 20.0
HANDSHAKE_TIMEOUT = 10.0


class GuardedProxy:
    """``async with GuardedProxy(guard) as proxy``: listens on a loopback port, ``proxy.url`` is for the browser."""

    def __init__(self, guard: AddressGuard) -> None:
        self.guard = guard
        self._addresses: dict[tuple[str, int], str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> GuardedProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """What the browser is told."""
        return f"socks5://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def connected(self, url: str) -> str | None:
        """The address that connections for ``url`` went to last."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
        return self._addresses.get((parts.hostname or "", port))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            host, port = await asyncio.wait_for(_handshake(reader, writer), HANDSHAKE_TIMEOUT)
            outside = await self._connect(host, port, writer)
            if outside is not None:
                await _pump_both(reader, writer, *outside)
        except (OSError, TimeoutError, EOFError, ValueError, struct.error):
            pass  # the browser went away or does not speak SOCKS: this connection is over
        except asyncio.CancelledError:
            pass  # the harvest is over; the stream's own callback would report a cancelled task as an error
        finally:
            await _close(writer)

    async def _connect(
        self, host: str, port: int, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            addresses = await self.guard.addresses(host, port)
        except FetchError:
            await _reply(writer, NOT_ALLOWED)
            return None
        for address in addresses:
            with suppress(OSError, TimeoutError):
                streams = await asyncio.wait_for(asyncio.open_connection(address, port, limit=BLOCK), CONNECT_TIMEOUT)
                self._addresses[host, port] = address
                await _reply(writer, OK)
                return streams
        await _reply(writer, UNREACHABLE)
        return None


async def _handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
    """Read greeting and request; host and port asked for. Raises ``ValueError`` for anything but CONNECT."""
    version, methods = await reader.readexactly(2)
    if version != 5:
        raise ValueError("not SOCKS5")
    await reader.readexactly(methods)
    writer.write(b"\x05\x00")
    await writer.drain()
    _, command, _, kind = await reader.readexactly(4)
    if kind == 1:
        host = str(ipaddress.IPv4Address(await reader.readexactly(4)))
    elif kind == 4:
        host = str(ipaddress.IPv6Address(await reader.readexactly(16)))
    elif kind == 3:
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
    else:
        await _reply(writer, BAD_ADDRESS)
        raise ValueError("address kind")
    (port,) = struct.unpack("!H", await reader.readexactly(2))
    if command != 1:
        await _reply(writer, BAD_COMMAND)
        raise ValueError("command")
    return host, port


async def _reply(writer: asyncio.StreamWriter, code: int) -> None:
    writer.write(bytes((5, code, 0, 1, 0, 0, 0, 0, 0, 0)))
    await writer.drain()


async def _pump_both(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    try:
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    finally:
        await _close(far_writer)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until the end, then pass the end on."""
    while block := await source.read(BLOCK):
        sink.write(block)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


async def _close(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):
        writer.close()
        await writer.wait_closed()
