"""Two nodes on this machine, registered the way every node is: through the web front."""

from __future__ import annotations

from typing import Any, Final

from embedded.api import Api, wait_for
from embedded.console import Console
from embedded.home import Home
from embedded.problems import Problem
from embedded.site import agent_version, read_stamp, write_stamp
from webfront.fleet.states import NodeState
from webfront.plays.states import UNFINISHED_PLAYS, PlayState

NAMES: Final = ("alpha", "beta")
_SLOTS: Final = 1
_PLAY_S: Final = 300.0
_CONFLICT: Final = 409
_COME_BACK_S: Final = 20.0
_LEFT_ALONE: Final = (NodeState.ACTIVE, NodeState.DRAINING, NodeState.DRAINED)
"""A node in one of these is well, or somebody wants it so."""

_SILENT: Final = (NodeState.SUSPECT, NodeState.DEAD)


def register(home: Home, api: Api, console: Console) -> None:
    """See that both nodes are there, with the agent of this project. Raises `Problem` with the failing step."""
    version = agent_version(home)
    stale = read_stamp(home).get("agents") != version
    known = {node["name"]: node for node in api.call("GET", "/nodes")["nodes"]}
    if not stale and all(known.get(name, {}).get("state") in _LEFT_ALONE for name in NAMES):
        return
    with console.step(f"Registering the nodes {' and '.join(NAMES)}") as note:
        if not stale:
            # Their agents may only just have been started: give them the time of a heartbeat or two.
            wait_for(lambda: all(_state(api, name) not in _SILENT for name in NAMES), _COME_BACK_S)
        plays = {name: play for name in NAMES if (play := _begin(api, name, note, stale=stale)) is not None}
        _follow(api, plays, note)
    write_stamp(home, agents=version)


def _begin(api: Api, name: str, note: Any, *, stale: bool) -> int | None:
    """Ask for the node's registration. The play's number, None when there is nothing to do.

    A play outlives the quickstart that asked for it: one that is under way, from a run that was killed, is waited for.
    """
    begun: list[int] = []

    def asked() -> bool:
        state = _state(api, name)
        if state in _LEFT_ALONE and not stale:
            return True
        if state in ("", NodeState.REMOVED):
            answer = api.call("POST", "/nodes", json={"name": name, "connection": "local", "slots": _SLOTS})
        else:
            answer = api.call("POST", f"/nodes/{name}/register", tolerate=(_CONFLICT,))
        if not answer:
            note(f"{name}: waiting for the play that is under way")
            return False
        begun.append(int(answer["play"]["id"]))
        return True

    if not wait_for(asked, _PLAY_S):
        raise Problem(f"a play about {name} does not end", f"Look at the page of {name} in the web front.")
    return begun[0] if begun else None


def _state(api: Api, name: str) -> str:
    return str(api.call("GET", f"/nodes/{name}", tolerate=(404,)).get("node", {}).get("state", ""))


def _follow(api: Api, plays: dict[str, int], note: Any) -> None:
    """Wait for the plays' ends."""
    seen = dict.fromkeys(plays, 0)

    def over() -> bool:
        states = []
        for name, play in plays.items():
            answer = api.call("GET", f"/plays/{play}/events", params={"after": seen[name]})
            for event in answer["events"]:
                seen[name] = max(seen[name], int(event["number"]))
                note(f"{name}: {event['step']}")
            states.append(answer["play"]["state"])
        return all(state not in UNFINISHED_PLAYS for state in states)

    if not wait_for(over, _PLAY_S):
        raise Problem("the nodes' registration does not end", "Look at the plays' pages in the web front.")
    for name, number in plays.items():
        play = api.call("GET", f"/plays/{number}")["play"]
        if play["state"] != PlayState.SUCCEEDED:
            raise Problem(f'registering {name} failed at "{play["failed_step"]}": {play["message"]}', play["advice"])
