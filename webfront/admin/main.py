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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import peewee

from webfront.activity import deeds
from webfront.admin import backup, changes, fleet, inspection, joining, nodes, secrets, setup
from webfront.admin.setup import Answer
from webfront.errors import SkerryError
from webfront.plays.outcome import PlayFailed
from webfront.settings import Settings
from wire.settings import SettingsError, misspelt

_LOOKING = ("schema", "node-show", "node-wait", "node-figure", "node-list", "node-asking", "inspect", "reseal")
"""Commands that change nothing, or nothing that `--check` could hold back."""


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
        environ = {**os.environ, **_read_env_file(options.env_file)}
        settings = Settings.from_environment(environ)
        for sentence in misspelt(environ):
            print(f"skerry-admin: {sentence}", file=sys.stderr)
        with deeds.begin(None, "admin"):
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
        if name not in _LOOKING:
            one.add_argument("--check", action="store_true", help="say what would change, and change nothing")
        if name.startswith("node-") and name != "node-list":
            one.add_argument("name", metavar="NAME", help="the node")
        if name in ("backup", "restore"):
            one.add_argument("folder", type=Path, metavar="FOLDER", help="where the copy is, or is to be")
        return one

    add("schema", setup.schema)
    add("migrate", setup.migrate)
    one = add("init", setup.init)
    one.add_argument("--admin", required=True, metavar="NAME", help="the first user")
    one.add_argument("--password-file", required=True, type=Path, help="a file with the first user's password")
    add("platform-key", secrets.platform_key)
    add("node-show", nodes.node_show)
    one = add("node-admit", nodes.node_admit)
    of_row = one.add_argument_group("for the row of a node that the web front does not know yet")
    of_row.add_argument("--connection", choices=["ssh", "local"], default="ssh")
    _row_options(of_row)
    one = add("node-agentless", nodes.node_agentless)
    of_row = one.add_argument_group("for the row of a node that the web front does not know yet")
    _row_options(of_row)
    one.add_argument("--root", required=True, help="the platform's folder on the machine")
    one.add_argument("--python", required=True, help="the Python that runs the platform's keeper there")
    one.add_argument("--as-user", action="store_true", help="plays cannot become root there")
    for name, command, timeout in (
        ("node-wait", nodes.node_wait, 60.0),
        ("node-figure", nodes.node_figure, 60.0),
        ("node-drain", nodes.node_drain, 600.0),
        ("node-benchmark", fleet.node_benchmark, 60.0),
        ("node-register", fleet.node_register, 900.0),
    ):
        one = add(name, command)
        one.add_argument("--timeout", type=float, default=timeout, metavar="S", help="seconds to wait at most")
        if name == "node-wait":
            one.add_argument("--agent-version", default="", metavar="RELEASE", help="wait for this release's agent")
            one.add_argument("--age", type=float, default=0.0, metavar="S", help="how old the heartbeat may be (0)")
    add("node-asking", joining.node_asking)
    one = add("node-offer", joining.node_offer)
    one.add_argument("--ansible", default="", metavar="FILE", help="the archive of Ansible's packages for its Python")
    one.add_argument("--agent", default="", metavar="FILE", help="that of the agent's")
    add("node-dismiss", nodes.node_dismiss)
    add("node-pin", nodes.node_pin)
    add("node-list", fleet.node_list)
    one = add("nodes-renew", fleet.nodes_renew)
    one.add_argument("--hashes", type=Path, metavar="FILE", help="of passwords of nodes that the broker does not know")
    add("reseal", secrets.reseal)
    add("inspect", inspection.inspect)
    _settings(commands)
    add("backup", backup.backup)
    one = add("restore", backup.restore)
    one.add_argument("--overwrite", action="store_true", help="also where the database is in use")
    return parser


def _settings(commands: Any) -> None:
    words = "Settings that may be changed while the platform runs."
    verbs = commands.add_parser("settings", help=words, description=words).add_subparsers(
        required=True, metavar="COMMAND", parser_class=_Parser
    )
    for name, command in (("list", changes.listing), ("set", changes.put), ("reset", changes.reset)):
        summary = (command.__doc__ or "").splitlines()[0]
        one = verbs.add_parser(name, help=summary, description=summary)
        one.set_defaults(command=command)
        if name != "list":
            one.add_argument("name", metavar="NAME", help="the setting")
            one.add_argument("--check", action="store_true", help="say what would change, and change nothing")
        if name == "set":
            one.add_argument("value", metavar="VALUE", help="what it is to be")


def _row_options(of_row: argparse._ArgumentGroup) -> None:
    of_row.add_argument("--address", default="")
    of_row.add_argument("--ssh-port", type=int, default=22)
    of_row.add_argument("--ssh-user", default="root")
    of_row.add_argument("--labels", default="", help="separated by commas")
    of_row.add_argument("--slots", type=int, default=1)


if __name__ == "__main__":
    sys.exit(main())
