"""Where the broker is, who connects, and whom to trust for its certificate."""

from __future__ import annotations

import dataclasses
import re
import ssl
import urllib.parse
from pathlib import Path
from typing import Final

from wire.settings import SettingsError

_PORTS: Final = {"amqp": 5672, "amqps": 5671}
_FORM: Final = "amqp://user@host:port/vhost, or amqps:// for TLS; of a cluster all hosts, as in host1:port,host2:port"
_URL: Final = re.compile(r"(?P<scheme>[a-z]+)://(?P<user>[^/@]+)@(?P<hosts>[^/@?#]+)(?:/(?P<vhost>[^?#]*))?")
_HOST: Final = re.compile(r"(?P<host>[^][:,@/\s]+|\[(?P<v6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?")

Host = tuple[str, int]
"""A host's name or address, and the port."""


@dataclasses.dataclass(frozen=True)
class BrokerAddress:
    """A broker's host and port, those of the `others` of its cluster, virtual host and user.

    The password is in no URL and no `repr`. With `tls` the certificate is checked, for the name that is connected to,
    against the authorities in `ca_file`; without that file against those of the system.
    """

    host: str
    port: int
    vhost: str
    user: str
    password: str = dataclasses.field(repr=False)
    others: tuple[Host, ...] = ()
    tls: bool = False
    ca_file: Path | None = None

    @classmethod
    def read(cls, url: str, password_file: Path, ca_file: Path | None = None) -> BrokerAddress:
        """From `amqps://user@host:port,host:port/vhost` and files. SettingsError, naming the variable."""
        where = "SKERRY_BROKER_URL or SKERRY_BROKER_PASSWORD_FILE"
        try:
            password = password_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{where}: {error}") from error
        parts = _URL.fullmatch(url)
        if parts is None or parts["scheme"] not in _PORTS:
            raise SettingsError(f"{where}: the broker's address must read {_FORM}")
        if ":" in parts["user"]:
            raise SettingsError(f"{where}: the address must not carry the password, which belongs in its own file")
        try:
            (host, port), *others = read_hosts(parts["hosts"], _PORTS[parts["scheme"]])
        except ValueError as error:
            raise SettingsError(f"{where}: {error}; the broker's address must read {_FORM}") from error
        address = cls(
            host=host,
            port=port,
            vhost=urllib.parse.unquote(parts["vhost"] or "") or "/",
            user=urllib.parse.unquote(parts["user"]),
            password=password,
            others=tuple(others),
            tls=parts["scheme"] == "amqps",
            ca_file=ca_file,
        )
        try:
            address.trust()
        except (OSError, ValueError) as error:
            raise SettingsError(f"SKERRY_BROKER_CA_FILE: {describe_ca(ca_file, error)}") from error
        return address

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All of them: any one will do."""
        return ((self.host, self.port), *self.others)

    @property
    def is_cluster(self) -> bool:
        """Whether the broker is a cluster: what is declared there must outlive one of its hosts."""
        return bool(self.others)

    def trust(self) -> ssl.SSLContext | None:
        """What a connection over TLS trusts, read anew each time; None without TLS. OSError, ValueError."""
        return trust_in(self.ca_file) if self.tls else None


def read_hosts(text: str, port: int) -> list[Host]:
    """`host:port,host:port`, with this port where none is said. ValueError."""
    hosts: list[Host] = []
    for part in text.split(","):
        found = _HOST.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"{part.strip()!r} is no host and port")
        number = int(found["port"] or port)
        if not 1 <= number <= 65535:
            raise ValueError(f"{number} is no port")
        hosts.append((found["v6"] or found["host"], number))
    return hosts


def trust_in(ca_file: Path | None) -> ssl.SSLContext:
    """For a client: TLS 1.2 or later, and a certificate for the host's name by an authority of the file.

    None trusts the system's authorities. OSError (ssl's errors are some), ValueError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(cadata=ca_file.read_text(encoding="ascii"))
    return context


def describe_ca(ca_file: Path | None, error: Exception) -> str:
    """Why a file of authorities cannot be used."""
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return str(error)
    return f"{ca_file} holds no certificate of an authority (PEM)"
