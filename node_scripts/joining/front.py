"""Asking the web front, with the standard library alone."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

TIMEOUT_S: Final = 30.0
_CHUNK: Final = 256 * 1024


class JoinError(Exception):
    """Ends the program with words for whoever runs it."""


class Refused(JoinError):
    """The web front says no, and would say it again."""


class Away(JoinError):
    """The web front does not answer, or cannot now."""


class Front:
    """The web front, as the machine with this token and this key sees it."""

    def __init__(self, url: str, token: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Skerry-Token": token, "Skerry-Machine": key, "User-Agent": "skerry-join"}
        # Of the system, or of SSL_CERT_FILE.
        https = urllib.request.HTTPSHandler(context=ssl.create_default_context())
        # A redirect could lead the token elsewhere; and whoever wants a proxy says so in the environment.
        self._open = urllib.request.build_opener(https, _NoRedirects()).open

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The decoded answer. Refused, Away."""
        data = None if body is None else json.dumps(body).encode()
        with self._answer(method, path, data) as answer:
            text = answer.read()
        try:
            found = json.loads(text or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(f"{self._url} does not answer like a Skerry. Is the address right?")
        return found

    def fetch(self, path: str, into: Path, sha256: str) -> None:
        """A file, whole and with this checksum. Refused, Away."""
        beside = into.with_name(f".{into.name}.half")
        digest = hashlib.sha256()
        with self._answer("GET", path, None) as answer, beside.open("wb") as out:
            while chunk := _read(answer, self._url):
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != sha256:
            beside.unlink()
            raise Away(f"{into.name} arrived damaged.")
        beside.replace(into)

    def _answer(self, method: str, path: str, data: bytes | None) -> Any:
        request = urllib.request.Request(f"{self._url}/api/v1/{path}", data, self._headers, method=method)  # noqa: S310
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            return self._open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            with error:
                words = _words(error)
            raise (Away if error.code >= 500 or error.code == 429 else Refused)(words) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise Refused(
                    f"The certificate of {self._url} is of an authority that this machine does not trust "
                    f"({reason.verify_message}). Where it is the platform's own, copy its ca.crt here, and run this "
                    "again as: sudo SSL_CERT_FILE=ca.crt python3 ..."
                ) from None
            raise Away(f"{self._url} does not answer ({reason or type(error).__name__}).") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _read(answer: Any, url: str) -> bytes:
    try:
        found: bytes = answer.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise Away(f"{url} stopped in the middle of a file ({error}).") from None
    return found


def _words(error: urllib.error.HTTPError) -> str:
    try:
        message = json.loads(error.read())["error"]["message"]
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return f"The web front answered {error.code} {error.reason}."
    return str(message)
