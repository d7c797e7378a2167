"""Commands about one node: show it, admit it, wait for it, drain it, dismiss it, pin its host key.

With `--check` a command says what it would change, asks the broker and the database as ever, and changes neither.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Final, TypeVar

from webfront.admin.setup import Answer, open_platform
from webfront.broker.admission import admit, check_name, dismiss
from webfront.broker.management import Management, ReadOnlyManagement
from webfront.database.connection import transaction
from webfront.database.models import Attempt, Node
from webfront.errors import Conflict, Unavailable
from webfront.fleet import rows
from webfront.fleet.admissions import forget_admission
from webfront.fleet.agentless import Machine, machine_of, note_machine
from webfront.fleet.states import NODE_TRANSITIONS, NodeState, change_node
from webfront.fleet.validation import check_machine
from webfront.fleet.views import NewNode
from webfront.jobs.states import LIVE_ATTEMPTS
from webfront.plays import hostkeys
from webfront.settings import Settings

_LOOK_EVERY_S: Final = 0.2

T = TypeVar("T")


def node_show(settings: Settings, options: argparse.Namespace) -> Answer:
    """The node's state in the fleet; null where it has no row."""
    open_platform(settings)
    node = Node.get_or_none(Node.name == options.name)
    return {"changed": False, "state": node and node.state}


def node_admit(settings: Settings, options: argparse.Namespace) -> Answer:
    """The node's broker user, rights and queues, its password from stdin; its row, if a play by hand registers it."""
    check_name(options.name)
    password = sys.stdin.readline().rstrip("\r\n")
    open_platform(settings)
    # The row first: a heartbeat of a node that has no row would be a stranger's.
    row = _ensure_row(options)
    broker = admit(manage(settings, options), options.name, password)
    return {"changed": row or broker, "row_created": row, "broker_changed": broker}


def node_agentless(settings: Settings, options: argparse.Namespace) -> Answer:
    """What plays know of a machine without an agent; its row, if a play by hand registers it."""
    open_platform(settings)
    options.connection = "ssh"
    before = Node.get_or_none(Node.name == options.name)
    if before is not None and before.state != NodeState.REMOVED and not before.agentless:
        raise Conflict(f"{before.name} is a node with an agent. Remove it first, or choose another name.")
    row = _ensure_row(options, agentless=True)
    known = Machine(root=options.root, python=options.python, as_root=not options.as_user)
    if options.check:
        return {"changed": row or machine_of(before) != known, "row_created": row}
    with transaction():
        changed = note_machine(options.name, known)
    return {"changed": row or changed, "row_created": row}


def node_wait(settings: Settings, options: argparse.Namespace) -> Answer:
    """Wait for a heartbeat after now, or one that is no older than --age; with --agent-version, for that release's."""
    since = time.time() - options.age
    open_platform(settings)
    wanted = options.agent_version

    def beaten() -> Node | None:
        node = rows.find(options.name)
        fresh = node.last_heartbeat_at is not None and node.last_heartbeat_at > since
        return node if fresh and wanted in ("", node.agent_version) else None

    node = wait_for(options.timeout, beaten)
    if node is None and rows.find(options.name).agentless:
        raise Unavailable(
            f"{options.name} was set up, but the platform has not measured it within {options.timeout:.0f} seconds",
            detail="Look for `dispatch` in the log of the plays process on the controller; does that process run, and "
            "the scheduler? Then run it again.",
        )
    if node is None:
        runs = rows.find(options.name)
        if wanted and runs.last_heartbeat_at is not None and runs.last_heartbeat_at > since:
            raise Unavailable(
                f"The agent of {options.name} is still of release {runs.agent_version}, and {wanted} was installed",
                detail="Restart it on the machine (under systemd: systemctl restart skerry-agent); then run it again.",
            )
        raise Unavailable(
            f"The agent of {options.name} was started, but no heartbeat came within {options.timeout:.0f} seconds",
            detail="Look at the agent's log on the machine (under systemd: journalctl -u skerry-agent; under "
            "supervisor: agent.log in the agent's state directory), whether it reaches the broker, and whether the "
            "scheduler runs on the controller; then run it again.",
        )
    return {"changed": False, "last_heartbeat_at": node.last_heartbeat_at, "state": node.state}


