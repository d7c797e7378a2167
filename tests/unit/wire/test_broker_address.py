"""The broker's address: one host or several, with TLS or without, and words for what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from wire.broker import BrokerAddress
from wire.settings import SettingsError


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("a-password\n")
    return file


@pytest.mark.parametrize(
    ("url", "hosts", "tls"),
    [
        ("amqp://skerry@broker/skerry", (("broker", 5672),), False),
        ("amqps://skerry@broker/skerry", (("broker", 5671),), True),
        ("amqps://skerry@a:5671,b:5673,c/skerry", (("a", 5671), ("b", 5673), ("c", 5671)), True),
        ("amqp://skerry@[2001:db8::1]:80,[::2]/skerry", (("2001:db8::1", 80), ("::2", 5672)), False),
    ],
)
def test_it_names_one_host_or_several(
    password_file: Path, url: str, hosts: tuple[tuple[str, int], ...], tls: bool
) -> None:
    address = BrokerAddress.read(url, password_file)
    assert (address.hosts, address.tls, address.vhost, address.user) == (hosts, tls, "skerry", "skerry")
    assert address.is_cluster == (len(hosts) > 1)
    assert "a-password" not in repr(address)


def test_names_in_it_are_unquoted(password_file: Path) -> None:
    address = BrokerAddress.read("amqp://an%40other@broker/my%2Fhost", password_file)
    assert (address.user, address.vhost) == ("an@other", "my/host")
    assert BrokerAddress.read("amqp://u@broker/", password_file).vhost == "/"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://skerry@broker/", "must read amqp://"),
        ("amqp://broker/", "must read amqp://"),
        ("amqp://skerry@/", "must read amqp://"),
        ("amqp://skerry@a,,b/", "'' is no host"),
        ("amqp://skerry@a:99999/", "99999 is no port"),
        ("amqp://skerry@a:http/", "'a:http' is no host"),
        ("amqp://skerry:secret@broker/", "must not carry the password"),
    ],
)
def test_what_cannot_be_read_is_told(password_file: Path, url: str, words: str) -> None:
    with pytest.raises(SettingsError, match="SKERRY_BROKER_URL") as told:
        BrokerAddress.read(url, password_file)
    assert words in str(told.value)
    assert "secret" not in str(told.value)


def test_a_file_of_authorities_that_is_none_is_told(password_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    with pytest.raises(SettingsError, match=r"SKERRY_BROKER_CA_FILE.*No such file"):
        BrokerAddress.read("amqps://u@broker/", password_file, file)
    file.write_text("nothing of the kind")
    with pytest.raises(SettingsError, match=r"SKERRY_BROKER_CA_FILE: .* holds no certificate"):
        BrokerAddress.read("amqps://u@broker/", password_file, file)
    # Where nothing is encrypted nothing is trusted.
    assert BrokerAddress.read("amqp://u@broker/", password_file, file).trust() is None
