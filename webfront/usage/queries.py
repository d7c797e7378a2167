"""Answering a question from the facts in the database, with two statements, each of which reads the span once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from webfront.activity.facts import DEEDS, Outcome
from webfront.database.rows import rows, whole
from webfront.schedules.times import read_zone
from webfront.usage.periods import Run, borders, runs
from webfront.usage.views import Breakdown, Period, Question, Share, Usage

MOST: Final = 20
"""Names that a breakdown has, at most; the rest are its others."""

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


class _Tally:
    """Deeds that succeeded and failed, by name."""

    def __init__(self) -> None:
        self._counts: dict[Any, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, name: object, outcome: str, count: int) -> None:
        self._counts[name][outcome != Outcome.SUCCESS] += count

    def of(self, name: object) -> tuple[int, int]:
        succeeded, failed = self._counts.get(name, (0, 0))
        return succeeded, failed

    def whole(self) -> tuple[int, int]:
        return _sum(self._counts.values())

    def breakdown(self) -> Breakdown:
        together = sum(self.whole())
        named = sorted((name for name in self._counts if name), key=lambda name: (-sum(self._counts[name]), name))
        return Breakdown(
            tuple(_share(name, self.of(name), together) for name in named[:MOST]),
            _share("", _sum(self._counts[name] for name in named[MOST:]), together),
            _share("", self.of(""), together),
            len(named),
        )


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
    over_time, functions, controllers, users, nodes = (_Tally() for _ in range(5))
    for one in when:
        over_time.add(int(one.place), one.outcome, one.deeds)
        functions.add(one.kind, one.outcome, one.deeds)
        controllers.add(one.controller, one.outcome, one.deeds)
    for each in who:
        users.add(each.user, each.outcome, each.deeds)
        nodes.add(each.node, each.outcome, each.deeds)
    succeeded, failed = over_time.whole()
    return Usage(
        succeeded=succeeded,
        failed=failed,
        periods=tuple(Period(at[n], at[n + 1], *over_time.of(n)) for n in range(len(at) - 1)),
        functions=functions.breakdown(),
        controllers=controllers.breakdown(),
        nodes=nodes.breakdown(),
        users=users.breakdown(),
    )


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


def _sum(counts: Iterable[Iterable[int]]) -> tuple[int, int]:
    succeeded = failed = 0
    for well, badly in counts:
        succeeded, failed = succeeded + well, failed + badly
    return succeeded, failed


def _share(name: str, counts: tuple[int, int], together: int) -> Share:
    return Share(name, *counts, round(100 * sum(counts) / together, 1) if together else 0.0)
