"""The one door to RabbitMQ's management API: users, permissions, queues and bindings over HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Final, Self

from webfront.errors import BrokerUnavailable, Conflict
from webfront.settings import Settings

_TIMEOUT_S: Final = 10.0


class Management:
    """Calls to the API as the platform's own broker user, which carries the tag `administrator`."""

    def __init__(self, admin_url: str, user: str, password: str, vhost: str) -> None:
        self._url = admin_url.rstrip("/")
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._user = user
        self.vhost = vhost
        # Straight to the broker: a proxy from the environment has no business with this password.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The API of the platform's broker."""
        address = settings.broker_address()
        return cls(settings.broker_admin_url, address.user, address.password, address.vhost)

    def get(self, *path: str) -> Any:
        """What is at this path, or None when nothing is. The parts of the path are quoted here."""
        return self._call("GET", path, None, missing=True)

    def put(self, *path: str, body: dict[str, Any]) -> None:
        """Make or replace what is at this path. Raises `Conflict` when the broker refuses the change."""
        self._call("PUT", path, body)

    def post(self, *path: str, body: dict[str, Any]) -> None:
        """Add to what is at this path. Raises `Conflict` when the broker refuses it."""
        self._call("POST", path, body)

    def delete(self, *path: str) -> bool:
        """Remove what is at this path; False when nothing was there."""
        return self._call("DELETE", path, None, missing=True) is not None

    def _call(self, method: str, path: tuple[str, ...], body: dict[str, Any] | None, *, missing: bool = False) -> Any:
        """The decoded answer (`{}` for an empty one), or None for a 404 that is allowed."""
        address = f"{self._url}/api/" + "/".join(urllib.parse.quote(part, safe="") for part in path)
        request = urllib.request.Request(  # noqa: S310 - the scheme is the administrator's own setting
            address,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self._authorization, "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            if error.code == 404 and missing:
                return None
            raise self._refusal(error, method, path) from error
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise BrokerUnavailable(
                f"The broker's management API at {self._url} does not answer ({reason}). Is RabbitMQ running, with its "
                "management plugin on, and is SKERRY_BROKER_ADMIN_URL right?"
            ) from error
        return json.loads(content) if content else {}

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
