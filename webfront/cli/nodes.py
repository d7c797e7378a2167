"""What `skerry nodes` and `skerry plays` do: looking at nodes, changing them, and stopping a play about one."""

from __future__ import annotations

import argparse
from typing import Any, Final
from urllib.parse import quote

from webfront.cli import commands
from webfront.cli.commands import say
from webfront.cli.errors import OK, USAGE, CliError
from webfront.cli.tables import table

_CHANGES: Final = ("address", "ssh_port", "ssh_user", "host_key", "slots")


def listing(options: argparse.Namespace) -> int:
    nodes = commands.signed_in().get("nodes")["nodes"]
    rows = []
    for node in nodes:
        metrics, score = node["metrics"] or {}, node["score"] or {}
        rows.append(
            (
                node["name"],
                node["state"],
                f"{node['busy']}/{node['slots']}",
                f"{metrics['free_cpu_percent']:.0f}%" if metrics else "-",
                f"{metrics['free_memory_gb']:.1f} GB" if metrics else "-",
                f"{score['value']:.2f}" if "value" in score else "-",
                ",".join(node["labels"]) or "-",
                node["state_reason"],
            )
        )
    heads = ("NODE", "STATE", "BUSY", "FREE CPU", "FREE MEMORY", "SCORE", "LABELS", "")
    say(options, {"nodes": nodes}, table(heads, rows))
    return OK


def change(options: argparse.Namespace) -> int:
    given: dict[str, Any] = {name: found for name in _CHANGES if (found := getattr(options, name)) is not None}
    if options.labels is not None:
        given["labels"] = options.labels.replace(",", " ").split()
    if not given:
        raise CliError("Say what is to change: --address, --port, --user, --host-key, --labels or --slots.", USAGE)
    answer = commands.signed_in().call("PATCH", f"nodes/{quote(options.node, safe='')}", json=given)
    words = f"{options.node} is changed."
    if (play := answer["play"]) is not None:
        words += f" Its registration runs again: play {play['id']}."
    say(options, answer, words)
    return OK


def stop(options: argparse.Namespace) -> int:
    play = commands.signed_in().call("POST", f"plays/{options.play}/stop")["play"]
    words = "is stopped" if play["finished_at"] is not None else "ends in a moment"
    say(options, {"play": play}, f"Play {play['id']} about {play['node']} {words}.")
    return OK
