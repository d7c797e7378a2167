"""Nodes: showing them, and asking for plays about them."""

from __future__ import annotations

import bottle
import msgspec
from msgspec import UNSET, UnsetType

from webfront.api.bodies import Body, read_json, reply
from webfront.api.operations import Operation
from webfront.fleet.views import NewNode, NodeView, Secrets
from webfront.plays.verbs import ADMIT, DRAIN, REGISTER, REMOVE, TEST, Verb
from webfront.plays.views import PlayView
from webfront.web import actions
from webfront.web.guard import identity
from webfront.web.services import Services


class AccessBody(Body):
    """What lets the first play in, as the body of a request."""

    private_key: str = ""
    password: str = ""


class NodeBody(AccessBody):
    name: str = ""
    connection: str = "ssh"
    address: str = ""
    ssh_port: int = 22
    ssh_user: str = ""
    host_key: str = ""
    labels: tuple[str, ...] = ()
    slots: int = 1
    agentless: bool = False
    platform_key: bool = False
    """The platform's public key was added there: no secret is needed."""


class NodeChange(AccessBody):
    address: str | UnsetType = UNSET
    ssh_port: int | UnsetType = UNSET
    ssh_user: str | UnsetType = UNSET
    host_key: str | UnsetType = UNSET
    """Empty pins the key that the machine shows next."""
    labels: tuple[str, ...] | UnsetType = UNSET
    slots: int | UnsetType = UNSET
    edition: str | UnsetType = UNSET
    """The node's as it was seen: where somebody has changed it since, this change is refused."""


def register(app: bottle.Bottle, services: Services) -> None:
    fleet = services.fleet

    @app.get("/api/v1/nodes", operation=Operation("The nodes", {200: {"nodes": list[NodeView]}}))
    def index() -> bytes:
        return reply(nodes=fleet.nodes())

    @app.get("/api/v1/nodes/<name>", operation=Operation("A node", {200: {"node": NodeView}}))
    def show(name: str) -> bytes:
        return reply(node=fleet.node(name))

    @app.route(
        "/api/v1/nodes/<name>",
        "PATCH",
        action="node.edit",
        operation=Operation(
            "Change a node; its registration runs again where the machine must learn of it",
            {200: {"node": NodeView, "play": PlayView | None}},
            json=NodeChange,
        ),
    )
    def change(name: str) -> bytes:
        actions.note("skerry.node", name)
        body = read_json(NodeChange)
        given = {one: value for one, value in msgspec.structs.asdict(body).items() if value is not UNSET}
        secrets = Secrets(given.pop("private_key"), given.pop("password"))
        edition = given.pop("edition", None)
        edited = services.plays.edit(identity().account, name, given, secrets=secrets, edition=edition)
        return reply(node=edited.node, play=edited.play)

    @app.post(
        "/api/v1/nodes",
        action="node.register",
        operation=Operation("Register a machine", {202: {"node": NodeView, "play": PlayView}}, json=NodeBody),
    )
    def create() -> bytes:
        body = read_json(NodeBody)
        actions.note("skerry.node", body.name)
        begun = services.plays.register(identity().account, _new_node(body))
        return reply(code=202, node=begun.node, play=begun.play)

    @app.post(
        "/api/v1/nodes/test",
        action="node.test",
        operation=Operation(
            "Look whether a machine could be registered; nothing is written there",
            {202: {"node": NodeView, "play": PlayView}},
            json=NodeBody,
        ),
    )
    def test() -> bytes:
        body = read_json(NodeBody)
        actions.note("skerry.node", body.name)
        begun = services.plays.register(identity().account, _new_node(body), TEST)
        return reply(code=202, node=begun.node, play=begun.play)

    @app.post(
        "/api/v1/nodes/<name>/test",
        action="node.test",
        operation=Operation(
            "Look whether a node's machine is reached and fits; nothing is written there",
            {202: {"play": PlayView}},
            json=AccessBody,
            json_is_optional=True,
        ),
    )
    def test_again(name: str) -> bytes:
        return _with_secrets(name, TEST)

    @app.post(
        "/api/v1/nodes/<name>/register",
        action="node.register",
        operation=Operation(
            "Run a registration again", {202: {"play": PlayView}}, json=AccessBody, json_is_optional=True
        ),
    )
    def create_again(name: str) -> bytes:
        return _with_secrets(name, REGISTER)

    def _with_secrets(name: str, verb: Verb) -> bytes:
        actions.note("skerry.node", name)  # also where the body cannot be read
        body = read_json(AccessBody) if bottle.request.content_length else AccessBody()
        return _begin(name, verb, Secrets(body.private_key, body.password))

    def _begin(name: str, verb: Verb, secrets: Secrets | None = None) -> bytes:
        actions.note("skerry.node", name)
        return reply(code=202, play=services.plays.begin(identity().account, name, verb, secrets))

    @app.post(
        "/api/v1/nodes/<name>/admit",
        action="node.admit",
        operation=Operation("Admit a machine once more that joins by itself", {202: {"play": PlayView}}),
    )
    def admit(name: str) -> bytes:
        return _begin(name, ADMIT)

    @app.post(
        "/api/v1/nodes/<name>/drain",
        action="node.drain",
        operation=Operation("Let a node finish its work and take no more", {202: {"play": PlayView}}),
    )
    def drain(name: str) -> bytes:
        return _begin(name, DRAIN)

    @app.delete(
        "/api/v1/nodes/<name>",
        action="node.remove",
        operation=Operation("Take the platform off a node", {202: {"play": PlayView}}),
    )
    def remove(name: str) -> bytes:
        return _begin(name, REMOVE)

    @app.post(
        "/api/v1/nodes/<name>/activate",
        action="node.activate",
        operation=Operation("Let a drained node, or one set aside, work again", {200: {"node": NodeView}}),
    )
    def activate(name: str) -> bytes:
        actions.note("skerry.node", name)
        return reply(node=fleet.activate(identity().account, name))

    @app.post(
        "/api/v1/nodes/<name>/benchmark",
        action="node.benchmark",
        operation=Operation(
            "Have a node measure itself; the figure comes with a later heartbeat", {202: {"node": NodeView}}
        ),
    )
    def benchmark(name: str) -> bytes:
        actions.note("skerry.node", name)
        return reply(code=202, node=fleet.benchmark(identity().account, name))


def _new_node(body: NodeBody) -> NewNode:
    return NewNode(
        name=body.name,
        connection=body.connection,
        address=body.address,
        ssh_port=body.ssh_port,
        ssh_user=body.ssh_user,
        secrets=Secrets(body.private_key, body.password),
        host_key=body.host_key,
        labels=body.labels,
        slots=body.slots,
        agentless=body.agentless,
        has_platform_key=body.platform_key,
    )
