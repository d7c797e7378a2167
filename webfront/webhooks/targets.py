"""Where a webhook leads: its address as a person gives it, and what that resolves to.

A name is resolved once for each try, every address it has is judged, and the connection then goes to an address that
was judged: a name whose answer changes in between gains nothing. Both are done when the webhook is made, so that its
owner learns at once what is wrong, and again with each try, since a name may lead elsewhere tomorrow.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from webfront.errors import InvalidInput
from webfront.webhooks.networks import Address, Network, refusal

LONGEST: Final = 1000
_PORTS: Final = {"http": 80, "https": 443}
_LOWEST_FREE_PORT: Final = 1024
"""Below lie other services than the web's."""
_PLAIN: Final = re.compile(r"[!-~]+")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST_NAME: Final = 253
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*")


class Target(NamedTuple):
    """A target's parts, in lower case where case does not matter."""

    scheme: str
    host: str
    """A name or an IP address, without brackets."""
    port: int
    path: str
    """With its query; begins with a slash."""

    @property
    def authority(self) -> str:
        """What the Host header says: the name, and the port unless it is the scheme's own."""
        return _bracketed(self.host) if self.port == _PORTS[self.scheme] else self.at(self.host)

    def at(self, host: str) -> str:
        return f"{_bracketed(host)}:{self.port}"


class TargetRefused(Exception):
    """The target's name has no address, or one to which no delivery may go. In words, for the webhook's owner."""


Resolve = Callable[[str, int], Sequence[str]]
"""The IP addresses of a name, as text. Raises OSError."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver; it may take as long as that is patient."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def read_target(url: str) -> Target:
    """The parts of a webhook's URL. InvalidInput says what to change."""
    if len(url) > LONGEST:
        raise _invalid(f"The address is longer than {LONGEST} characters.")
    if not _PLAIN.fullmatch(url) or "\\" in url:
        raise _invalid("Write the address in plain ASCII, without spaces; a name with other letters as xn--….")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid(f"This is no address: {error}.") from error
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    if scheme not in _PORTS or not host:
        raise _invalid("The address begins with https:// or http:// and a host, as in https://ci.example.org/hook.")
    if "@" in parts.netloc:
        raise _invalid("Leave the user and password out of the address; a delivery proves itself by its signature.")
    if "#" in url:
        raise _invalid("Leave out what comes after the #; it is never sent.")
    port = _PORTS[scheme] if port is None else port
    if port not in _PORTS.values() and port < _LOWEST_FREE_PORT:
        raise _invalid(f"The port must be 80, 443, or {_LOWEST_FREE_PORT} or above, not {port}.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(scheme, _host(host, bracketed="[" in parts.netloc), port, path)


def _host(host: str, *, bracketed: bool) -> str:
    if bracketed:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError as error:
            raise _invalid(f"[{host}] is no IPv6 address.") from error
        if address.scope_id is not None:
            raise _invalid(f"[{host}] names a network interface; leave out what comes after the %.")
        return str(address)
    # Resolvers take 2130706433, 0x7f.1 and 0177.0.0.1 for 127.0.0.1: what ends in a number must be a plain address.
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError as error:
            raise _invalid(f"{host} is no IPv4 address; write it as four numbers, without leading zeros.") from error
    labels = host.removesuffix(".").split(".")
    if len(host) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid(f"{host} is no host name.")
    return host


def addresses(target: Target, allowed: Sequence[Network], resolve: Resolve = resolve) -> tuple[str, ...]:
    """Where to connect to, best first. Raises `TargetRefused` when one of the name's addresses is not to be reached."""
    try:
        found = [ipaddress.ip_address(target.host)]
    except ValueError:
        found = _resolved(target, resolve)
    for address in found:
        if kind := refusal(address, allowed):
            which = str(address) if str(address) == target.host else f"{target.host} leads to {address}, which"
            raise TargetRefused(
                f"{which} is {kind}. Deliveries go to public addresses; an administrator can allow a network with "
                "SKERRY_WEBHOOK_NETWORKS."
            )
    return tuple(map(str, found))


def _resolved(target: Target, resolve: Resolve) -> list[Address]:
    try:
        found = [ipaddress.ip_address(text) for text in resolve(target.host, target.port)]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TargetRefused(f"{target.host} has no address ({reason}). Check the name.") from error
    if not found:
        raise TargetRefused(f"{target.host} has no address. Check the name.")
    return found


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(message, detail={"field": "url"})
