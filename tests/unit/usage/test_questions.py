"""A question is read from what was typed; what cannot be is refused with what to change, and nothing is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from webfront.errors import InvalidInput
from webfront.spans import SPANS
from webfront.usage.periods import borders
from webfront.usage.questions import FIELDS, read_question
from webfront.usage.views import Bucket, Question

NOW = datetime(2026, 11, 27, 14, 22, 5, tzinfo=UTC).timestamp()


def read(**asked: str) -> Question:
    return read_question({name.removesuffix("_"): text for name, text in asked.items()}, NOW)


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_the_last_seven_days_are_asked_for_unless_something_else_is() -> None:
    assert read() == Question(begin=NOW - 7 * 86400, end=NOW, zone="UTC", bucket=Bucket.HOUR, span="7d")
    assert read_question(dict.fromkeys(FIELDS, " "), NOW) == read()


def test_the_span_chooses_how_long_a_period_is() -> None:
    assert {span: read(span=span).bucket for span in SPANS} == {
        "1h": Bucket.MINUTE,
        "24h": Bucket.HOUR,
        "7d": Bucket.HOUR,
        "30d": Bucket.DAY,
        "90d": Bucket.DAY,
    }
    for asked in SPANS:
        question = read(span=asked)
        assert question.end - question.begin == SPANS[asked]


@pytest.mark.parametrize(
    ("given", "zone", "begin", "end"),
    [
        (("2026-03-29", "2026-03-29"), "UTC", "2026-03-29T00:00", "2026-03-30T00:00"),
        (("2026-03-29", "2026-03-29"), "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00"),
        (("2026-03-29T02:30", "2026-03-29T04:00"), "Europe/Berlin", "2026-03-29T01:00", "2026-03-29T02:00"),
        (("2026-10-25T02:30", "2026-10-25T03:30"), "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T02:30"),
        (("2026-05-01 10:00", "2026-05-01T10:00:30"), "UTC", "2026-05-01T10:00", "2026-05-01T10:00:30"),
        # With an offset the zone does not matter; an address makes a space of the plus.
        (("2026-05-01T10:00+02:00", "2026-05-01T10:00Z"), "Asia/Kolkata", "2026-05-01T08:00", "2026-05-01T10:00"),
        (("2026-05-01T10:00 02:00", "2026-05-01T10:00-02:00"), "UTC", "2026-05-01T08:00", "2026-05-01T12:00"),
        (("2026-11-27T12:00", ""), "UTC", "2026-11-27T12:00", "2026-11-27T14:22:05"),
        (("", "2026-05-08"), "UTC", "2026-05-02T00:00", "2026-05-09T00:00"),
        # A midnight that the clock leaves out.
        (("2026-03-29", "2026-03-29"), "Asia/Beirut", "2026-03-28T22:00", "2026-03-29T21:00"),
    ],
)
def test_dates_are_of_the_zone_and_a_last_day_is_in_it(given: tuple[str, str], zone: str, begin: str, end: str) -> None:
    question = read(from_=given[0], to=given[1], zone=zone, span="30d" if all(given) else "")
    assert (question.begin, question.end, question.span) == (utc(begin), utc(end), "")


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"zone": "Mars"}, "zone", "There is no time zone 'Mars'"),
        ({"zone": "../../etc/passwd"}, "zone", "There is no time zone"),
        ({"span": "8d"}, "span", "Give one of 1h, 24h, 7d, 30d, 90d, or from and to"),
        ({"function": "job.dance"}, "function", "There is no function 'job.dance'. Give one of app.delete"),
        ({"function": "job.end"}, "function", "There is no function 'job.end'"),
        ({"from_": "yesterday"}, "from", "'yesterday' is no date. Give from as 2026-03-29"),
        ({"to": "2026-02-30"}, "to", "'2026-02-30' is no date. Give to as"),
        ({"to": "2026-02-30T25:00"}, "to", "is no date"),
        ({"from_": "2026-05-02", "to": "2026-05-01"}, "from", "The span ends before it begins"),
        ({"from_": "2026-05-01T10:00", "to": "2026-05-01T10:00"}, "from", "The span ends before it begins"),
        ({"from_": "2027-05-02"}, "from", "Change from, or to, which is now by default"),
        ({"from_": "2025-01-01", "to": "2026-02-05"}, "from", "The span is longer than 400 days"),
        ({"from_": "0001-01-01"}, "from", "too far away. Give from a year from 2 to 9998"),
        ({"to": "9999-12-31"}, "to", "too far away"),
        ({"to": "9999-12-31T10:00"}, "to", "too far away"),
    ],
)
def test_what_cannot_be_used_is_told_with_what_to_change(asked: dict[str, str], field: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(**asked)
    assert words in refused.value.message
    assert refused.value.detail == {"field": field}


def test_four_hundred_days_are_not_too_many_whatever_the_clock_does() -> None:
    for zone in ("UTC", "Europe/Berlin", "America/Santiago"):
        assert read(from_="2025-01-01", to="2026-02-04", zone=zone).bucket is Bucket.DAY
        assert read(from_="2025-09-25", to="2026-10-29", zone=zone).bucket is Bucket.DAY


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia", "America/New_York"])
@pytest.mark.parametrize(
    "dates",
    [
        ("0002-01-01", "0002-02-01"),
        ("1893-03-31", "1893-04-02"),
        ("1969-12-31", "1970-01-02"),
        ("2011-12-28", "2012-01-02"),
        ("2999-12-31T23:00", "3000-01-01T01:00"),
        ("9998-11-30", "9998-12-30"),
        ("0002-01-01T00:00+14:00", "0002-01-01T00:00-12:00"),
        ("9998-12-31T23:59-12:00", "9998-12-31T23:59:59-12:00"),
    ],
)
def test_dates_far_away_are_dates(zone: str, dates: tuple[str, str]) -> None:
    question = read(from_=dates[0], to=dates[1], zone=zone)

    found = borders(question.begin, question.end, ZoneInfo(zone), question.bucket)
    assert found[0] < found[-1]
