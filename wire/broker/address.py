"""Where the broker is and who connects."""

from __future__ import annotations

import dataclasses
import urllib.parse
from pathlib import Path

from wire.settings import SettingsError


@dataclasses.dataclass(frozen=True)
class BrokerAddress:
    """Host, port, virtual host and user; the password is in no URL and no `repr`."""

    host: str
    port: int
    vhost: str
    user: str
    password: str = dataclasses.field(repr=False)

    @classmethod
    def read(cls, url: str, password_file: Path) -> BrokerAddress:
        """From `amqp://user@host:port/vhost` and a file with the password. SettingsError, naming both variables."""
        where = "SKERRY_BROKER_URL or SKERRY_BROKER_PASSWORD_FILE"
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port or 5672
            password = password_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{where}: {error}") from error
        if parts.scheme != "amqp" or not parts.hostname or not parts.username:
            raise SettingsError(f"{where}: the broker's address must read amqp://user@host:port/vhost")
        if parts.password:
            raise SettingsError(f"{where}: the address must not carry the password, which belongs in its own file")
        return cls(
            host=parts.hostname,
            port=port,
            vhost=urllib.parse.unquote(parts.path[1:]) or "/",
            user=urllib.parse.unquote(parts.username),
            password=password,
        )
