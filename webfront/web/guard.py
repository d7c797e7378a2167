"""Who is asking, and may this request go on: one Bottle plugin before every route, of pages and API alike.

A route says what it needs where it is declared, and is closed when it says nothing:

    @app.post("/jobs", action="job.submit")               # a signed-in user; `action` is required on unsafe methods
    @app.get("/login", access="public")
    @app.get("/settings", access="admin")

Inside a route, `identity()` tells who asks. An unsafe method that comes with a session cookie must carry the session's
CSRF token, as the header `X-CSRF-Token` or the form field `csrf_token`; with a bearer token it needs none. A signed-in
user's multipart form may be as large as `SKERRY_MAX_UPLOAD_MB` says, every other body of theirs 1 MiB, and one of
nobody who is known 16 KiB.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import bottle

from webfront.accounts.policy import Act, require
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.database.connection import TROUBLE
from webfront.errors import Forbidden, NotSignedIn, SkerryError
from webfront.settings import Settings
from webfront.web import bodies
from webfront.web.answers import connected
from webfront.web.services import Services

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
ACCESS = frozenset({"public", "user", "admin"})
_KEY = "skerry.identity"


@dataclass(frozen=True)
class Identity:
    """Who asks: by cookie (then `csrf_token` is set, for the page's forms) or by bearer token."""

    account: Account
    csrf_token: str | None = None


class Guard:
    """The plugin. It runs inside the action log and outside the route."""

    name = "skerry.guard"
    api = 2

    def __init__(self, services: Services) -> None:
        self._services = services

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        access = route.config.get("access", "user")
        if access not in ACCESS:
            raise ValueError(f"route {route.rule}: access is one of {sorted(ACCESS)}, not {access!r}")

        if access == "public" and route.config.get("database") is False:
            return callback  # nobody can be looked up

        def guarded(*args: Any, **kwargs: Any) -> Any:
            found = identify(self._services)
            bottle.request.environ[_KEY] = found
            if found is not None:
                deeds.belongs_to(found.account.name)
            if access != "public" and found is None:
                raise NotSignedIn("Sign in first.")
            if access == "admin" and found is not None:
                require(found.account, Act.ADMINISTER)
            if bottle.request.method not in SAFE_METHODS:
                _check_origin(found)
                bodies.prepare(_largest(found, bottle.request.environ, self._services))
                _check_csrf(found)
            return callback(*args, **kwargs)

        return guarded


def may_send(services: Services, environ: dict[str, Any]) -> int:
    """How many bytes of a body are taken in from who sends this request: asked before any of them are read.

    Nothing is refused here. The request goes on without its body, and what is said is the guard's to say, or that the
    database does not answer.
    """
    bottle.request.bind(environ)
    try:
        with connected():
            return _largest(identify(services), environ, services)
    except (SkerryError, *TROUBLE):
        return bodies.UNKNOWN


def _largest(found: Identity | None, environ: Mapping[str, Any], services: Services) -> int:
    if found is None:
        return bodies.UNKNOWN
    # What surrounds the file in its multipart body comes on top.
    return services.settings.max_upload_mb * 2**20 + bodies.SMALL if bodies.is_form(environ) else bodies.SMALL


def identity() -> Identity:
    """Who asks, in a route that is not public."""
    found = visitor()
    if found is None:
        raise NotSignedIn("Sign in first.")
    return found


def visitor() -> Identity | None:
    """Who asks, or None: for public routes."""
    found = bottle.request.environ.get(_KEY)
    return found if isinstance(found, Identity) else None


def identify(services: Services) -> Identity | None:
    """The identity that this request proves: the bearer token if it brings one, else the cookie."""
    token = bearer_token()
    if token is not None:
        account = services.accounts.bearer(token)
        if account is None:
            raise NotSignedIn("This token is not known or has expired. Sign in again.")
        return Identity(account)
    cookie = bottle.request.get_cookie(cookie_name(services.settings))
    session = services.accounts.session(cookie) if cookie else None
    return Identity(session.account, session.csrf_token) if session else None


def bearer_token() -> str | None:
    """The token of `Authorization: Bearer`, or None without such a header."""
    kind, _, token = str(bottle.request.get_header("Authorization", "")).partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _check_origin(found: Identity | None) -> None:
    """Refuse what another site made this browser send. A bearer token cannot be sent by another site."""
    if found is not None and found.csrf_token is None:
        return
    origin = bottle.request.get_header("Origin")
    if origin and urlsplit(origin).netloc != bottle.request.get_header("Host"):
        raise Forbidden("This request comes from another site.")
    if bottle.request.get_header("Sec-Fetch-Site", "same-origin") == "cross-site":
        raise Forbidden("This request comes from another site.")


def _check_csrf(found: Identity | None) -> None:
    if found is not None and found.csrf_token is not None:
        # The header first: looking for the form field reads the body.
        given = bottle.request.get_header("X-CSRF-Token") or bottle.request.forms.getunicode("csrf_token") or ""
        if not hmac.compare_digest(given.encode(), found.csrf_token.encode()):
            raise Forbidden("This page has expired. Load it again and repeat what you did.")


def client_address(settings: Settings, environ: Mapping[str, Any] | None = None) -> str:
    """The address the request comes from, for throttling and the log.

    Behind TLS (`SKERRY_SECURE_COOKIES`) the proxy on this machine, or in one of `SKERRY_PROXY_NETWORKS`, adds the
    client to `X-Forwarded-For`; anyone else's header is not believed.
    """
    given = bottle.request.environ if environ is None else environ
    peer = str(given.get("REMOTE_ADDR", ""))
    forwarded = str(given.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    if settings.secure_cookies and forwarded and _is_proxy(peer, settings):
        return forwarded[:64]
    return peer.rpartition(":")[0][:64] if peer.count(":") == 1 else peer[:64]


def _is_proxy(peer: str, settings: Settings) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in settings.proxy_networks)


def cookie_name(settings: Settings) -> str:
    """With the prefix that makes browsers insist on Secure and on this host, where there is TLS."""
    return "__Host-skerry" if settings.secure_cookies else "skerry"


def set_session_cookie(settings: Settings, token: str, *, max_age_s: int) -> None:
    """Put the session's token into the response."""
    bottle.response.set_cookie(
        cookie_name(settings),
        token,
        path="/",
        httponly=True,
        samesite="lax",
        secure=settings.secure_cookies,
        max_age=max_age_s,
    )


def clear_session_cookie(settings: Settings) -> None:
    """Take the session's token out of the browser."""
    bottle.response.delete_cookie(cookie_name(settings), path="/", secure=settings.secure_cookies, httponly=True)
