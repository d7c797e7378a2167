"""Who sees which log records: an administrator all, anybody else those of their own jobs.

A record is somebody's own when the database says that its job is theirs, its kind is one that may be shown, and it
names no other user: what an administrator did to a job is the administrator's record. This is asked of Elasticsearch
as a filter beside the question, so that no question widens it, and then decided here once more for each record that
comes back, whatever Elasticsearch takes for the same name. Of such a record only the fields below are shown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from webfront.logs import printed
from webfront.logs.questions import OF_JOBS, PROCESS

Clause = dict[str, Any]

_KINDS: Final = frozenset("" if kind == PROCESS else kind for kind in OF_JOBS)
"""As `event.dataset` has them."""

SHOWN: Final = frozenset(
    {
        "@timestamp", "message", "log.level", "service.name", "user.name", "error.type", "error.message",
        "event.id", "event.dataset", "event.action", "event.outcome", "event.reason", "event.duration",
        "skerry.job", "skerry.attempt", "skerry.line", "skerry.app", "skerry.node", "skerry.cause", "skerry.state",
        "skerry.at", "skerry.waited_s", "skerry.ran_s", "skerry.controller", "skerry.deed", "skerry.schedule",
    }
)  # fmt: skip
"""Not the platform's own insides, such as stack traces, hosts and addresses."""


class Own(NamedTuple):
    """Whose records: a user's name, and ids of their jobs, among which those are that are looked for."""

    user: str
    jobs: Collection[str]

    def clauses(self) -> list[Clause]:
        """What Elasticsearch lets through. What apps print is found by its user, of however many jobs."""
        lines = [{"term": {"event.dataset": printed.DATASET}}, {"term": {"user.name": self.user}}]
        return [
            _either({"bool": {"filter": lines}}, {"terms": {"skerry.job": sorted(self.jobs)}}),
            _either({"terms": {"event.dataset": sorted(_KINDS - {""})}}, _without("event.dataset")),
            _either({"term": {"user.name": self.user}}, _without("user.name")),
        ]

    def may_show(self, fields: Mapping[str, Any], confirmed: Collection[str]) -> bool:
        """Whether this record is theirs. `confirmed` is which of the answer's jobs the database says are theirs."""
        job, kind, user = (fields.get(name, "") for name in ("skerry.job", "event.dataset", "user.name"))
        if not (isinstance(job, str) and isinstance(kind, str)):
            return False  # several of them
        return job in confirmed and kind in _KINDS and user in ("", self.user)


def shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What of its own record a user sees."""
    return {name: value for name, value in fields.items() if name in SHOWN}


def _either(*clauses: Clause) -> Clause:
    return {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def _without(field: str) -> Clause:
    return {"bool": {"must_not": {"exists": {"field": field}}}}
