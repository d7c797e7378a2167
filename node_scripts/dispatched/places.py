"""What lies where on a machine without an agent. All of it is below one folder, the root, and goes with it.

    node                    the name of the node that it is
    kit/HASH.pyz            this code, named by its content
    incoming/               what is being sent; belongs to nobody once it was put in place
    orders/JOB.N/           one attempt
        order.json          what is to be run, with the slot and the serial of this sending; put there last, whole
        host                locked for as long as a process attends to the attempt
        cancel              there: the attempt is to be ended
        state.json          how far it has come, in words
        end.json            how it ended; written whole, once its results stand in `share/results`
    share/                  this machine's own share: `apps`, `inputs`, `results`, as on the platform's
    refused                 there: the machine has refused an attempt for itself, and not been found able since
    state/                  as an agent's: `attempts`, `cache`, the benchmark's figure
    outgoing/JOB.N/         results, as the user who signs in may fetch them

No order: the attempt is unknown. An order and no end: it is attended to, or whoever asks sees to it that it is (see
`node_scripts.dispatched.host`). So whatever is killed in between, asking again goes on from there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from node_scripts.running.interface import Ended
from node_scripts.running.rooms import Room, make_folder, read_record, write_record
from wire.messages import Order

SLOTS: Final = 256
"""The most a machine has; the controller says which one an attempt gets."""

_KEY: Final = re.compile(r"([A-Za-z0-9_-]{1,64})\.([0-9]{1,10})")


class Staged(msgspec.Struct, frozen=True):
    """What `order.json` says."""

    order: Order
    slot: int
    serial: int
    """Grows with each sending, by the controller's clock: an older one than what stands here changes nothing."""


class State(msgspec.Struct, frozen=True):
    """What `state.json` says."""

    what: str
    """In words, while it is prepared; empty once the app was started."""
    started_at: float | None = None
    detail: str = ""
    """What of `what` is under way."""
    never_ran: bool = False
    """No process of its app was started, but its log and its end are there to be fetched."""


@dataclass(frozen=True)
class Site:
    """What a `SandboxRunner` reads of an agent's settings."""

    state_dir: Path
    share_dir: Path
    python: Path
    slots: int = SLOTS
    uid_base: int = 60600
    cache_apps: int = 20
    cache_mb: int = 4096


class OrderPlace:
    """One attempt's folder in `orders`. Making the object touches nothing."""

    def __init__(self, places: Places, key: str) -> None:
        found = _KEY.fullmatch(key)
        if found is None:
            raise ValueError(f"{key!r} names no attempt")
        self.key = key
        self.job, self.attempt = found[1], int(found[2])
        self.folder = places.orders / key
        self.order = self.folder / "order.json"
        self.host = self.folder / "host"
        self.cancel = self.folder / "cancel"
        self.state = self.folder / "state.json"
        self.end = self.folder / "end.json"
        self.outgoing = places.outgoing / key
        self.incoming_order = places.incoming / f"{key}.order"
        self.incoming_input = places.incoming / f"{key}.input"
        self.results = places.share / "results" / self.job / str(self.attempt)
        self.room = Room(places.state / "attempts", self.job, self.attempt)

    def staged(self) -> Staged | None:
        return read_record(self.order, Staged)

    def ended(self) -> Ended | None:
        return read_record(self.end, Ended)

    def tell(self, state: State) -> None:
        write_record(self.state, state, sync=False)


class Places:
    """The root and what is below it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.kit = root / "kit"
        self.incoming = root / "incoming"
        self.orders = root / "orders"
        self.share = root / "share"
        self.apps = self.share / "apps"
        self.state = root / "state"
        self.outgoing = root / "outgoing"
        self.refused = root / "refused"

    def make(self) -> None:
        """The folders. Apps' users pass through the root to their own rooms and see nothing else."""
        make_folder(self.root, 0o711)
        make_folder(self.state, 0o711)
        make_folder(self.outgoing, 0o711)
        for folder in (self.kit, self.incoming, self.orders, self.share):
            make_folder(folder, 0o700)
        for name in ("apps", "inputs", "results"):
            make_folder(self.share / name, 0o700)

    def order(self, key: str) -> OrderPlace:
        return OrderPlace(self, key)

    def all_orders(self) -> list[OrderPlace]:
        try:
            return [self.order(path.name) for path in sorted(self.orders.iterdir()) if _KEY.fullmatch(path.name)]
        except FileNotFoundError:
            return []


def say(**told: object) -> None:
    """One line for the controller. A login shell may have said something before: the mark tells ours."""
    print("skerry " + json.dumps(told), flush=True)
