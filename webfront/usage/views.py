"""What is asked about the platform's use, and what the answer is: whoever counts, it is the same."""

from __future__ import annotations

import enum

import msgspec


class Bucket(enum.StrEnum):
    """How long a period of the answer is, by the clock of the question's zone."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


class Question(msgspec.Struct, frozen=True):
    """Which deeds are counted: those from `begin` on and before `end`, of what the filters name. Empty is no filter."""

    begin: float
    end: float
    zone: str
    bucket: Bucket
    span: str = ""
    """A name of `webfront.usage.questions.SPANS`; empty where dates were given."""
    function: str = ""
    """A deed: a `webfront.activity.facts.Kind`."""
    user: str = ""
    node: str = ""
    controller: str = ""


class Period(msgspec.Struct, frozen=True):
    """A minute, an hour or a day of the zone, or what of it is in the span."""

    begin: float
    end: float
    succeeded: int
    failed: int


class Share(msgspec.Struct, frozen=True):
    """How much of the whole has one name."""

    name: str
    succeeded: int
    failed: int
    percent: float
    """Of all that was counted, to one digit after the point."""

    @property
    def count(self) -> int:
        return self.succeeded + self.failed


class Breakdown(msgspec.Struct, frozen=True):
    """The whole by names, the most frequent first. `most`, `others` and `nameless` together are the whole."""

    most: tuple[Share, ...]
    """20 at most."""
    others: Share
    """The other names, together."""
    nameless: Share
    """What has no name: a deed about no node, of nobody who is signed in, from no controller (a schedule's job)."""
    names: int
    """How many names there are in all."""


class Usage(msgspec.Struct, frozen=True):
    """How the platform was used: deeds, counted."""

    succeeded: int
    failed: int
    periods: tuple[Period, ...]
    """The whole span, in order, without a gap."""
    functions: Breakdown
    controllers: Breakdown
    nodes: Breakdown
    users: Breakdown | None
    """None for whoever sees their own use alone."""

    @property
    def count(self) -> int:
        return self.succeeded + self.failed


class Source(enum.StrEnum):
    """Where the deeds were counted: a deed stands in both for as long as each of them keeps it."""

    DATABASE = "database"
    ELASTICSEARCH = "elasticsearch"


class Answered(msgspec.Struct, frozen=True):
    """A question as it was understood, and its answer."""

    question: Question
    usage: Usage
    source: Source
    trouble: str = ""
    """Why the database answers in Elasticsearch's stead, in words."""