def node_figure(settings: Settings, options: argparse.Namespace) -> Answer:
    """Wait until a heartbeat has told the benchmark's figure."""
    open_platform(settings)

    def told() -> float | None:
        figure = (rows.find(options.name).metrics or {}).get("events_per_second")
        return None if figure is None else float(figure)

    figure = wait_for(options.timeout, told)
    if figure is None:
        raise Unavailable(
            f"{options.name} was measured, but no heartbeat told the figure within {options.timeout:.0f} seconds",
            detail="Look at the agent's log on the machine; what it takes meanwhile it takes without the figure.",
        )
    return {"changed": False, "events_per_second": figure}


def node_drain(settings: Settings, options: argparse.Namespace) -> Answer:
    """No new work for the node; wait until what it runs has ended. A node left `draining` by a failure stays so."""
    open_platform(settings)
    node = rows.find(options.name)
    if node.state in (NodeState.DRAINED, NodeState.UNREGISTERED):  # nothing was ever sent to the latter
        return {"changed": False, "state": node.state}
    refused = Conflict(f"{node.name} is {node.state} and cannot be drained.")
    if options.check:
        if NodeState.DRAINING not in NODE_TRANSITIONS[NodeState(node.state)] and node.state != NodeState.DRAINING:
            raise refused
        return {"changed": True, "state": NodeState.DRAINED.value}
    if node.state != NodeState.DRAINING and not change_node(
        node.name, NodeState.DRAINING, "waiting for its jobs to end"
    ):
        raise refused

    def live() -> int:
        states = [state.value for state in LIVE_ATTEMPTS]
        return int(Attempt.select().where(Attempt.node == node.name, Attempt.state.in_(states)).count())

    if wait_for(options.timeout, lambda: True if live() == 0 else None) is None:
        raise Unavailable(
            f"{node.name} still runs {live()} of its jobs after {options.timeout:.0f} seconds; it gets no new ones",
            detail="Wait for them or cancel them, then drain it again; activating the node gives it work again.",
        )
    if not change_node(node.name, NodeState.DRAINED, only_from=[NodeState.DRAINING]):
        raise Conflict(f"{node.name} was given work again while it was being drained.")
    return {"changed": True, "state": NodeState.DRAINED.value}


def node_dismiss(settings: Settings, options: argparse.Namespace) -> Answer:
    """The node's broker user and queues away, its state `removed`."""
    open_platform(settings)
    if not options.check:
        forget_admission(options.name)
    broker = dismiss(manage(settings, options), options.name)
    node = Node.get_or_none(Node.name == options.name)
    row = node is not None and node.state != NodeState.REMOVED
    if row and not options.check:
        row = change_node(options.name, NodeState.REMOVED)
    return {"changed": broker or row, "broker_changed": broker, "state_changed": row}


def node_pin(settings: Settings, options: argparse.Namespace) -> Answer:
    """Store the host keys the machine shows, or check them against the ones that are pinned."""
    open_platform(settings)
    node = rows.find(options.name)
    if node.connection == "local":
        return {"changed": False, "host_keys": []}
    kept = hostkeys.check(node.host_key, hostkeys.read_host_keys(node.address, node.ssh_port), node.name)
    changed = kept != node.host_key
    if changed and not options.check:
        Node.update(host_key=kept).where(Node.name == node.name).execute()
    return {"changed": changed, "host_keys": [hostkeys.fingerprint(key) for key in kept.splitlines()]}


def manage(settings: Settings, options: argparse.Namespace) -> Management:
    """The broker's management API; with `--check` it changes nothing."""
    return (ReadOnlyManagement if options.check else Management).of(settings)


def _ensure_row(options: argparse.Namespace, *, agentless: bool = False) -> bool:
    """Make the node's row, or begin it anew if it was removed. A row the web front made stays as it is."""
    local = options.connection == "local"
    new = check_machine(
        NewNode(
            name=options.name,
            connection=options.connection,
            address=options.address or ("localhost" if local else options.name),
            ssh_port=options.ssh_port,
            ssh_user=options.ssh_user,
            labels=tuple(options.labels.split(",")),
            slots=options.slots,
            agentless=agentless,
        )
    )
    if options.check:
        node = Node.get_or_none(Node.name == new.name)
        return node is None or node.state == NodeState.REMOVED
    with transaction():
        return rows.begin(new, "", time.time()) is not None


def wait_for(timeout: float, look: Callable[[], T | None]) -> T | None:
    """What `look` finds, or None after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    return found
