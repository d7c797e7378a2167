"""The one door to RabbitMQ's management API: users, permissions, queues and bindings over HTTP.

Of a cluster any host will do: one that does not answer is passed over for the next. Whatever is asked may be asked
twice, so that an answer that got lost does no harm.
"""

from __future__ import annotations

import base64
import http
import http.client
import json
import logging
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final, Self

from webfront.errors import BrokerUnavailable, Conflict
from webfront.settings import Settings
from wire.broker import describe_ca, describe_certificate, read_hosts, trust_in
from wire.settings import SettingsError

_log = logging.getLogger(__name__)

_TIMEOUT_S: Final = 10.0
_TRIES: Final = 4
_AGAIN_S: Final = 0.3
"""It fails at a connection that ends at the very moment it is to be closed, say, and does not a moment later."""


class Management:
    """Calls to the API as the platform's own broker user, which carries the tag `administrator`."""

    def __init__(
        self,
        admin_url: str,
        user: str,
        password: str,
        vhost: str,
        *,
        ca_file: Path | None = None,
        cluster: bool = False,
    ) -> None:
        """At `http://host:port` or `https://host:port`, with commas between several. SettingsError.

        `cluster` says whether the broker is one: a node's queues are made accordingly.
        """
        self._urls = _read_urls(admin_url)
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._user = user
        self.vhost = vhost
        self.is_cluster = cluster
        # Straight to the broker: a proxy from the environment has no business with this password.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self._urls[0].startswith("https:"):
            try:
                handlers.append(urllib.request.HTTPSHandler(context=trust_in(ca_file)))
            except (OSError, ValueError) as error:
                raise SettingsError(f"SKERRY_BROKER_CA_FILE: {describe_ca(ca_file, error)}") from error
        self._opener = urllib.request.build_opener(*handlers)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The API of the platform's broker."""
        address = settings.broker_address()
        return cls(
            settings.broker_admin_url,
            address.user,
            address.password,
            address.vhost,
            ca_file=settings.broker_ca_file,
            cluster=address.is_cluster,
        )

    def get(self, *path: str, columns: str = "") -> Any:
        """What is at this path, or None when nothing is. The parts of the path are quoted here.

        Of a list, only these `columns` ("name,user").
        """
        return self._call("GET", path, None, missing=True, query=f"?columns={columns}" if columns else "")

    def put(self, *path: str, body: dict[str, Any]) -> None:
        """Make or replace what is at this path. Raises `Conflict` when the broker refuses the change."""
        self._call("PUT", path, body)

    def post(self, *path: str, body: dict[str, Any]) -> None:
        """Add to what is at this path. Raises `Conflict` when the broker refuses it."""
        self._call("POST", path, body)

    def delete(self, *path: str) -> bool:
        """Remove what is at this path; False when nothing was there."""
        return self._call("DELETE", path, None, missing=True) is not None

    def _call(
        self,
        method: str,
        path: tuple[str, ...],
        body: dict[str, Any] | None,
        *,
        missing: bool = False,
        query: str = "",
    ) -> Any:
        """The decoded answer (`{}` for an empty one), or None for a 404 that is allowed."""
        content = b""
        for url in list(self._urls):
            try:
                content = self._ask(url, method, path, body, query)
                break
            except urllib.error.HTTPError as error:
                if error.code == 404 and missing:
                    return None
                raise self._refusal(error, method, path) from error
            except (OSError, http.client.HTTPException) as error:
                if len(self._urls) > 1 and url != self._urls[-1]:
                    _log.warning("the broker's management API at %s does not answer: %s", url, _reason(error))
                    continue
                raise BrokerUnavailable(
                    f"The broker's management API at {url} does not answer ({_reason(error)}). Is RabbitMQ running, "
                    "with its management plugin on, and is SKERRY_BROKER_ADMIN_URL right?"
                ) from error
        # The one that answered is asked first from now on.
        self._urls.sort(key=lambda one: one != url)
        return json.loads(content) if content else {}

    def _ask(self, url: str, method: str, path: tuple[str, ...], body: dict[str, Any] | None, query: str) -> bytes:
        for _ in range(_TRIES - 1):
            try:
                return self._send(url, method, path, body, query)
            except urllib.error.HTTPError as error:
                if error.code != http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                time.sleep(_AGAIN_S)
        return self._send(url, method, path, body, query)

    def _send(self, url: str, method: str, path: tuple[str, ...], body: dict[str, Any] | None, query: str) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - the scheme is the administrator's own setting
            f"{url}/api/" + "/".join(urllib.parse.quote(part, safe="") for part in path) + query,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self._authorization, "Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=_TIMEOUT_S) as response:
            content: bytes = response.read()
        return content

    def _refusal(
        self, error: urllib.error.HTTPError, method: str, path: tuple[str, ...]
    ) -> BrokerUnavailable | Conflict:
        if error.code in (401, 403):
            return BrokerUnavailable(
                f"The broker's management API refuses the user {self._user}: check SKERRY_BROKER_PASSWORD_FILE, and "
                "that the user carries the tag `administrator`."
            )
        try:
            reason = json.loads(error.read()).get("reason", "")
        except (OSError, ValueError, AttributeError):
            reason = ""
        what = f"{method} {'/'.join(path)}"
        if error.code < 500:
            return Conflict(f"The broker refuses {what}: {reason or error.reason}.")
        return BrokerUnavailable(f"The broker failed at {what}: {reason or error.reason}.")


class ReadOnlyManagement(Management):
    """Asks the broker and changes nothing: whoever looks before each change learns what would have to change."""

    def put(self, *path: str, body: dict[str, Any]) -> None:
        return

    def post(self, *path: str, body: dict[str, Any]) -> None:
        return

    def delete(self, *path: str) -> bool:
        return self.get(*path) is not None


def _read_urls(admin_url: str) -> list[str]:
    """`https://one:port,two:port` as one URL for each."""
    where = "SKERRY_BROKER_ADMIN_URL must read http://host:port or https://host:port, with commas between several hosts"
    scheme, _, hosts = admin_url.rstrip("/").partition("://")
    if scheme not in ("http", "https"):
        raise SettingsError(where)
    try:
        found = read_hosts(hosts, 15671 if scheme == "https" else 15672)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from error
    return [f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}" for host, port in found]


def _reason(error: Exception) -> object:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return describe_certificate(reason) if isinstance(reason, ssl.SSLCertVerificationError) else reason
