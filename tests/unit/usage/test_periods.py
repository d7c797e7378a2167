"""Periods are whole minutes, hours and days of a zone's clock, and together they are the span."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from webfront.usage.periods import borders, runs
from webfront.usage.views import Bucket

BERLIN = "Europe/Berlin"
ZONES = [BERLIN, "UTC", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Beirut", "America/Santiago"]
HOUR = 3600


def at(text: str, zone: str = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def between(begin: str, end: str, bucket: Bucket, zone: str = BERLIN) -> tuple[float, ...]:
    return borders(at(begin, zone), at(end, zone), ZoneInfo(zone), bucket)


def hours(found: tuple[float, ...]) -> list[float]:
    return [(after - before) / HOUR for before, after in pairwise(found)]


@pytest.mark.parametrize(
    ("day", "before", "after", "zone", "expected"),
    [
        ("2026-03-29", "2026-03-28", "2026-03-31", BERLIN, [24, 23, 24]),
        ("2026-10-25", "2026-10-24", "2026-10-27", BERLIN, [24, 25, 24]),
        ("2026-10-04", "2026-10-03", "2026-10-06", "Australia/Lord_Howe", [24, 23.5, 24]),
        # Midnight is left out, or the last hour of a day comes twice.
        ("2026-03-29", "2026-03-28", "2026-03-31", "Asia/Beirut", [24, 23, 24]),
        ("2026-10-24", "2026-10-23", "2026-10-26", "Asia/Beirut", [24, 25, 24]),
        # The whole of 30 December was left out.
        ("2011-12-29", "2011-12-29", "2012-01-01", "Pacific/Apia", [24, 24]),
    ],
)
def test_days_are_as_long_as_the_zone_has_them(
    day: str, before: str, after: str, zone: str, expected: list[float]
) -> None:
    assert hours(between(before, after, Bucket.DAY, zone)) == expected


def test_a_day_of_25_hours_has_25_periods_of_an_hour() -> None:
    assert hours(between("2026-10-25", "2026-10-26", Bucket.HOUR)) == [1.0] * 25
    assert hours(between("2026-03-29", "2026-03-30", Bucket.HOUR)) == [1.0] * 23


def test_the_first_and_the_last_are_what_of_them_is_in_the_span() -> None:
    found = between("2026-05-01T10:20:30", "2026-05-01T12:10", Bucket.HOUR)
    assert [datetime.fromtimestamp(one, ZoneInfo(BERLIN)).strftime("%H:%M:%S") for one in found] == [
        "10:20:30",
        "11:00:00",
        "12:00:00",
        "12:10:00",
    ]
    assert borders(10.25, 10.5, ZoneInfo("UTC"), Bucket.DAY) == (10.25, 10.5)
    assert borders(0.0, 86400.0, ZoneInfo("UTC"), Bucket.DAY) == (0.0, 86400.0)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("bucket", list(Bucket))
def test_each_begins_where_the_clock_shows_a_whole_one(zone: str, bucket: Bucket) -> None:
    """Through the year's changes of the clock, and over a year of days."""
    days = {Bucket.MINUTE: 0.2, Bucket.HOUR: 8.0, Bucket.DAY: 400.0}[bucket]
    for begin in ("2026-03-29T00:30", "2026-04-05T00:30", "2026-10-04T00:30", "2026-10-24T22:30", "2026-01-01T12:00"):
        start = at(begin, "UTC")
        found = borders(start, start + days * 86400, ZoneInfo(zone), bucket)
        assert (found[0], found[-1]) == (start, start + days * 86400)
        assert all(before < after for before, after in pairwise(found))
        for one in found[1:-1]:
            now, just_before = (datetime.fromtimestamp(moment, ZoneInfo(zone)) for moment in (one, one - 1))
            if bucket is Bucket.DAY:
                assert now.date() > just_before.date()
            elif now.utcoffset() == just_before.utcoffset():
                assert now.minute == now.second == 0 if bucket is Bucket.HOUR else now.second == 0


@pytest.mark.parametrize("zone", ZONES)
def test_periods_of_one_length_are_few_runs(zone: str) -> None:
    start = at("2026-01-01T12:34", "UTC")
    found = borders(start, start + 400 * 86400, ZoneInfo(zone), Bucket.DAY)
    made = runs(found)
    assert len(made) <= 11
    again = [
        run.begin + number * run.length for run in made for number in range(round((run.end - run.begin) / run.length))
    ]
    assert again == list(found[:-1])
    assert [run.first for run in made] == [found.index(run.begin) for run in made]
