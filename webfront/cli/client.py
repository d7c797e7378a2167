"""Calls of the API, with what can go wrong put into words."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from webfront.cli.credentials import Credentials
from webfront.cli.errors import NOT_SIGNED_IN, REFUSED, UNREACHABLE, CliError

if TYPE_CHECKING:
    import httpx


class Client:
    def __init__(self, url: str, token: str | None = None, *, transport: httpx.BaseTransport | None = None) -> None:
        # Here, since it takes longer to import than all the rest: `skerry --help` does without.
        import httpx

        timeout = httpx.Timeout(30.0, write=300.0, read=300.0)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/", headers=headers, timeout=timeout, transport=transport
        )
        self._url = url

    @classmethod
    def of(cls, credentials: Credentials) -> Client:
        return cls(credentials.url, credentials.token)

    def call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The decoded answer, an empty dict where there is none. CliError."""
        with self._errors():
            answer = self._http.request(method, path, **options)
        _check(answer)
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return {}
        found = _json(answer)
        if found is None:
            raise CliError(f"{self._url} does not answer like a Skerry. Is the address right?", UNREACHABLE)
        return found

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self.call("GET", path, params={name: value for name, value in params.items() if value is not None})

    def download(self, job_id: str, output: dict[str, Any], folder: Path) -> Path:
        """Fetch a result into `folder`, whole: beside first, its checksum compared, then renamed."""
        name = str(output["name"])
        parts = name.split("/")
        if any(part in {"", ".", ".."} or "\\" in part for part in parts):
            raise CliError(f"The server names an output {name!r}, which is no file name.")
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        digest = hashlib.sha256()
        try:
            with (
                self._errors(),
                self._http.stream("GET", f"jobs/{job_id}/outputs/{quote(name)}") as answer,
                beside.open("xb") as out,
            ):
                if answer.is_error:
                    answer.read()
                    _check(answer)
                for chunk in answer.iter_bytes():
                    digest.update(chunk)
                    out.write(chunk)
            if digest.hexdigest() != output["sha256"]:
                raise CliError(f"{name} arrived damaged: its checksum is another one. Try again.", UNREACHABLE)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
        return target

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.InvalidURL as error:
            raise CliError(f"{self._url!r} is not an address: {error}") from error
        except httpx.HTTPError as error:
            raise CliError(f"{self._url} does not answer: {error or type(error).__name__}.", UNREACHABLE) from error


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    error = (_json(answer) or {}).get("error") or {}
    message = error.get("message") or f"The server answered {answer.status_code} {answer.reason_phrase}."
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise CliError(message, NOT_SIGNED_IN)
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS and (after := answer.headers.get("Retry-After")):
        message += f" (In {after} seconds.)"
    raise CliError(message, UNREACHABLE if answer.status_code >= 500 else REFUSED)


def _json(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
