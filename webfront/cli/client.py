"""Calls of the API, with what can go wrong put into words."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from webfront.cli.credentials import Credentials
from webfront.cli.errors import NOT_SIGNED_IN, REFUSED, UNREACHABLE, USAGE, CliError, Unanswered

if TYPE_CHECKING:
    import httpx


AGAIN_AFTER_S: Final = (1.0, 2.0, 4.0, 8.0)
"""How long to wait before each repetition of what got no answer. After the last one it is given up."""

_GET_S: Final = 30.0
_FOR_NOW: Final = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


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
        return self._decoded(self._answer(method, path, **options))

    def submit(
        self, path: str, key: str, *, tell: Callable[[str], None], sleep: Callable[[float], None], **options: Any
    ) -> tuple[dict[str, Any], bool]:
        """POST with an idempotency key, which makes it safe to send again: that is done while no answer comes.

        Returns the decoded answer, and whether it is that of an earlier request with this key. CliError.
        """
        headers = {"Idempotency-Key": _quoted(key)}
        sent, pauses = False, iter(AGAIN_AFTER_S)
        while True:
            try:
                answer = self._answer("POST", path, headers=headers, **options)
                return self._decoded(answer), "Idempotent-Replayed" in answer.headers
            except Unanswered as error:
                sent, pause = sent or error.sent, next(pauses, None)
                if pause is None:
                    raise (_given_up(error, key) if sent else error) from error.__cause__
                tell(f"{error} It is sent again in {pause:.0f} s.")
                sleep(pause)

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._errors():
            answer = self._http.request(method, path, **options)
        _check(answer)
        return answer

    def _decoded(self, answer: httpx.Response) -> dict[str, Any]:
        if answer.status_code == HTTPStatus.NO_CONTENT:
            return {}
        found = _json(answer)
        if found is None:
            raise CliError(f"{self._url} does not answer like a Skerry. Is the address right?", UNREACHABLE)
        return found

    def program(self) -> bytes:
        """What a machine joins with. CliError."""
        with self._errors():
            answer = self._http.get(f"{self._url.rstrip('/')}/join/skerry.pyz")
        _check(answer)
        return answer.content

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """What is there. An answer that stops on its way is given up after half a minute. CliError."""
        given = {name: value for name, value in params.items() if value is not None}
        return self.call("GET", path, params=given, timeout=_GET_S)

    @contextlib.contextmanager
    def receiving(self, path: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """An answer whose body is taken as it comes. CliError."""
        with self._errors(), self._http.stream("GET", path, headers=headers) as answer:
            if answer.is_error:
                answer.read()
                _check(answer)
            yield answer

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.InvalidURL as error:
            raise CliError(f"{self._url!r} is not an address: {error}") from error
        except httpx.HTTPError as error:
            words = f"{self._url} does not answer: {str(error) or type(error).__name__}."
            if not isinstance(error, httpx.TimeoutException | httpx.NetworkError | httpx.RemoteProtocolError):
                raise CliError(words, UNREACHABLE) from error
            sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise Unanswered(words, sent=sent) from error


def _quoted(key: str) -> str:
    """The key as a header carries it. How long one may be is the server's to say."""
    if not key.isascii() or not key.isprintable():
        raise CliError("An idempotency key is printable ASCII: letters, digits, signs and spaces.", USAGE)
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _given_up(error: Unanswered, key: str) -> CliError:
    advice = f"To send it again without making a second one, add --idempotency-key {shlex.quote(key)}."
    return CliError(f"{error} It may have been accepted all the same. {advice}", error.code)


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    error = (_json(answer) or {}).get("error") or {}
    message = error.get("message") or f"The server answered {answer.status_code} {answer.reason_phrase}."
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise CliError(message, NOT_SIGNED_IN)
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS and (after := answer.headers.get("Retry-After")):
        message += f" (In {after} seconds.)"
    if answer.status_code in _FOR_NOW:
        raise Unanswered(message, sent=True)
    raise CliError(message, UNREACHABLE if answer.status_code >= 500 else REFUSED)


def _json(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
