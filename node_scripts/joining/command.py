"""`python3 skerry.pyz join --front URL TOKEN`: this machine becomes a node. `leave` takes the platform off it again.

It asks the front and nothing asks it. Killed at any line, the same call goes on: with the same token and the key in its
folder the front tells it the same until it has on its disk what it joins with, and the play corrects what it finds.

Exit codes: 0 well; 1 it could not be done; 2 a wrong call; 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from node_scripts.joining import machine, playing
from node_scripts.joining.front import Away, Front, JoinError, Refused
from node_scripts.joining.place import FOLDER, Place, place, write

_POLL_S: Final = 2.0
_CLOCK_S: Final = 5.0
_HEARTBEAT_S: Final = 120.0
_KEPT: Final = ("skerry.pyz", "ansible.tar.gz", "node.json")
"""What stays below the agent's home: with it the machine can be given back, without the platform."""


def main(arguments: list[str], program: Path | None = None) -> int:
    """Run the command; the exit code. `program` is the file that it runs from."""
    options = _parser().parse_args(arguments)
    program = program or Path(sys.argv[0]).resolve()
    os.umask(0o077)
    # A terminal that is closed, or a service that is stopped, ends it as Ctrl-C does.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        machine.run_by_the_systems_python()
        if options.verb == "leave":
            return leave(program)
        return join(options.front, options.token, options.address, program)
    except JoinError as error:
        print(f"skerry: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"skerry: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def join(url: str, token: str, addresses: list[str], program: Path, folder: Path = FOLDER) -> int:
    """Become a node. JoinError."""
    machine.refuse_unfit()
    with place(folder) as ours:
        ours.begin(token)
        front = Front(url, token, ours.key)
        offer = ours.offer()
        if offer is None:
            offer = _ask(front, ours, machine.told(url, ours.code, addresses))
        again = (
            "Nothing of it is lost: run the same command again. To give up, remove "
            f"{ours.folder} here, and the node {offer['node']} in the web front."
        )
        try:
            _take(front, ours)
            _install(ours, offer, program, again)
            _await_heartbeat(front, offer["node"])
        except KeyboardInterrupt:
            print(f"skerry: interrupted in the middle of the installation. {again}", file=sys.stderr)
            raise
        ours.remove()
    print(f"This machine is the node {offer['node']} now.")
    return 0


def leave(program: Path, folder: Path = FOLDER) -> int:
    """Take the platform off this machine. JoinError where it has not joined by itself."""
    machine.refuse_unfit()
    kept = program.parent
    try:
        known = json.loads((kept / "node.json").read_text())
    except FileNotFoundError:
        raise JoinError("This is not the program that a machine keeps when it has joined.") from None
    with place(folder) as ours:
        (ours.folder / "packages").mkdir(exist_ok=True)
        stage = playing.Stage(ours, program)
        archive = kept / "ansible.tar.gz"
        stage.prepare(archive if archive.exists() else None)
        if not stage.play(playing.LEAVE, known["node"], known["variables"]):
            raise JoinError("The play failed; what it says is above. Run this again when that is mended.")
        ours.remove()
    print(f"The platform is off this machine. If {known['node']} is still listed in the web front, remove it there.")
    return 0


def _ask(front: Front, ours: Place, told: dict[str, Any]) -> dict[str, Any]:
    """Claim, wait for the approval, fetch. The offer, which is on the disk then with all that goes with it."""
    try:
        standing = _patiently(lambda: front.call("POST", "join", told))["standing"]
        off = standing["now"] - time.time()
        if abs(off) > _CLOCK_S:
            raise Refused(
                f"This machine's clock is {abs(off):.0f} seconds away from the platform's. Set it (timedatectl set-ntp "
                "true, or date -s), then run this again."
            )
        print(
            f"This machine asks to join as {standing['node']}. Its code is {ours.code}: an administrator approves the\n"
            "machine that shows this code, in the web front below Nodes. Ctrl-C ends it, and leaves nothing.",
            flush=True,
        )
        said = ""
        while not standing["is_ready"]:
            if standing["words"] != said:
                said = standing["words"]
                print(said, flush=True)
            time.sleep(_POLL_S)
            standing = _patiently(lambda: front.call("GET", "join"))["standing"]
        print("It is approved. Fetching what it joins with.", flush=True)
        offer: dict[str, Any] = _patiently(lambda: front.call("GET", "join/offer"))["offer"]
        for name in offer["packages"].values():
            path, into, sha256 = f"join/packages/{quote(name)}", ours.packages / Path(name).name, offer["sha256"][name]
            _patiently(lambda: front.fetch(path, into, sha256))  # noqa: B023 - called at once
    except (JoinError, KeyboardInterrupt) as error:
        # Nothing is installed yet, and nothing is left; the token may be used again, unless it has ended.
        words = "Nothing was installed."
        try:
            front.call("DELETE", "join")
        except Refused as refusal:
            # Of a machine that is refused anyway that is no news.
            words += f" {refusal}" if isinstance(error, KeyboardInterrupt) else ""
        except Away:
            words += " The web front could not be told, so that this token is of no use any more."
        ours.remove()
        print(words, file=sys.stderr)
        raise
    ours.keep_offer(offer)
    return offer


def _take(front: Front, ours: Place) -> None:
    """Say that it is here. Before anything is installed; said again where a run that was cut off has said it."""
    try:
        _patiently(lambda: front.call("POST", "join/taken"))
    except Refused:
        ours.remove()
        raise


def _install(ours: Place, offer: dict[str, Any], program: Path, again: str) -> None:
    packages, variables, node = offer["packages"], offer["variables"], offer["node"]
    archive = ours.packages / packages["ansible"] if "ansible" in packages else None
    stage = playing.Stage(ours, program)
    stage.prepare(archive)
    if not stage.play(playing.PREFLIGHT, node, variables):
        raise JoinError(f"This machine does not fit as it is; what is wrong is above. Nothing was installed. {again}")
    if not stage.play(playing.JOIN, node, variables):
        raise JoinError(f"The play failed; what it says is above. {again}")
    _keep(Path(variables.get("node_agent_home", "/opt/skerry-agent")) / "join", offer, archive, program)


def _keep(folder: Path, offer: dict[str, Any], archive: Path | None, program: Path) -> None:
    """What `leave` needs, in the place of what was kept before. No password is among it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = {name: value for name, value in offer["variables"].items() if name != "node_agent_broker_password"}
    # It is asked for by the role, and used by nothing that leaves.
    known["node_agent_broker_password"] = "-" * 16
    for source, name in ((program, _KEPT[0]), (archive, _KEPT[1])):
        if source is not None and source != folder / name:
            shutil.copyfile(source, folder / f".{name}")
            (folder / f".{name}").replace(folder / name)
    write(folder / _KEPT[2], json.dumps({"node": offer["node"], "variables": known}))


def _await_heartbeat(front: Front, node: str) -> None:
    print("Waiting for its first heartbeat.", flush=True)
    until = time.monotonic() + _HEARTBEAT_S
    while time.monotonic() < until:
        with contextlib.suppress(Away):
            if front.call("GET", "join")["standing"]["node_state"] not in ("registering", "unregistered"):
                return
        time.sleep(1.0)
    raise JoinError(
        f"The agent runs, and the platform has not heard of it within {_HEARTBEAT_S:.0f} seconds. Look at journalctl "
        f"-u skerry-agent here, and whether the scheduler runs there. The page of {node} shows when it is heard."
    )


def _patiently(ask: Callable[[], Any]) -> Any:
    """What it answers; asked again while the front is away, which is said once."""
    is_told = False
    while True:
        try:
            return ask()
        except Away as error:
            if not is_told:
                print(f"{error} It is asked again until it answers; Ctrl-C ends it.", file=sys.stderr, flush=True)
            is_told = True
            time.sleep(_POLL_S)


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="skerry", description="Join a Skerry with this machine, or leave it.")
    verbs = top.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    joining = verbs.add_parser("join", help="make this machine a node")
    joining.add_argument("token", metavar="TOKEN", help="of an administrator's invitation")
    joining.add_argument(
        "--front", metavar="URL", type=_url, required=True, help="the web front, https://skerry.example"
    )
    joining.add_argument(
        "--address",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="by which this machine reaches the file server, where not by that to the front; may be repeated",
    )
    verbs.add_parser("leave", help="take the platform off this machine")
    return top


def _url(text: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is no address like https://skerry.example")
    return text
