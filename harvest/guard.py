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
    """Checks URLs and connected addresses. With ``allow_private`` any address passes, but still only http(s)."""

    def __init__(self, *, allow_private: bool = False) -> None:
        self.allow_private = allow_private
        self._cache: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def check(self, url: str) -> None:
        """Raise ``AddressBlocked`` for an address that must not be fetched, ``FetchError`` for a name without address."""
        host = _host(url)
        if self.allow_private:
            return
        for address in await self._resolve(host, url):
            self.check_address(address, url)

    def check_address(self, address: str, url: str) -> None:
        """Raise ``AddressBlocked`` if ``address``, to which ``url`` led, is not public."""
        if not self.allow_private and not is_public(address):
            raise AddressBlocked(
                f"{url}: {address} is a private address", url=url, hint="--allow-private for sites of your own"
            )

    async def _resolve(self, host: str, url: str) -> tuple[str, ...]:
        known = self._cache.get(host)
        if known and known[0] > time.monotonic():
            return known[1]
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise FetchError(f"{url}: the name {host} does not resolve", url=url) from error
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._cache[host] = (time.monotonic() + CACHE_SECONDS, addresses)
        return addresses


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
        parts = None
    if parts is None or parts.scheme not in ("http", "https"):
        raise AddressBlocked(f"{url[:200]}: only http and https are fetched", url=url)
    if not host:
        raise AddressBlocked(f"{url[:200]}: names no host", url=url)
    return host
