"""One try of a delivery: the only module here that speaks HTTP.

The connection goes to an address that was judged, by its number; the target's name is in the Host header and, with TLS,
in the handshake and is what the certificate must be for. Nothing else is done on a target's word: no redirect is
followed, no proxy asked for, no cookie kept, no connection used twice; of the answer's body a little is read at most
and none of it shown. A try ends after ten seconds, whatever the target does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import Final, NamedTuple

import httpx

from webfront.webhooks.networks import Network
from webfront.webhooks.targets import Resolve, Target, TargetRefused, addresses, resolve

DEADLINE_S: Final = 10.0
_CONNECT_S: Final = 4.0
_MOST_ADDRESSES: Final = 3
"""How many of a name's addresses are tried, where the first cannot be reached."""
_MOST_OF_THE_BODY: Final = 16 * 1024
_READ_S: Final = 2.0

_TRUSTS_NOBODY: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Stands where there is no TLS: to read the authorities takes a while."""
_COMMON: Final = {
    "User-Agent": "Skerry-Webhooks/1",
    "Accept": "*/*",
    "Connection": "close",
    "Content-Type": "application/json",
}


class Sent(NamedTuple):
    """How a try went: the answer's status where there was one, and what was wrong in words."""

    status: int | None = None
    error: str = ""

    @property
    def arrived(self) -> bool:
        return not self.error


class Sender:
    def __init__(
        self,
        allowed: Sequence[Network] = (),
        *,
        resolve: Resolve = resolve,
        deadline_s: float = DEADLINE_S,
        certificates: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._deadline_s = deadline_s
        self._certificates = certificates

    async def post(self, target: Target, headers: Mapping[str, str], body: bytes, resolver: Executor) -> Sent:
        """Send it once. Whatever goes wrong is told in the answer. `resolver` runs the wait for the name's address."""
        loop = asyncio.get_running_loop()
        find = functools.partial(addresses, target, self._allowed, self._resolve)
        try:
            # Not under the deadline: a resolver's thread cannot be cut off, and ends by its own patience.
            found = await loop.run_in_executor(resolver, find)
            deadline = loop.time() + self._deadline_s
            for address in found[:-1][: _MOST_ADDRESSES - 1]:
                # Nothing was sent where there was no connection, so the next address may be tried.
                with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
                    return await self._to(address, target, headers, body, deadline)
            return await self._to(found[-1], target, headers, body, deadline)
        except TargetRefused as refused:
            return Sent(error=str(refused))
        except TimeoutError:
            return Sent(error=f"It did not answer within {self._deadline_s:.0f} s.")
        except httpx.HTTPError as error:
            return Sent(error=_words(error))

    async def _to(self, address: str, target: Target, headers: Mapping[str, str], body: bytes, deadline: float) -> Sent:
        request = httpx.Request(
            "POST",
            f"{target.scheme}://{target.at(address)}{target.path}",
            headers={"Host": target.authority, **_COMMON, **headers},
            content=body,
            extensions={"sni_hostname": target.host.removesuffix("."), "timeout": {"connect": _CONNECT_S}},
        )
        context = self._trust() if target.scheme == "https" else _TRUSTS_NOBODY
        # A transport of its own, so that no other target's connection to the same address is used again; and no more
        # than a transport, since a client would add cookies, redirects and proxies.
        async with httpx.AsyncHTTPTransport(verify=context, trust_env=False) as transport:
            async with asyncio.timeout_at(deadline):
                answer = await transport.handle_async_request(request)
            # A receiver that is cut off while it answers may take that for a failure.
            with contextlib.suppress(httpx.HTTPError, TimeoutError):
                async with asyncio.timeout(_READ_S):
                    await _read_a_little(answer)
            await answer.aclose()
        return _judged(answer.status_code)

    def _trust(self) -> ssl.SSLContext:
        """The authorities that certificates may come from: those that browsers trust, and this machine's own."""
        if self._certificates is None:
            self._certificates = httpx.create_ssl_context(trust_env=False)
            self._certificates.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return self._certificates


def _judged(status: int) -> Sent:
    if httpx.codes.is_success(status):
        return Sent(status)
    words = f"It answered {status} {httpx.codes.get_reason_phrase(status)}".rstrip()
    if httpx.codes.is_redirect(status):
        return Sent(status, f"{words}. Redirects are not followed: make a webhook with the final address.")
    return Sent(status, f"{words}.")


async def _read_a_little(answer: httpx.Response) -> None:
    read = 0
    async for part in answer.aiter_raw():
        read += len(part)
        if read > _MOST_OF_THE_BODY:
            return


def _words(error: httpx.HTTPError) -> str:
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"Its certificate was refused: {cause.verify_message}."
    # The system's words for the error's number; the libraries' own repeat the address, or say less.
    said = os.strerror(cause.errno or 0) if cause else " ".join(str(error).split()) or type(error).__name__
    match error:
        case httpx.ConnectTimeout():
            return f"It could not be reached within {_CONNECT_S:.0f} s."
        case httpx.ConnectError():
            return f"It could not be reached: {said}."
        case httpx.RemoteProtocolError():
            return f"It did not answer in HTTP: {said}."
        case _:
            return f"The connection broke: {said}."


def _cause(error: BaseException) -> OSError | None:
    """The system's error beneath those of the libraries, where there is one."""
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.__cause__ or cause.__context__
    return cause
