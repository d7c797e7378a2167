"""The pages of the nodes: all, one, register one, and what may be asked of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import bottle

from webfront.accounts.policy import Act, may
from webfront.errors import InvalidInput, SkerryError
from webfront.fleet.states import NodeState
from webfront.fleet.views import NewNode, NodeView, Secrets
from webfront.pages import nodewords
from webfront.pages.rendering import plural, refused, render, see_other
from webfront.plays import hostkeys
from webfront.plays.verbs import REGISTER, TEST, VERBS, Verb
from webfront.web import actions, guard
from webfront.web.navigation import Nav
from webfront.web.services import Services

_LARGEST_KEY: Final = 64 * 1024
_EDITED: Final = ("address", "ssh_port", "ssh_user", "host_key", "labels", "slots")


def register(app: bottle.Bottle, services: Services) -> None:
    fleet = services.fleet

    @app.get("/nodes", nav=Nav(20, "Nodes"))
    def nodes() -> str:
        found = fleet.nodes()
        account = guard.identity().account
        asking = services.invitations.asking(account) if may(account, Act.ADMINISTER) else ()
        trouble = services.placement.trouble()
        return render("nodes.html", nodes=found, summary=summary(found), asking=asking, trouble=trouble)

    @app.get("/nodes/register")
    def form() -> str:
        return render("register.html", error=None, typed=_typed(), platform_key=services.plays.platform_key())

    @app.post("/nodes/register", action="node.register")
    def register_node() -> str | bottle.HTTPResponse:
        return begin(REGISTER)

    @app.post("/nodes/test", action="node.test")
    def test_node() -> str | bottle.HTTPResponse:
        return begin(TEST)

    def begin(verb: Verb) -> str | bottle.HTTPResponse:
        typed = _typed()
        actions.note("skerry.node", typed["name"])
        try:
            registration = services.plays.register(guard.identity().account, _new_node(typed), verb)
        except SkerryError as error:
            return refused(error, "register.html", typed=typed, platform_key=services.plays.platform_key())
        return see_other(f"/plays/{registration.play.id}")

    @app.get("/nodes/<name>")
    def node(name: str) -> str:
        found, plays, account = fleet.node(name), services.plays.of_node(name), guard.identity().account
        busy = next((play for play in plays if not play.is_over), None)
        return render(
            "node.html",
            node=found,
            trouble=services.placement.trouble(),
            host_keys=hostkeys.as_listed(found.host_key),
            leave_line=nodewords.LEAVE_LINE,
            attempts=fleet.attempts(account, name),
            plays=plays,
            busy_play=busy,
            busy_words=nodewords.play_now(busy) if busy else "",
            state_words=nodewords.state_words(found),
            actions=nodewords.actions(found) if may(account, Act.CHANGE_NODE, found) and not busy else [],
            searchable=services.logs.is_searchable and may(account, Act.SEE_EVERY_RECORD),
            kibana=kibana.node(name) if (kibana := services.logs.kibana(account)) else "",
            may_edit=may(account, Act.CHANGE_NODE, found) and found.state is not NodeState.REMOVED,
        )

    @app.get("/nodes/<name>/edit")
    def edit_form(name: str) -> str:
        found = fleet.node(name)
        return render("node_edit.html", node=found, error=None, typed=_typed_of(found))

    @app.post("/nodes/<name>/edit", action="node.edit")
    def edit(name: str) -> str | bottle.HTTPResponse:
        actions.note("skerry.node", name)
        found, typed = fleet.node(name), _typed()
        typed["edition"] = bottle.request.forms.getunicode("edition") or ""
        try:
            asked = _new_node(typed | {"connection": found.connection})
            names = ("labels",) if found.joined else ("slots", "labels") if found.connection == "local" else _EDITED
            changes = {one: getattr(asked, one) for one in names}
            account, edition = guard.identity().account, typed["edition"]
            edited = services.plays.edit(account, name, changes, secrets=asked.secrets, edition=edition)
        except SkerryError as error:
            return refused(error, "node_edit.html", node=found, typed=typed)
        return see_other(f"/plays/{edited.play.id}" if edited.play else f"/nodes/{name}")

    for verb in VERBS.values():
        app.post(f"/nodes/<name>/{verb.name}", action=verb.action)(_asks(services, verb))

    @app.post("/nodes/<name>/activate", action="node.activate")
    def activate(name: str) -> bottle.HTTPResponse:
        actions.note("skerry.node", name)
        return see_other(f"/nodes/{fleet.activate(guard.identity().account, name).name}")

    @app.post("/nodes/<name>/benchmark", action="node.benchmark")
    def benchmark(name: str) -> bottle.HTTPResponse:
        actions.note("skerry.node", name)
        return see_other(f"/nodes/{fleet.benchmark(guard.identity().account, name).name}")


def _asks(services: Services, verb: Verb) -> Callable[[str], bottle.HTTPResponse]:
    """The route that asks for a play of this verb."""

    def ask(name: str) -> bottle.HTTPResponse:
        actions.note("skerry.node", name)
        secrets = credentials() if verb.takes_secrets else None
        return see_other(f"/plays/{services.plays.begin(guard.identity().account, name, verb, secrets).id}")

    return ask


def summary(nodes: Sequence[NodeView]) -> str:
    """The fleet in a sentence: states and slots."""
    states = Counter(node.state for node in nodes)
    slots = sum(node.slots for node in nodes if node.state is NodeState.ACTIVE)
    busy = sum(min(node.busy, node.slots) for node in nodes if node.state is NodeState.ACTIVE)
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    return f"{plural(len(nodes), 'node')}: {told}. {busy} of {plural(slots, 'slot')} in use."


def credentials() -> Secrets:
    """The key or the password in the form: pasted, or as a file. Kept in memory only. Raises `InvalidInput`."""
    forms, file = bottle.request.forms, bottle.request.files.get("private_key_file")
    pasted = (forms.getunicode("private_key") or "").replace("\r\n", "\n").strip()
    if file is not None:
        try:
            key = file.file.read(_LARGEST_KEY + 1).decode("ascii").replace("\r\n", "\n").strip()
        except UnicodeDecodeError:
            raise InvalidInput(
                "The private key's file is not a text file. Choose the key itself, not its agent's or a keystore."
            ) from None
        if len(key) > _LARGEST_KEY or "PRIVATE KEY" not in key:
            raise InvalidInput(
                "The chosen file is no private key: one has a line with BEGIN … PRIVATE KEY. "
                "The file that ends in .pub is only its public half."
            )
        pasted = key
    return Secrets(private_key=pasted + "\n" if pasted else "", password=forms.getunicode("password") or "")


def _typed() -> dict[str, str]:
    """What the form holds, as text, secrets left out: it is safe to show again."""
    forms = bottle.request.forms if bottle.request.method == "POST" else bottle.FormsDict()
    defaults = {
        "name": "",
        "connection": "ssh",
        "access": "" if bottle.request.method == "POST" else "platform_key",
        "address": "",
        "ssh_port": "22",
        "ssh_user": "",
        "host_key": "",
        "slots": "1",
        "labels": "",
    }
    return {name: (forms.getunicode(name) or default).strip() for name, default in defaults.items()}


def _typed_of(node: NodeView) -> dict[str, str]:
    """The form as it stands for a node that is there."""
    return {
        "connection": node.connection,
        "address": node.address,
        "ssh_port": str(node.ssh_port),
        "ssh_user": node.ssh_user,
        "host_key": node.host_key,
        "slots": str(node.slots),
        "labels": ", ".join(node.labels),
        "edition": node.edition,
    }


def _new_node(typed: dict[str, str]) -> NewNode:
    agentless = typed["connection"] == "agentless"
    over_ssh = typed["connection"] == "ssh" or agentless
    has_platform_key = typed.get("access") == "platform_key"
    return NewNode(
        name=typed["name"],
        connection="ssh" if agentless else typed["connection"],
        address=typed["address"] if over_ssh else "",
        ssh_port=_number(typed["ssh_port"], "The port") if over_ssh else 22,
        ssh_user=typed["ssh_user"] if over_ssh else "",
        secrets=credentials() if over_ssh and not has_platform_key else Secrets(),
        has_platform_key=has_platform_key,
        host_key=typed["host_key"] if over_ssh else "",
        labels=tuple(dict.fromkeys(typed["labels"].replace(",", " ").split())),
        slots=_number(typed["slots"], "The number of slots"),
        agentless=agentless,
    )


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(f"{what} must be a whole number, not “{text}”.")
    return int(text)
