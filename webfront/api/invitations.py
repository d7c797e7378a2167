"""Invitations, for administrators."""

from __future__ import annotations

import bottle

from webfront.api.bodies import Body, read_json, reply
from webfront.api.operations import Operation
from webfront.fleet.views import NodeView
from webfront.invitations.views import InvitationView, NewInvitation
from webfront.plays.views import PlayView
from webfront.web import actions
from webfront.web.guard import identity
from webfront.web.services import Services


class InvitationBody(Body):
    node: str
    slots: int = 1
    labels: tuple[str, ...] = ()
    hours: float = 1.0
    """How long it holds."""


class ApprovalBody(Body):
    code: str
    """The one that the machine shows."""


def register(app: bottle.Bottle, services: Services) -> None:
    invitations = services.invitations

    @app.get(
        "/api/v1/invitations",
        operation=Operation("The invitations, newest first", {200: {"invitations": list[InvitationView]}}),
    )
    def index() -> bytes:
        return reply(invitations=invitations.list(identity().account))

    @app.post(
        "/api/v1/invitations",
        action="invitation.create",
        operation=Operation(
            "Invite a machine to join by itself; `token` is shown once, `program_sha256` is of `/join/skerry.pyz`",
            {201: {"invitation": InvitationView, "token": str, "program_sha256": str}},
            json=InvitationBody,
        ),
    )
    def create() -> bytes:
        body = read_json(InvitationBody)
        actions.note("skerry.node", body.node)
        new = NewInvitation(node=body.node, slots=body.slots, labels=body.labels, hours=body.hours)
        made = invitations.invite(identity().account, new)
        return reply(code=201, invitation=made.invitation, token=made.token, program_sha256=invitations.program.sha256)

    @app.get(
        "/api/v1/invitations/<invitation_id:int>",
        operation=Operation("An invitation", {200: {"invitation": InvitationView}}),
    )
    def show(invitation_id: int) -> bytes:
        return reply(invitation=invitations.get(identity().account, invitation_id))

    @app.delete(
        "/api/v1/invitations/<invitation_id:int>",
        action="invitation.revoke",
        operation=Operation("Revoke an invitation", {200: {"invitation": InvitationView}}),
    )
    def revoke(invitation_id: int) -> bytes:
        return reply(invitation=invitations.revoke(identity().account, invitation_id))

    @app.post(
        "/api/v1/invitations/<invitation_id:int>/refuse",
        action="invitation.refuse",
        operation=Operation("Refuse the machine that asks to join", {200: {"invitation": InvitationView}}),
    )
    def refuse(invitation_id: int) -> bytes:
        return reply(invitation=invitations.refuse(identity().account, invitation_id))

    @app.post(
        "/api/v1/invitations/<invitation_id:int>/approve",
        action="node.admit",
        operation=Operation(
            "Let the machine join that shows this code", {202: {"node": NodeView, "play": PlayView}}, json=ApprovalBody
        ),
    )
    def approve(invitation_id: int) -> bytes:
        admitted = invitations.approve(identity().account, invitation_id, read_json(ApprovalBody).code)
        actions.note("skerry.node", admitted.node.name)
        return reply(code=202, node=admitted.node, play=admitted.play)
