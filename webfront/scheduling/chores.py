"""The chores, one line each: what it is called, how often it runs, what it does. See `webfront.activity.chores`."""

from __future__ import annotations

from functools import partial
from typing import Final

from webfront.activity.chores import Chore
from webfront.activity.retention import forget_old_facts
from webfront.scheduling.consumers import all_consumers
from webfront.settings import Settings

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR


def all_chores(settings: Settings) -> tuple[Chore, ...]:
    consumers = [one.name for one in all_consumers(settings)]
    keep_facts_s = settings.facts_keep_days * _DAY
    return (Chore("old facts", _HOUR, partial(forget_old_facts, keep_s=keep_facts_s, consumers=consumers)),)
