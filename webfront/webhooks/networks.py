"""Which addresses a delivery may go to: public ones, and those of networks that an administrator has allowed.

An address is refused unless IANA's registries of special-purpose addresses (RFC 6890 and its successors) leave it to
the public; the tables stand here, since Python's `ipaddress` answers otherwise from version to version. An IPv4 address
inside an IPv6 one (mapped, or translated by NAT64) is judged as what it leads to.

`SKERRY_WEBHOOK_NETWORKS` lists the networks that are allowed besides, the controller's own loopback among them if it is
named. Multicast, broadcast and unspecified addresses are refused whatever it says.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK: Final = "a loopback address"
_LINK_LOCAL: Final = "a link-local address"
_PRIVATE: Final = "a private address"
_RESERVED: Final = "a reserved address"
_NOWHERE: Final = "not an address of one machine"

_NEVER: Final = tuple(
    ipaddress.ip_network(text) for text in ("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8")
)
_SPECIAL: Final = tuple(
    (ipaddress.ip_network(text), words)
    for text, words in (
        ("10.0.0.0/8", _PRIVATE),
        ("100.64.0.0/10", _PRIVATE),
        ("127.0.0.0/8", _LOOPBACK),
        ("169.254.0.0/16", _LINK_LOCAL),
        ("172.16.0.0/12", _PRIVATE),
        ("192.0.0.0/24", _RESERVED),
        ("192.0.2.0/24", _RESERVED),
        ("192.88.99.0/24", _RESERVED),
        ("192.168.0.0/16", _PRIVATE),
        ("198.18.0.0/15", _RESERVED),
        ("198.51.100.0/24", _RESERVED),
        ("203.0.113.0/24", _RESERVED),
        ("240.0.0.0/4", _RESERVED),
        ("::1/128", _LOOPBACK),
        ("fc00::/7", _PRIVATE),
        ("fe80::/10", _LINK_LOCAL),
        ("fec0::/10", _PRIVATE),
        ("2001::/23", _RESERVED),  # Teredo among them
        ("2001:db8::/32", _RESERVED),
        ("2002::/16", _RESERVED),  # 6to4: leads to any IPv4 address
        ("3fff::/20", _RESERVED),
    )
)
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def refusal(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """What kind of address this is, where no delivery may go to it; None where it may."""
    real = _inner(address)
    if any(real in network for network in _NEVER):
        return _NOWHERE
    if any(real in network for network in allowed):
        return None
    for network, words in _SPECIAL:
        if real in network:
            return words
    return None if real.version == 4 or real in _GLOBAL_UNICAST else _RESERVED


def _inner(address: Address) -> Address:
    """The IPv4 address to which an IPv6 one leads, or the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
