"""Which addresses may be fetched: only http(s), and only hosts that lie in the public internet.

A page can name any address, and a name can resolve to any. So each URL is checked when it is asked for (redirects and
subresources too), and again by the address that the browser really connected to, which catches names whose answer changes
between the two (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from store.records import AddressBlocked, FetchError

#: Seconds a resolved name is trusted for; the connected address is checked anyway.
CACHE_SECONDS = 60.0

#: IPv6 ranges that carry an IPv4 address inside: prefix -> how many bits stand behind the IPv4 part.
_EMBEDDING_IPV4 = {
    ipaddress.IPv6Network("64:ff9b::/96"): 0,  # NAT64, RFC 6052
    ipaddress.IPv6Network("2002::/16"): 80,  # 6to4, RFC 3056
}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: str) -> bool:
    """Whether an IP address lies in the public internet, whatever way it is written."""
    try:
        parsed = ipaddress.ip_address(address.strip("[]").split("%")[0])
    except ValueError:
        return False
    return all(ip.is_global and not ip.is_multicast for ip in _with_embedded(parsed))


def _with_embedded(address: Address) -> list[Address]:
    """The address and the IPv4 address that it may carry."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    found: list[Address] = [address]
    for network, shift in _EMBEDDING_IPV4.items():
        if address in network:
            found.append(ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF))
    if address.teredo:
        found += list(address.teredo)
    return found


class AddressGuard:
    """Checks URLs and connected addresses. With ``allow_private`` any address passes, but still only http(s).

    ``allow_hosts`` names hosts (``localhost``) or hosts with port (``127.0.0.1:8080``) that pass wherever they lie.
    ``resolve`` finds the addresses of a name; it is a parameter so that a changing answer can be tried out.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        allow_hosts: Iterable[str] = (),
        resolve: Callable[[str], Awaitable[tuple[str, ...]]] | None = None,
    ) -> None:
        self.allow_private = allow_private
        self.allow_hosts = frozenset(host.lower() for host in allow_hosts)
        self._lookup = resolve or _system_addresses
        self._cache: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def check(self, url: str) -> None:
        """Raise ``AddressBlocked`` for an address that must not be fetched, ``FetchError`` for a name without address."""
        host, port = _host_and_port(url)
        if self.allow_private or self._listed(host, port):
            return
        for address in await self._resolve(host, url):
            self.check_address(address, url)

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Addresses of a host that may be connected to. Raises as ``check``; never answers from memory."""
        bracketed = f"[{host}]" if ":" in host else host
        url = f"http://{bracketed}:{port}/"
        found = await self._look_up(host, url)
        if not self._listed(host, port):
            for address in found:
                self.check_address(address, url)
        return found

    def check_address(self, address: str, url: str) -> None:
        """Raise ``AddressBlocked`` if ``address``, to which ``url`` led, is not public."""
        if self.allow_private or is_public(address) or self._listed(*_host_and_port(url)):
            return
        raise AddressBlocked(
            f"{url}: {address} is a private address", url=url, hint="--allow-private for sites of your own"
        )

    def _listed(self, host: str, port: int) -> bool:
        return host.lower() in self.allow_hosts or f"{host.lower()}:{port}" in self.allow_hosts

    async def _resolve(self, host: str, url: str) -> tuple[str, ...]:
        known = self._cache.get(host)
        if known and known[0] > time.monotonic():
            return known[1]
        addresses = await self._look_up(host, url)
        self._cache[host] = (time.monotonic() + CACHE_SECONDS, addresses)
        return addresses

    async def _look_up(self, host: str, url: str) -> tuple[str, ...]:
        try:
            return await self._lookup(host)
        except (OSError, UnicodeError) as error:
            raise FetchError(f"{url}: the name {host} does not resolve", url=url) from error


async def _system_addresses(host: str) -> tuple[str, ...]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise AddressBlocked(f"{url[:200]}: is no address", url=url) from None
    if parts.scheme not in ("http", "https"):
        raise AddressBlocked(f"{url[:200]}: only http and https are fetched", url=url)
    if not host:
        raise AddressBlocked(f"{url[:200]}: names no host", url=url)
    return host, port or (443 if parts.scheme == "https" else 80)
