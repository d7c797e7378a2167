"""Answering a question from the facts in the database, with two statements, each of which reads the span once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from webfront.activity.facts import DEEDS
from webfront.database.rows import rows, whole
from webfront.schedules.times import read_zone
from webfront.usage.periods import Run, borders, runs
from webfront.usage.tallies import Counts
from webfront.usage.views import Question, Usage

_DEEDS: Final = sorted(DEEDS)
_FILTERS: Final[Mapping[str, str]] = {"user": "`user`", "node": "node", "controller": "controller"}


class _WhenAndHow(NamedTuple):
    place: int
    kind: str
    controller: str
    outcome: str
    deeds: int


class _WhoAndWhere(NamedTuple):
    user: str
    node: str
    outcome: str
    deeds: int


def answer(question: Question) -> Usage:
    """The deeds that the question is about, counted, also by user."""
    at = borders(question.begin, question.end, read_zone(question.zone), question.bucket)
    place, places = _place(runs(at))
    condition, values = _condition(question)
    # Constant names, values as parameters.
    when = rows(
        _WhenAndHow,
        f"SELECT {place} AS place, kind, controller, outcome, COUNT(*) AS deeds FROM fact WHERE {condition} "  # noqa: S608
        "GROUP BY place, kind, controller, outcome",
        *places,
        *values,
    )
    who = rows(
        _WhoAndWhere,
        f"SELECT `user`, node, outcome, COUNT(*) AS deeds FROM fact WHERE {condition} GROUP BY `user`, node, outcome",  # noqa: S608
        *values,
    )
    counts = Counts()
    for one in when:
        counts.over_time.add(int(one.place), one.outcome, one.deeds)
        counts.functions.add(one.kind, one.outcome, one.deeds)
        counts.controllers.add(one.controller, one.outcome, one.deeds)
    for each in who:
        counts.users.add(each.user, each.outcome, each.deeds)
        counts.nodes.add(each.node, each.outcome, each.deeds)
    return counts.usage(at)


def _place(found: list[Run]) -> tuple[str, list[float]]:
    """The place of a fact's period among all, as SQL with its values."""
    sql, values = "CASE", list[float]()
    for run in found:
        if run.is_one:
            sql += " WHEN at < ? THEN ?"
            values += [run.end, run.first]
        else:
            sql += f" WHEN at < ? THEN ? + {whole('(at - ?) / ?')}"
            values += [run.end, run.first, run.begin, run.length]
    return f"{sql} END", values


def _condition(question: Question) -> tuple[str, list[Any]]:
    """Which facts count, as SQL with its values."""
    conditions, values = ["at >= ?", "at < ?"], list[Any]([question.begin, question.end])
    if question.function:
        conditions.append("kind = ?")
        values.append(question.function)
    else:
        conditions.append("kind IN (?*)")
        values.append(_DEEDS)
    for field, column in _FILTERS.items():
        if wanted := getattr(question, field):
            conditions.append(f"{column} = ?")
            values.append(wanted)
    return " AND ".join(conditions), values
