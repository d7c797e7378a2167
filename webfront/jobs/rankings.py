"""How the nodes ranked for an attempt, as it is kept: a list for each node, since the names of its figures would be
most of the bytes. What is added to it later comes at the end; an older row is shorter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from webfront.database.models import Job, Ranking

NODE: Final = ("node", "live", "slots", "agentless")
"""`webfront.scheduling.placement.Ranked`, without its score,"""
SCORE: Final = (
    "value",
    "load",
    "performance",
    "temperature_factor",
    "free_cpu_percent",
    "free_memory_percent",
    "free_memory_gb",
    "events_per_second",
    "temperature_c",
    "pending_attempts",
)
"""and `webfront.scheduling.score.Score`."""


def rankings_of(job: Job) -> dict[int, list[dict[str, Any]]]:
    """Those that are kept beside a job's attempts, by the attempts' numbers: of each node a dict, the best first."""
    return {row.number: shown(row.nodes) for row in Ranking.select().where(Ranking.job == job)}


def shown(nodes: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    """The nodes of a row as dicts."""
    return [
        {**dict(zip(NODE, kept, strict=False)), "score": dict(zip(SCORE, kept[len(NODE) :], strict=False))}
        for kept in nodes
    ]
