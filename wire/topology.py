"""The names of the exchanges and queues, in one place.

A node never declares anything: its queues are made when it is registered, so that its broker user needs no right to
configure, nor to read from an exchange.
"""

from __future__ import annotations

import re
from typing import Final

SUBMITTED: Final = "skerry.submitted"
JOBS: Final = "skerry.jobs"
EVENTS: Final = "skerry.events"
HEARTBEATS: Final = "skerry.heartbeats"
CONTROL: Final = "skerry.control"
LOGS: Final = "skerry.logs"
LOST_LOGS: Final = "skerry.logs.lost"
"""Where a log record goes that passes the bound of `skerry.logs`: to be counted."""
DEAD: Final = "skerry.dead"
"""Where an order goes that was delivered too often."""

LEADER: Final = "skerry.scheduler"
"""An exclusive queue: the scheduler that holds it is the one that works."""


NODE_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
"""What a node's name may be: it becomes a routing key and the end of names of queues and of a broker user."""

NODE_NAME_RULE: Final = "up to 32 of a-z, 0-9 and hyphen, with no hyphen at its ends"


def jobs_queue(node: str) -> str:
    """The queue of a node's orders."""
    return f"jobs.{node}"


def control_queue(node: str) -> str:
    """The queue of a node's control messages."""
    return f"control.{node}"


def node_user(node: str) -> str:
    """The broker user of a node."""
    return f"node-{node}"


def node_of_user(user: str | None) -> str | None:
    """The node whose broker user this is; None for any other user."""
    return user.removeprefix("node-") if user and user.startswith("node-") else None
