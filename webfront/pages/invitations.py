"""The pages of machines that join by themselves: invite one, and approve the one that asks. A token is shown once."""

from __future__ import annotations

import bottle

from webfront.errors import InvalidInput, SkerryError
from webfront.invitations.views import NewInvitation
from webfront.pages.rendering import refused, render, see_other
from webfront.web import actions, guard
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    invitations = services.invitations

    @app.get("/join/skerry.pyz", access="public", database=False)
    def program() -> bottle.HTTPResponse:
        return bottle.HTTPResponse(invitations.program.body, headers={"Content-Type": "application/octet-stream"})

    @app.get("/invitations", access="admin")
    def listing() -> str:
        return render("invitations.html", invitations=invitations.list(guard.identity().account))

    @app.get("/invitations/new", access="admin")
    def form() -> str:
        return render("invitation_new.html", error=None, typed=_typed(bottle.request.query))

    @app.post("/invitations/new", access="admin", action="invitation.create")
    def create() -> str:
        typed = _typed(bottle.request.forms)
        actions.note("skerry.node", typed["node"])
        try:
            made = invitations.invite(guard.identity().account, _new(typed))
        except SkerryError as error:
            return refused(error, "invitation_new.html", typed=typed)
        bottle.response.status = 201
        line = line_to_paste(front_url(services), made.token, invitations.program.sha256)
        return render("invitation_line.html", invitation=made.invitation, line=line)

    @app.get("/invitations/<invitation_id:int>", access="admin")
    def invitation(invitation_id: int) -> str:
        return render("invitation.html", invitation=invitations.get(guard.identity().account, invitation_id))

    @app.post("/invitations/<invitation_id:int>/approve", access="admin", action="node.admit")
    def approve(invitation_id: int) -> bottle.HTTPResponse:
        code = bottle.request.forms.getunicode("code") or ""
        admitted = invitations.approve(guard.identity().account, invitation_id, code)
        actions.note("skerry.node", admitted.node.name)
        return see_other(f"/nodes/{admitted.node.name}")

    @app.post("/invitations/<invitation_id:int>/refuse", access="admin", action="invitation.refuse")
    def refuse(invitation_id: int) -> bottle.HTTPResponse:
        return see_other(f"/invitations/{invitations.refuse(guard.identity().account, invitation_id).id}")

    @app.post("/invitations/<invitation_id:int>/revoke", access="admin", action="invitation.revoke")
    def revoke(invitation_id: int) -> bottle.HTTPResponse:
        return see_other(f"/invitations/{invitations.revoke(guard.identity().account, invitation_id).id}")


def front_url(services: Services) -> str:
    """Where this page was asked for, as a machine is to ask."""
    scheme = "https" if services.settings.secure_cookies else bottle.request.environ.get("wsgi.url_scheme", "http")
    return f"{scheme}://{bottle.request.get_header('Host', 'localhost')}"


def line_to_paste(front: str, token: str, sha256: str) -> str:
    """A shell's line for the machine: it fetches the program, runs nothing but this very one, and joins."""
    fetch = (
        f"import hashlib,sys,urllib.request;b=urllib.request.urlopen('{front}/join/skerry.pyz').read();"
        f"hashlib.sha256(b).hexdigest()=='{sha256}' or sys.exit('This is not the program that the page named.');"
        "open('skerry.pyz','wb').write(b)"
    )
    return f'python3 -c "{fetch}" && sudo python3 skerry.pyz join --front {front} {token}'


def _typed(given: bottle.FormsDict) -> dict[str, str]:
    defaults = {"node": "", "slots": "1", "labels": "", "hours": "1"}
    return {name: (given.getunicode(name) or default).strip() for name, default in defaults.items()}


def _new(typed: dict[str, str]) -> NewInvitation:
    for name, what in (("slots", "The number of slots"), ("hours", "The number of hours")):
        if not (typed[name].isascii() and typed[name].isdigit()):
            raise InvalidInput(f"{what} must be a whole number, not “{typed[name]}”.", detail={"field": name})
    labels = tuple(dict.fromkeys(typed["labels"].replace(",", " ").split()))
    return NewInvitation(typed["node"], slots=int(typed["slots"]), labels=labels, hours=float(typed["hours"]))
