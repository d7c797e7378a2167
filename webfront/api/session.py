"""Tokens of the API: getting one, giving it up, and whose it is."""

from __future__ import annotations

import bottle

from webfront.api.bodies import Body, no_content, read_json, reply
from webfront.api.operations import Operation
from webfront.errors import InvalidInput
from webfront.web import actions
from webfront.web.guard import bearer_token, client_address, identity
from webfront.web.services import Services


class SignIn(Body):
    user: str
    password: str
    label: str = ""


def register(app: bottle.Bottle, services: Services) -> None:
    @app.post(
        "/api/v1/tokens",
        access="public",
        action="token.issue",
        operation=Operation("Sign in: make a token", {201: {"token": str, "expires_at": float}}, json=SignIn),
    )
    def issue() -> bytes:
        body = read_json(SignIn)
        client = client_address(services.settings)
        token = services.accounts.issue_token(body.user, body.password, client=client, label=body.label)
        # Only now: what was typed as a name in vain may be a password.
        actions.note("user.name", token.account.name)
        return reply(code=201, token=token.token, expires_at=token.expires_at)

    @app.delete(
        "/api/v1/tokens/current",
        action="token.revoke",
        operation=Operation("Give up the token this request comes with", {204: None}),
    )
    def revoke() -> str:
        token = bearer_token()
        if token is None:
            raise InvalidInput("This request comes with a session, not with a token.")
        services.accounts.revoke_token(token)
        return no_content()

    @app.get(
        "/api/v1/me", operation=Operation("Whose this token or session is", {200: {"name": str, "is_admin": bool}})
    )
    def me() -> bytes:
        account = identity().account
        return reply(name=account.name, is_admin=account.is_admin)
