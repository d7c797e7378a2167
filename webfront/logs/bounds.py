"""How many log records the broker holds while nobody takes them: policies, since the arguments of a queue are for good.

The bound is made from a rate and a time. A broker counts messages and their bytes, and a message holds one record or
several: so the queue holds as many records as were promised, and more where they came together, until their bytes reach
the other bound. What passes it goes, oldest first: to be counted where somebody is to take the records, and nowhere
where nobody is.
"""

from __future__ import annotations

import re
from typing import Any, Final

from webfront.activity.term import Term
from webfront.broker.management import Management
from webfront.settings import Settings
from wire import topology

_RECORD_BYTES: Final = 2048
"""What a record may take on average. The platform's take a quarter of it (`benchmarks/records.py`), and one with a long
stack trace all of it: when much goes wrong, the promise is to hold as well."""
_UNCOUNTED_BYTES: Final = 256 * 1024 * 1024
"""Of what was lost, while no scheduler leads that would count it."""


def bound(settings: Settings) -> int:
    """How many records the queue holds at least."""
    return settings.logs_rate * settings.logs_absence_s


def policies(settings: Settings) -> dict[str, dict[str, Any]]:
    """Each queue's policy."""
    held: dict[str, Any] = {
        "max-length": bound(settings),
        "max-length-bytes": bound(settings) * _RECORD_BYTES,
        "overflow": "drop-head",
    }
    if settings.logs_reader != "none":
        held["dead-letter-exchange"] = topology.LOST_LOGS
    return {
        topology.LOGS: held,
        topology.LOST_LOGS: {"max-length-bytes": _UNCOUNTED_BYTES, "overflow": "drop-head"},
    }


def pattern(queue: str) -> str:
    """By which a policy is this queue's alone."""
    return f"^{re.escape(queue)}$"


def keep_bounds(term: Term, *, settings: Settings) -> str:
    """The chore: have the broker's policies say what the settings say."""
    management = Management.of(settings)
    changed = []
    for queue, definition in policies(settings).items():
        found = management.get("policies", management.vhost, queue)
        wanted = {
            "pattern": pattern(queue),
            "definition": definition,
            "apply-to": "queues",
            "priority": 10,
        }
        if found is None or any(found.get(name) != value for name, value in wanted.items()):
            management.put("policies", management.vhost, queue, body=wanted)
            changed.append(queue)
    return f"bounded {' and '.join(changed)}" if changed else ""
