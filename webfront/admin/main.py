"""`skerry-admin`: what playbooks, and administrators by hand, do on the controller.

Every command prints one JSON object on stdout, with `changed` in it, truthfully; after a failure also `error` with
`code`, `message` and `advice`, and the message on stderr. Exit codes: 0 done, 1 could not be done, 2 a wrong call or
settings. Passwords come from a file or from standard input, never from an argument.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import peewee

from webfront.accounts.users import create_user, find_user
from webfront.broker.admission import admit, check_name, dismiss
from webfront.broker.management import Management
from webfront.database.connection import open_database, transaction
from webfront.database.models import Attempt, Node
from webfront.errors import Conflict, InvalidInput, NotFound, SkerryError, Unavailable
from webfront.fleet.states import NodeState, change_node
from webfront.jobs.states import LIVE_ATTEMPTS
from webfront.plays import hostkeys
from webfront.plays.outcome import PlayFailed
from webfront.settings import Settings, SettingsError

_LOOK_EVERY_S: Final = 0.2

Answer = dict[str, Any]
T = TypeVar("T")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a call as JSON too: a playbook reads stdout."""

    def error(self, message: str) -> NoReturn:
        _print_error("usage", message)
        self.print_usage(sys.stderr)
        raise SystemExit(2)


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns its exit code."""
    # What is made here, the database's file above all, is for this user alone.
    os.umask(0o077)
    options = _parser().parse_args(arguments)
    try:
        settings = Settings.from_environment({**os.environ, **_read_env_file(options.env_file)})
        answer: Answer = options.command(settings, options)
    except SettingsError as error:
        _print_error("settings", str(error))
        return 2
    except SkerryError as error:
        advice = error.detail if isinstance(error.detail, str) else ""
        _print_error(error.code, error.message, advice)
        return 1
    except PlayFailed as error:
        _print_error("machine", error.failure.message, error.failure.advice)
        return 1
    except peewee.PeeweeException as error:
        _print_error("database", f"The database failed: {error}.", "Run it again when the database answers.")
        return 1
    print(json.dumps(answer))
    return 0


def init(settings: Settings, options: argparse.Namespace) -> Answer:
    """The schema and the first user, each only if missing; an existing user keeps its password."""
    try:
        open_database(settings.database_url, settings.database_password_file)
        schema = False
    except Unavailable:
        # Either new, or it cannot be used: then this says why.
        open_database(settings.database_url, settings.database_password_file, create=True)
        schema = True
    user = find_user(options.admin) is None
    if user:
        create_user(options.admin, _read_password(options.password_file), is_admin=True)
    return {"changed": schema or user, "schema_created": schema, "user_created": user}


def node_admit(settings: Settings, options: argparse.Namespace) -> Answer:
    """The node's broker user, rights and queues, its password from stdin; its row, if a play by hand registers it."""
    check_name(options.name)
    password = sys.stdin.readline().rstrip("\r\n")
    _open(settings)
    # The row first: a heartbeat of a node that has no row would be a stranger's.
    row = _ensure_row(options)
    broker = admit(Management.of(settings), options.name, password)
    return {"changed": row or broker, "row_created": row, "broker_changed": broker}


def node_wait(settings: Settings, options: argparse.Namespace) -> Answer:
    """Wait for a heartbeat that comes after now."""
    since = time.time()
    _open(settings)

    def beaten() -> Node | None:
        node = _node(options.name)
        return node if node.last_heartbeat_at is not None and node.last_heartbeat_at > since else None

    node = _wait(options.timeout, beaten)
    if node is None:
        raise Unavailable(
            f"The agent of {options.name} was started, but no heartbeat came within {options.timeout:.0f} seconds",
            detail="Look at the agent's log on the machine (under systemd: journalctl -u skerry-agent; under "
            "supervisor: agent.log in the agent's state directory), whether it reaches the broker, and whether the "
            "scheduler runs on the controller; then run it again.",
        )
    return {"changed": False, "last_heartbeat_at": node.last_heartbeat_at, "state": node.state}


def node_drain(settings: Settings, options: argparse.Namespace) -> Answer:
    """No new work for the node; wait until what it runs has ended. A node left `draining` by a failure stays so."""
    _open(settings)
    node = _node(options.name)
    if node.state == NodeState.DRAINED:
        return {"changed": False, "state": node.state}
    if node.state != NodeState.DRAINING and not change_node(
        node.name, NodeState.DRAINING, "waiting for its jobs to end"
    ):
        raise Conflict(f"{node.name} is {node.state} and cannot be drained.")

    def live() -> int:
        states = [state.value for state in LIVE_ATTEMPTS]
        return int(Attempt.select().where(Attempt.node == node.name, Attempt.state.in_(states)).count())

    if _wait(options.timeout, lambda: True if live() == 0 else None) is None:
        raise Unavailable(
            f"{node.name} still runs {live()} of its jobs after {options.timeout:.0f} seconds; it gets no new ones",
            detail="Wait for them or cancel them, then drain it again; activating the node gives it work again.",
        )
    if not change_node(node.name, NodeState.DRAINED, only_from=[NodeState.DRAINING]):
        raise Conflict(f"{node.name} was given work again while it was being drained.")
    return {"changed": True, "state": NodeState.DRAINED.value}


