"""The consumers of facts, one line each. `webfront.activity.consumers` says what a consumer may do."""

from __future__ import annotations

from webfront.activity.consumers import Consumer
from webfront.settings import Settings


def all_consumers(settings: Settings) -> tuple[Consumer, ...]:
    return ()
