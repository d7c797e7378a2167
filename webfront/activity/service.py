"""What faces ask about the platform's activity."""

from __future__ import annotations

from webfront.activity.queries import list_chores, list_consumers, recent_facts


class ActivityService:
    facts = staticmethod(recent_facts)
    consumers = staticmethod(list_consumers)
    chores = staticmethod(list_chores)