def node_dismiss(settings: Settings, options: argparse.Namespace) -> Answer:
    """The node's broker user and queues away, its state `removed`."""
    _open(settings)
    broker = dismiss(Management.of(settings), options.name)
    node = Node.get_or_none(Node.name == options.name)
    row = node is not None and node.state != NodeState.REMOVED and change_node(options.name, NodeState.REMOVED)
    return {"changed": broker or row, "broker_changed": broker, "state_changed": row}


def node_pin(settings: Settings, options: argparse.Namespace) -> Answer:
    """Store the host keys the machine shows, or check them against the ones that are pinned."""
    _open(settings)
    node = _node(options.name)
    if node.connection == "local":
        return {"changed": False, "host_keys": []}
    kept = hostkeys.check(node.host_key, hostkeys.read_host_keys(node.address, node.ssh_port), node.name)
    changed = kept != node.host_key
    if changed:
        Node.update(host_key=kept).where(Node.name == node.name).execute()
    return {"changed": changed, "host_keys": [hostkeys.fingerprint(key) for key in kept.splitlines()]}


def _open(settings: Settings) -> None:
    open_database(settings.database_url, settings.database_password_file)


def _node(name: str) -> Node:
    node: Node | None = Node.get_or_none(Node.name == name)
    if node is None:
        raise NotFound(f"There is no node {name}.")
    return node


def _ensure_row(options: argparse.Namespace) -> bool:
    """Make the node's row, or begin it anew if it was removed. A row the web front made stays as it is."""
    fields = {
        "connection": options.connection,
        "address": options.address or ("localhost" if options.connection == "local" else options.name),
        "ssh_port": options.ssh_port,
        "ssh_user": options.ssh_user,
        "labels": [label.strip() for label in options.labels.split(",") if label.strip()],
        "slots": options.slots,
    }
    with transaction():
        node = Node.get_or_none(Node.name == options.name)
        if node is None:
            state = NodeState.REGISTERING.value
            Node.create(name=options.name, state=state, created_at=time.time(), **fields)
            return True
        if node.state != NodeState.REMOVED:
            return False
        change_node(options.name, NodeState.REGISTERING)
        Node.update(host_key="", metrics=None, score=None, last_heartbeat_at=None, **fields).where(
            Node.name == options.name
        ).execute()
        return True


def _wait(timeout: float, look: Callable[[], T | None]) -> T | None:
    """What `look` finds, or None after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    return found


def _read_password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The password file {path} cannot be read: {error}") from error


def _read_env_file(path: Path | None) -> Mapping[str, str]:
    """`NAME=VALUE` lines, quoted as for a shell; empty lines and comments are left out."""
    if path is None:
        return {}
    values = {}
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            words = shlex.split(line, comments=True)
            words = words[1:] if words[:1] == ["export"] else words
            if not words:
                continue
            name, separator, value = words[0].partition("=")
            if len(words) > 1 or not separator or not name.isidentifier():
                raise SettingsError(f"{path}, line {number}: expected NAME=VALUE")
            values[name] = value
    except (OSError, ValueError) as error:
        raise error if isinstance(error, SettingsError) else SettingsError(f"{path}: {error}") from error
    return values


def _print_error(code: str, message: str, advice: str = "") -> None:
    print(json.dumps({"changed": False, "error": {"code": code, "message": message, "advice": advice}}))
    print(f"skerry-admin: {message} {advice}".rstrip(), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="skerry-admin", description="What playbooks do on the controller. JSON on stdout.")
    parser.add_argument("--env-file", type=Path, help="read the SKERRY_* settings from this file too")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, command: Callable[[Settings, argparse.Namespace], Answer]) -> argparse.ArgumentParser:
        summary = (command.__doc__ or "").splitlines()[0]
        one = commands.add_parser(name, help=summary, description=summary)
        one.set_defaults(command=command)
        if name != "init":
            one.add_argument("name", metavar="NAME", help="the node")
        return one

    one = add("init", init)
    one.add_argument("--admin", required=True, metavar="NAME", help="the first user")
    one.add_argument("--password-file", required=True, type=Path, help="a file with the first user's password")
    one = add("node-admit", node_admit)
    of_row = one.add_argument_group("for the row of a node that the web front does not know yet")
    of_row.add_argument("--connection", choices=["ssh", "local"], default="ssh")
    of_row.add_argument("--address", default="")
    of_row.add_argument("--ssh-port", type=int, default=22)
    of_row.add_argument("--ssh-user", default="root")
    of_row.add_argument("--labels", default="", help="separated by commas")
    of_row.add_argument("--slots", type=int, default=1)
    for name, command, timeout in (("node-wait", node_wait, 60.0), ("node-drain", node_drain, 600.0)):
        one = add(name, command)
        one.add_argument("--timeout", type=float, default=timeout, metavar="S", help="seconds to wait at most")
    add("node-dismiss", node_dismiss)
    add("node-pin", node_pin)
    return parser


if __name__ == "__main__":
    sys.exit(main())
