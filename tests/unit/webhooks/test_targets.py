"""A webhook's address: what it may be, what it must not, and what its name may lead to."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Sequence

import pytest

from webfront.errors import InvalidInput
from webfront.webhooks.networks import refusal
from webfront.webhooks.targets import Resolve, Target, TargetRefused, addresses, read_target, resolve


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://ci.example.org/hook", Target("https", "ci.example.org", 443, "/hook"), "ci.example.org"),
        ("http://CI.example.org", Target("http", "ci.example.org", 80, "/"), "ci.example.org"),
        ("HTTPS://a.example:8443/x?y=1&z", Target("https", "a.example", 8443, "/x?y=1&z"), "a.example:8443"),
        ("http://[2606:4700::1111]/", Target("http", "2606:4700::1111", 80, "/"), "[2606:4700::1111]"),
        ("http://1.1.1.1:1024/a", Target("http", "1.1.1.1", 1024, "/a"), "1.1.1.1:1024"),
        ("https://xn--mller-kva.de./", Target("https", "xn--mller-kva.de.", 443, "/"), "xn--mller-kva.de."),
    ],
)  # fmt: skip
def test_an_address_is_read(url: str, target: Target, authority: str) -> None:
    assert read_target(url) == target
    assert target.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "", "ci.example.org/hook", "//ci.example.org", "ftp://ci.example.org/", "file:///etc/passwd", "javascript:x",
        "http://", "http:///path", "http://user@ci.example.org/", "http://user:secret@ci.example.org/",
        "http://ci.example.org/#part", "http://ci.example.org/a b", "http://ci.example.org/\n", "http://a.example\\@x/",
        "http://müller.example/", "http://ci.example.org:0/", "http://ci.example.org:25/", "http://ci.example.org:65536/",
        "http://ci.example.org:http/", "http://ci.example.org:-1/", "http://-a.example/", "http://a..example/",
        "http://.example/", "http://a-.example/", "http://ex%61mple.org/", "http://[::1/", "http://[1.1.1.1]/",
        "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://a,b.example/", f"http://{'a' * 64}.example/",
        f"http://{'a.' * 130}example/", "http://ci.example.org/" + "x" * 1000,
        # Other ways to write an address, which resolvers take for 127.0.0.1 or 10.0.0.1:
        "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://017700000001/", "http://127.1/",
        "http://0177.0.0.1/", "http://127.0.0.1./", "http://127.0.0.0x1/", "http://10.1/", "http://1.1.1.1.1/",
        "http://256.1.1.1/", "http://①.②.③.④/",
    ],
)  # fmt: skip
def test_what_is_no_target_is_refused_in_words(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_target(url)
    assert caught.value.message.endswith(".") or "xn--" in caught.value.message
    assert caught.value.detail == {"field": "url"}


def leads_to(*found: str) -> Resolve:
    def resolve(host: str, port: int) -> Sequence[str]:
        return found

    return resolve


def test_a_name_leads_where_all_its_addresses_are_public() -> None:
    target = read_target("https://ci.example.org/")
    assert addresses(target, (), leads_to("1.1.1.1", "2606:4700::1111")) == ("1.1.1.1", "2606:4700::1111")
    for bad in (
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1%2",
        "fd00::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
    ):
        with pytest.raises(TargetRefused, match=r"leads to .*, which is .*SKERRY_WEBHOOK_NETWORKS"):
            addresses(target, (), leads_to("1.1.1.1", bad))
    allowed = [ipaddress.ip_network("10.0.0.0/24")]
    assert addresses(target, allowed, leads_to("10.0.0.1")) == ("10.0.0.1",)


def test_a_number_is_judged_without_asking_anyone() -> None:
    def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    assert addresses(read_target("http://1.1.1.1/"), (), never) == ("1.1.1.1",)
    with pytest.raises(TargetRefused, match=r"^127\.0\.0\.1 is a loopback address\."):
        addresses(read_target("http://127.0.0.1:8000/"), (), never)
    with pytest.raises(TargetRefused, match=r"^::1 is a loopback address"):
        addresses(read_target("http://[::1]:8000/"), (), never)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost."])
def test_the_machine_itself_is_found_by_name_too(host: str) -> None:
    with pytest.raises(TargetRefused, match=r"a loopback address|has no address"):
        addresses(read_target(f"http://{host}/"), (), resolve)


def test_a_name_without_an_address_is_told() -> None:
    def fails(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    target = read_target("http://nowhere.example/")
    with pytest.raises(TargetRefused, match=r"nowhere.example has no address \(Name or service not known\)"):
        addresses(target, (), fails)
    with pytest.raises(TargetRefused, match=r"nowhere.example has no address"):
        addresses(target, (), leads_to())


def test_whatever_is_typed_is_read_or_refused_and_a_number_is_never_taken_for_another() -> None:
    """A fuzz: what is accepted leads, by the system's own resolver, to the very address that was judged."""
    chance = random.Random(8)
    pieces = [
        "http", "https", "://", ":", "/", "//", "@", "[", "]", "::1", "127.0.0.1", "0x7f", "017", "1", ".", "%", "#",
        "?", "\\", "\t", "example", "org", "localhost", "ü", "\uff1a", "\uff18", ":80", ":8080", "-", "_", "x", "\x00",
    ]  # fmt: skip
    accepted = 0
    for _ in range(20_000):
        url = "http://" * (chance.random() < 0.7) + "".join(chance.choices(pieces, k=chance.randint(1, 8)))
        try:
            target = read_target(url)
        except InvalidInput:
            continue
        accepted += 1
        assert target.path.startswith("/")
        try:
            address = ipaddress.ip_address(target.host)
        except ValueError:
            # A name. No resolver reads a number out of it without asking.
            with pytest.raises(socket.gaierror):
                socket.getaddrinfo(target.host, target.port, flags=socket.AI_NUMERICHOST)
            continue
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        assert {ipaddress.ip_address(one[4][0]) for one in found} == {address}
        assert refusal(address) is not None or address.is_global
    assert accepted > 500
