"""`python -I KIT.pyz ROOT COMMAND ...`: what plays and kept connections call on a machine without an agent.

An answer is one line of JSON on standard output; what goes wrong, a sentence on standard error and exit status 1.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from node_scripts import benchmark
from node_scripts.dispatched import figures, following, host, orders
from node_scripts.dispatched.places import Places


def main(kit: Path, arguments: list[str]) -> int:
    os.umask(0o077)
    places = Places(Path(arguments[0]))
    try:
        answer = _run(places, kit, arguments[1], arguments[2:])
    except (OSError, ValueError, orders.Refused) as error:
        print(f"{arguments[1]}: {error}", file=sys.stderr)
        return 1
    if answer is not None:
        print(json.dumps(answer))
    return 0


def _run(places: Places, kit: Path, command: str, given: list[str]) -> object:
    match command, given:
        case "prepare", [node]:
            return {"changed": orders.take(places, node)}
        case "benchmark", []:
            figure = benchmark.measure()
            benchmark.store(places.state, benchmark.Benchmark(figure, time.time()))
            return {"events_per_second": figure}
        case "measure", [serial, *held]:
            left = orders.sweep(places, set(held), int(serial), kit)
            return {
                "metrics": figures.measure(places),
                "arch": os.uname().machine,
                "ending": left,
                "refusals": host.refusals(places),
            }
        case "has", [key, version, serial]:
            return orders.has(places, key, version, int(serial))
        case "stage", [key]:
            orders.stage(places, key, kit)
        case "start", [key]:
            host.start(places, places.order(key), kit)
        case "host", [key]:
            host.attend(places, key)
        case "follow", [key, offset]:
            following.follow(places, key, int(offset), kit)
        case "collect", [key]:
            return orders.collect(places, key, _signed_in())
        case "discard", [key, serial]:
            return {"gone": orders.discard(places, key, int(serial), kit)}
        case "leave", []:
            if not orders.leave(places, kit):
                raise orders.Refused("something that runs there does not end")
        case _:
            raise ValueError("no such command")
    return None


def _signed_in() -> int:
    """The user who signed in, and as root has this done by sudo."""
    return int(os.environ.get("SUDO_UID") or os.geteuid())
