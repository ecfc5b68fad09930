"""The address guard: every way to write a private address is refused."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.guard import AddressGuard, is_public
from store.records import AddressBlocked, FetchError

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%eth0", "[::1]", "not an address",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://localhost/",
        "http://[::1]:8080/",
        "http://0/",
    ],
)
def test_urls_that_lead_to_this_machine_are_blocked(url: str) -> None:
    with pytest.raises(AddressBlocked):
        asyncio.run(AddressGuard().check(url))
    asyncio.run(AddressGuard(allow_private=True).check(url))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "chrome://version", "ftp://a.example/", "javascript:1", "http://", "//x", "", "http://["],
)
@pytest.mark.parametrize("allow", [True, False])
def test_only_http_and_https(url: str, allow: bool) -> None:
    with pytest.raises(AddressBlocked):
        asyncio.run(AddressGuard(allow_private=allow).check(url))


def test_a_name_without_address_is_a_fetch_error() -> None:
    with pytest.raises(FetchError):
        asyncio.run(AddressGuard().check("http://no-such-name.invalid/"))


@given(st.ip_addresses(v=4))
def test_mapping_an_address_into_ipv6_changes_nothing(address: object) -> None:
    assert is_public(str(address)) == is_public(f"::ffff:{address}")
