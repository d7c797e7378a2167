"""Every kind of address, by its first and last one and their neighbours outside."""

from __future__ import annotations

import ipaddress

import pytest

from webfront.webhooks.networks import refusal

REFUSED = {
    "a loopback address": ["127.0.0.0/8", "::1/128", "::ffff:127.0.0.0/104", "64:ff9b::7f00:0/104"],
    "a link-local address": ["169.254.0.0/16", "fe80::/10", "::ffff:169.254.0.0/112"],
    "a private address": [
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10",
        "::ffff:10.0.0.0/104", "::ffff:192.168.0.0/112", "64:ff9b::a00:0/104",
    ],
    "a reserved address": [
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "240.0.0.0/5", "100::/64", "2001::/32", "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2002::/16",
        "3fff::/20", "64:ff9b:1::/48", "4000::/2", "8000::/2", "::2/127", "5f00::/16",
    ],
    "not an address of one machine": [
        "0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8", "::ffff:0.0.0.0/104",
    ],
}  # fmt: skip
PUBLIC = [
    "1.0.0.0", "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
    "2000::", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::", "2606:4700::1111", "3ffe:ffff::",
    "::ffff:1.1.1.1", "64:ff9b::101:101",
]  # fmt: skip
NETWORKS = [(network, words) for words, networks in REFUSED.items() for network in networks]


@pytest.mark.parametrize(("network", "words"), NETWORKS)
def test_special_addresses_are_refused_by_their_kind(network: str, words: str) -> None:
    found = ipaddress.ip_network(network)
    for address in (found[0], found[-1], found[found.num_addresses // 2]):
        assert refusal(address) == words, address


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not(address: str) -> None:
    assert refusal(ipaddress.ip_address(address)) is None


def test_it_refuses_at_least_what_python_calls_not_global() -> None:
    for number in range(0, 2**32, 65_521):  # a prime, so that every part of an address changes
        address = ipaddress.IPv4Address(number)
        if not address.is_global or address.is_multicast:
            assert refusal(address) is not None, address


def test_an_administrator_may_allow_a_network_and_nothing_beside_it() -> None:
    allowed = [
        ipaddress.ip_network("10.20.0.0/16"),
        ipaddress.ip_network("127.0.0.1"),
        ipaddress.ip_network("fd00::/8"),
    ]
    for address in ("10.20.0.0", "10.20.255.255", "127.0.0.1", "::ffff:127.0.0.1", "fd12::1"):
        assert refusal(ipaddress.ip_address(address), allowed) is None, address
    for address in ("10.21.0.0", "127.0.0.2", "192.168.0.1", "fc00::1", "::1"):
        assert refusal(ipaddress.ip_address(address), allowed) is not None, address


def test_what_is_no_address_of_one_machine_can_never_be_allowed() -> None:
    everything = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    for address in ("0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "::ffff:0.0.0.0"):
        assert refusal(ipaddress.ip_address(address), everything) == "not an address of one machine"
