"""Answering a question from the activity records in Elasticsearch: the same numbers as from the facts they are of.

A record has the very moment of its fact, `skerry.at`, since `@timestamp` knows milliseconds alone. Names are asked for
page by page and so counted exactly: the usual way to ask for the most frequent ones is an estimate where there is more
than one shard.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from webfront.activity.facts import DEEDS
from webfront.logs.activity import DATASET
from webfront.logs.asking import Asking
from webfront.schedules.times import read_zone
from webfront.usage.periods import borders
from webfront.usage.tallies import Counts
from webfront.usage.views import Question, Usage

_DEEDS: Final = sorted(DEEDS)
_FILTERS: Final[Mapping[str, str]] = {
    "function": "event.action",
    "user": "user.name",
    "node": "skerry.node",
    "controller": "skerry.controller",
}
_PAGE: Final = 5000
"""Combinations of names in one answer."""
_OUTCOME: Final = "event.outcome"


def answer(asking: Asking, question: Question) -> Usage:
    """The deeds that the question is about, counted, also by user. NotSetUp, ElasticUnavailable."""
    at = borders(question.begin, question.end, read_zone(question.zone), question.bucket)
    asked = {"bool": {"filter": _conditions(question)}}
    counts = Counts()
    spans = [{"from": begin, "to": end, "key": str(place)} for place, (begin, end) in enumerate(itertools.pairwise(at))]
    over_time = {
        "range": {"field": "skerry.at", "ranges": spans},
        "aggs": {"outcomes": {"terms": {"field": _OUTCOME}}},
    }
    for period in asking.count(asked, {"found": over_time})["found"]["buckets"]:
        for outcome in period["outcomes"]["buckets"]:
            counts.over_time.add(int(period["key"]), outcome["key"], outcome["doc_count"])
    for (kind, controller, outcome), deeds in _by(asking, asked, "event.action", "skerry.controller"):
        counts.functions.add(kind, outcome, deeds)
        counts.controllers.add(controller, outcome, deeds)
    for (user, node, outcome), deeds in _by(asking, asked, "user.name", "skerry.node"):
        counts.users.add(user, outcome, deeds)
        counts.nodes.add(node, outcome, deeds)
    return counts.usage(at)


def _conditions(question: Question) -> list[dict[str, Any]]:
    """Which records count."""
    found: list[dict[str, Any]] = [
        {"term": {"event.dataset": DATASET}},
        {"terms": {"event.action": _DEEDS}},
        {"range": {"skerry.at": {"gte": question.begin, "lt": question.end}}},
        # By which whole indices are left out.
        {"range": {"@timestamp": {"gte": math.floor(question.begin * 1e3), "lte": math.ceil(question.end * 1e3)}}},
    ]
    for field, name in _FILTERS.items():
        if wanted := getattr(question, field):
            found.append({"term": {name: wanted}})
    return found


def _by(asking: Asking, asked: dict[str, Any], *names: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """How many there are of each combination of these and an outcome; empty where a record has no such name."""
    sources = [{name: {"terms": {"field": name, "missing_bucket": True}}} for name in (*names, _OUTCOME)]
    composite: dict[str, Any] = {"size": _PAGE, "sources": sources}
    while True:
        found = asking.count(asked, {"found": {"composite": composite}})["found"]
        for bucket in found["buckets"]:
            yield tuple(bucket["key"][name] or "" for name in (*names, _OUTCOME)), bucket["doc_count"]
        if "after_key" not in found:
            return
        composite["after"] = found["after_key"]
