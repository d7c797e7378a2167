"""Schedules' times in words."""

from __future__ import annotations

import random
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from webfront.errors import InvalidInput
from webfront.schedules.times import read_cron
from webfront.schedules.words import moment_in_words, times_in_words

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("30 7 * * 1-5", "At 07:30 on Monday through Friday"),
        ("30 2 * * *", "At 02:30 every day"),
        ("0 * * * *", "At the start of every hour"),
        ("*/15 * * * *", "Every 15th minute of every hour"),
        ("0 0 31 * *", "At 00:00 on the 31st day of every month"),
        ("0 0 11,12,13,22,23 * *", "At 00:00 on the 11th, the 12th, the 13th, the 22nd, and the 23rd day of month"),
        # One of the two, or both at once: as the times are.
        ("0 0 1 * MON", "At 00:00 on the first day of month and on Monday"),
        ("0 0 */2 * MON", "At 00:00 on every second day of month if it's on Monday"),
        ("0 9 * * MON#2", "At 09:00 on the second Monday of the month"),
    ],
)
def test_a_cron_expression_says_what_it_means(cron: str, words: str) -> None:
    assert times_in_words(read_cron(cron), None, BERLIN) == f"{words} ({BERLIN})"


def test_one_date_and_time() -> None:
    assert times_in_words(None, "2026-12-04T18:30", "UTC") == "Once, on 4 December 2026 at 18:30 (UTC)"


def test_whatever_is_accepted_has_words() -> None:
    chance = random.Random(2)
    for _ in range(2000):
        text = " ".join("".join(chance.choices("0123456789*/,-#LW", k=chance.randint(1, 4))) for _ in range(5))
        try:
            cron = read_cron(text)
        except InvalidInput:
            continue
        assert times_in_words(cron, None, "UTC")


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("2026-10-24T23:59", "today 23:59"),
        ("2026-10-25T00:00", "tomorrow 00:00"),
        ("2026-10-23T07:30", "yesterday 07:30"),
        ("2026-10-30T07:30", "Friday 07:30"),
        ("2026-10-31T07:30", "31 October 2026 07:30"),
        ("2026-10-01T07:30", "1 October 2026 07:30"),
    ],
)
def test_a_moment_by_the_zones_own_days(time: str, words: str) -> None:
    zone = ZoneInfo(BERLIN)
    now = datetime(2026, 10, 24, 22, 30, tzinfo=zone).timestamp()
    assert moment_in_words(datetime.fromisoformat(time).replace(tzinfo=zone).timestamp(), BERLIN, now) == words


def test_the_hour_that_comes_twice() -> None:
    first = datetime(2026, 10, 25, 2, 0, tzinfo=ZoneInfo(BERLIN)).timestamp()
    now = first - 86400
    assert moment_in_words(first, BERLIN, now) == "tomorrow 02:00"
    assert moment_in_words(first + 3600, BERLIN, now) == "tomorrow 02:00 again"
