"""What a machine that joins by itself asks: it has no account, but an invitation's token and a key of its own."""

from __future__ import annotations

import bottle
import msgspec
from msgspec import UNSET, UnsetType

from webfront.api.bodies import Body, no_content, read_json, reply
from webfront.api.operations import File, Operation
from webfront.errors import InvalidInput
from webfront.invitations.views import Machine, Offer, Standing
from webfront.web.guard import client_address
from webfront.web.services import Services

_TOKEN, _KEY = "Skerry-Token", "Skerry-Machine"
_HEADERS = {_TOKEN: "the invitation's token", _KEY: "the machine's key, which it has made itself"}


class ClaimBody(Body):
    host: str
    addresses: tuple[str, ...]
    """Those by which it reaches the file server."""
    arch: str
    system: str
    python: str
    code: str
    """By this an administrator knows the machine."""
    was: str = ""
    """The node that it is already,"""
    password: str | UnsetType = UNSET
    """and the broker password that it has as this node."""


def register(app: bottle.Bottle, services: Services) -> None:
    invitations = services.invitations

    @app.post(
        "/api/v1/join",
        access="public",
        action="invitation.claim",
        operation=Operation(
            "Ask to join; the first machine that comes with a token has its invitation",
            {200: {"standing": Standing}},
            json=ClaimBody,
            headers=_HEADERS,
        ),
    )
    def claim() -> bytes:
        told = msgspec.structs.asdict(read_json(ClaimBody))
        password = told.pop("password")
        try:
            machine = msgspec.convert(told | {"seen_from": client_address(services.settings)}, Machine)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"What the machine says about itself cannot be used: {error}.") from error
        return reply(standing=invitations.claim(*_credentials(), machine, "" if password is UNSET else password))

    @app.get(
        "/api/v1/join",
        access="public",
        operation=Operation("Where the machine stands", {200: {"standing": Standing}}, headers=_HEADERS),
    )
    def standing() -> bytes:
        return reply(standing=invitations.standing(*_credentials()))

    @app.delete(
        "/api/v1/join",
        access="public",
        action="invitation.withdraw",
        operation=Operation("Ask no more: the invitation is open again", {204: None}, headers=_HEADERS),
    )
    def withdraw() -> str:
        invitations.withdraw(*_credentials())
        return no_content()

    @app.get(
        "/api/v1/join/offer",
        access="public",
        operation=Operation("What an admitted machine joins with", {200: {"offer": Offer}}, headers=_HEADERS),
    )
    def offer() -> bytes:
        return reply(offer=invitations.offer(*_credentials()))

    @app.get(
        "/api/v1/join/packages/<name>",
        access="public",
        operation=Operation("An archive of packages that the offer names", {200: File}, headers=_HEADERS),
    )
    def package(name: str) -> bottle.HTTPResponse:
        file = invitations.package(*_credentials(), name)
        return bottle.HTTPResponse(file, headers={"Content-Type": "application/octet-stream"})

    @app.post(
        "/api/v1/join/taken",
        access="public",
        action="invitation.take",
        operation=Operation(
            "The machine keeps what it got: here it is wiped", {200: {"standing": Standing}}, headers=_HEADERS
        ),
    )
    def taken() -> bytes:
        return reply(standing=invitations.take(*_credentials()))


def _credentials() -> tuple[str, str]:
    header = bottle.request.get_header
    return str(header(_TOKEN, "")).strip()[:200], str(header(_KEY, "")).strip()[:200]
