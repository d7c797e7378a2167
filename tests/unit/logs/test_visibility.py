"""Which record is a user's own: what comes back is judged once more, whatever was asked and found."""

from __future__ import annotations

from typing import Any

import pytest

from webfront.logs.visibility import SHOWN, Own, shown

MINE, ANOTHERS = "01M8EP8DJEAKVT6NVQ1619QFQ8", "01M8EP8DJEAKVT6NVQ1619QFQ9"
OWN = Own("bob", [MINE])


@pytest.mark.parametrize(
    ("fields", "visible"),
    [
        ({"skerry.job": MINE}, True),
        ({"skerry.job": MINE, "user.name": "bob"}, True),
        ({"skerry.job": MINE, "user.name": "bob", "event.dataset": "skerry.app"}, True),
        ({"skerry.job": MINE, "event.dataset": "skerry.activity"}, True),
        # What an administrator did to it is the administrator's.
        ({"skerry.job": MINE, "user.name": "ada"}, False),
        # What one tried with somebody else's job is about that job.
        ({"skerry.job": ANOTHERS, "user.name": "bob"}, False),
        ({"skerry.job": ANOTHERS, "user.name": "bob", "event.dataset": "skerry.app"}, False),
        ({"user.name": "bob"}, False),
        ({"user.name": "bob", "event.dataset": "skerry.app"}, False),
        ({}, False),
        # No other program's record is of a job.
        ({"skerry.job": MINE, "event.dataset": "nginx.access"}, False),
        ({"skerry.job": MINE, "event.dataset": "skerry.node"}, False),
        # Names that are only alike, several at once, or nothing that a name could be.
        ({"skerry.job": MINE, "user.name": "Bob"}, False),
        ({"skerry.job": MINE, "user.name": "bob-2"}, False),
        ({"skerry.job": MINE.lower()}, False),
        ({"skerry.job": [MINE, ANOTHERS]}, False),
        ({"skerry.job": [MINE]}, False),
        ({"skerry.job": MINE, "user.name": ["bob", "ada"]}, False),
        ({"skerry.job": MINE, "event.dataset": ["skerry.app", "nginx.access"]}, False),
        ({"skerry.job": MINE, "user.name": None}, False),
        ({"skerry.job": None}, False),
        ({"skerry.job": 7}, False),
    ],
    ids=str,
)
def test_a_record_is_shown_to_whom_its_job_belongs_alone(fields: dict[str, Any], visible: bool) -> None:
    assert OWN.may_show(fields, {MINE}) is visible
    # Nothing is anybody's that the database does not say so of.
    assert not OWN.may_show(fields, set())


def test_of_ones_own_record_the_platforms_insides_are_left_out() -> None:
    fields = {
        "message": "m", "error.message": "e", "error.stack_trace": "t", "host.name": "h", "process.pid": 1,
        "source.address": "192.0.2.1", "url.path": "/jobs", "whatever.comes": "x", "skerry.job": MINE,
    }  # fmt: skip
    assert shown(fields) == {"message": "m", "error.message": "e", "skerry.job": MINE}
    assert not {name for name in SHOWN if name.startswith(("host", "source", "process", "url", "http"))}
