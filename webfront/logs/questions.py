"""What is asked of the log records: read from words, on the page and in the API alike, and within bounds.

Nothing that is asked becomes a query's text: a word is a phrase to be found, whatever characters are in it, and a name
is compared as a whole. So there are no wildcards, no regular expressions and no operators to be refused one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from webfront import spans
from webfront.errors import InvalidInput
from webfront.jobs.identifiers import PATTERN
from webfront.logs import activity, figures, measurements, printed

DEFAULT_SPAN: Final = "24h"
JOBS_SPAN: Final = "90d"
"""Of a job's records, since whoever names a job means all of them."""

LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "debug": ("trace",),
    "info": ("notice", "informational"),
    "warning": ("warn",),
    "error": ("err",),
    "critical": ("crit", "alert", "emerg", "fatal", "panic"),
}
"""The platform's levels, the least first, each with what others call it."""

PROCESS: Final = "process"
DATASETS: Final[Mapping[str, str]] = {
    PROCESS: "what processes tell",
    printed.DATASET: "what apps print",
    activity.DATASET: "what has happened",
    figures.DATASET: "how nodes stand",
    measurements.DATASET: "measurements",
    "rabbitmq.log": "RabbitMQ",
    "mysql.error": "MariaDB",
    "nginx.access": "nginx, requests",
    "nginx.error": "nginx, errors",
    "supervisor.log": "supervisor",
}
"""Kinds of records, by `event.dataset`: `process` is those that have none."""
BY_NAME: Final = measurements.DATASET
"""The kind that is found only where it is asked for: its records are so many that nobody would see the others."""
OF_JOBS: Final = (PROCESS, printed.DATASET, activity.DATASET)
"""Those that are about jobs. Of other programs no record is, and whatever says so there is not the platform."""

NAMES: Final[Mapping[str, str]] = {
    "process": "service.name",
    "node": "skerry.node",
    "job": "skerry.job",
    "app": "skerry.app",
    "user": "user.name",
}
"""What is asked for by a whole name, and the record's field."""

FIELDS: Final = {
    "words": 'words that are all in the message or the error, "in quotes" as a phrase; whole words, no wildcards',
    "level": f"this level and those above it: {', '.join(LEVELS)}; what apps print has none",
    "process": "only this process's: webfront, scheduler, plays, shipper, dispatch, agent",
    "node": "only records about this node",
    "job": "only records about this job, by its id",
    "app": "only records about this app",
    "user": "only records about this user, for administrators",
    "dataset": f"only this kind: {', '.join(DATASETS)}; without one all but {BY_NAME}",
    **spans.fields(f"{DEFAULT_SPAN}, of one job {JOBS_SPAN}"),
    "before": "go on with records older than those of a page, by its `older`",
    "after": "go on with records newer than those of a page, by its `newer`",
}
"""What can be asked, with what each means."""

_LONGEST_WORDS: Final = 500
_MOST_WORDS: Final = 20
_LONGEST_NAME: Final = 200
_QUOTED: Final = re.compile(r'"([^"]*)"|([^\s"]+)')
_WILDCARD: Final = re.compile(r"\*|(?<=\w)\?$")


class LogQuestion(msgspec.Struct, frozen=True):
    """Which records are wanted: from `begin` on and before `end`, of what the filters name. Empty is no filter."""

    begin: float
    end: float
    zone: str
    span: str = ""
    """A name of `webfront.spans.SPANS`; empty where dates were given."""
    until_now: bool = True
    """No end was given: a record of a machine whose clock is ahead counts too."""
    words: tuple[str, ...] = ()
    """Words and phrases, each of which is in the record."""
    level: str = ""
    process: str = ""
    node: str = ""
    job: str = ""
    app: str = ""
    user: str = ""
    dataset: str = ""


def read_question(asked: Mapping[str, str], now: float) -> LogQuestion:
    """The question in these `FIELDS`, each of which may be left out or empty. InvalidInput."""
    given = {name: asked.get(name, "").strip() for name in FIELDS}
    words = _words(given["words"])
    for field, known in (("level", LEVELS), ("dataset", DATASETS)):
        if given[field] and given[field] not in known:
            raise _refuse(field, f"There is no {field} {given[field][:40]!r}. Give one of {', '.join(known)}.")
    for field in NAMES:
        if len(given[field]) > _LONGEST_NAME:
            raise _refuse(
                field, f"What {field} names is longer than {_LONGEST_NAME} characters. Nothing is called that."
            )
    if given["job"] and not PATTERN.fullmatch(given["job"]):
        raise _refuse("job", f"{given['job'][:40]!r} is no job's id: 26 capital letters and digits, as in its address.")
    span = spans.read_span(given, now, JOBS_SPAN if given["job"] else DEFAULT_SPAN)
    return LogQuestion(
        begin=span.begin,
        end=span.end,
        zone=span.zone.key,
        span=span.name,
        until_now=span.until_now,
        words=words,
        level=given["level"],
        dataset=given["dataset"],
        **{name: given[name] for name in NAMES},
    )


def levels_from(least: str) -> list[str]:
    """What a record's level may be called that is this one or above it."""
    names = list(LEVELS)
    return [one for name in names[names.index(least) :] for one in (name, *LEVELS[name])]


def _words(text: str) -> tuple[str, ...]:
    if len(text) > _LONGEST_WORDS:
        raise _refuse("words", f"These are {len(text)} characters of words. Give {_LONGEST_WORDS} at most.")
    found = []
    for quoted, word in _QUOTED.findall(text):
        if word and _WILDCARD.search(word):
            words = f"{word[:40]!r} has a wildcard, and there are none. Give whole words, or put it in quotes as it is."
            raise _refuse("words", words)
        if any(one.isalnum() for one in quoted or word):
            found.append(quoted.strip() or word)
        elif word:
            raise _refuse("words", f"{word[:40]!r} has neither a letter nor a digit: there is nothing to look for.")
    if len(found) > _MOST_WORDS:
        raise _refuse("words", f"These are {len(found)} words. Give {_MOST_WORDS} at most.")
    return tuple(dict.fromkeys(found))


def _refuse(field: str, words: str) -> InvalidInput:
    return InvalidInput(words, detail={"field": field})
