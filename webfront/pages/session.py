"""Signing in and out."""

from __future__ import annotations

import time

import bottle

from webfront.errors import NotSignedIn, Throttled
from webfront.pages.rendering import refused, render, see_other
from webfront.web import actions, guard
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    settings = services.settings

    @app.get("/login", access="public")
    def login() -> str | bottle.HTTPResponse:
        onward = local_path(bottle.request.query.getunicode("next"))
        if guard.visitor() is not None:
            return see_other(onward)
        return render("login.html", error=None, user="", next=onward)

    @app.post("/login", access="public", action="session.begin")
    def sign_in() -> str | bottle.HTTPResponse:
        forms = bottle.request.forms
        user, onward = forms.getunicode("user") or "", local_path(forms.getunicode("next"))
        client = guard.client_address(settings)
        try:
            session = services.accounts.sign_in(user, forms.getunicode("password") or "", client=client)
        except (NotSignedIn, Throttled) as error:
            if isinstance(error, Throttled):
                bottle.response.set_header("Retry-After", str(int(error.retry_after_s) + 1))
            return refused(error, "login.html", user=user, next=onward)
        actions.note("user.name", session.account.name)
        guard.set_session_cookie(settings, session.token, max_age_s=int(session.expires_at - time.time()))
        return _with_cookies(see_other(onward))

    @app.post("/logout", action="session.end")
    def sign_out() -> bottle.HTTPResponse:
        token = bottle.request.get_cookie(guard.cookie_name(settings))
        if token:
            services.accounts.sign_out(token)
        guard.clear_session_cookie(settings)
        return _with_cookies(see_other("/login"))


def local_path(given: str | None) -> str:
    """`given` if it is a path on this site, else the home page: a link must not lead a fresh sign-in elsewhere."""
    if not given or not given.startswith("/") or given.startswith(("//", "/\\", "/login")) or not given.isprintable():
        return "/"
    return given


def _with_cookies(answer: bottle.HTTPResponse) -> bottle.HTTPResponse:
    """Carry over what was set on the request's response: an answer of its own has headers of its own."""
    for name, value in bottle.response.headerlist:
        if name == "Set-Cookie":
            answer.add_header(name, value)
    return answer
