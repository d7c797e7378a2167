"""What is due, what is late, and what was missed."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from webfront.schedules.due import GRACE_S, MOST_COUNTED, Due, Missed, due_times
from webfront.schedules.times import Cron, Once, read_at

NOON = 1782475200
EACH_MINUTE = Cron("* * * * *", ZoneInfo("UTC"))
DAILY = Cron("0 12 * * *", ZoneInfo("UTC"))


def minute(number: int) -> int:
    return NOON + number * 60


@pytest.mark.parametrize(
    ("times", "now", "expected"),
    [
        (EACH_MINUTE, NOON, Due(NOON, None)),
        (EACH_MINUTE, NOON + 59, Due(NOON, None)),
        # The latest of several alone; nothing is missed in silence.
        (EACH_MINUTE, minute(1), Due(minute(1), Missed(NOON, NOON, 1))),
        (EACH_MINUTE, minute(60), Due(minute(60), Missed(NOON, minute(59), 60))),
        (DAILY, NOON + GRACE_S - 1, Due(NOON, None)),
        (DAILY, NOON + GRACE_S, Due(None, Missed(NOON, NOON, 1))),
        (DAILY, minute(3 * 1440 - 1), Due(None, Missed(NOON, minute(2 * 1440), 3))),
        (DAILY, minute(3 * 1440), Due(minute(3 * 1440), Missed(NOON, minute(2 * 1440), 3))),
        (Once(read_at("2026-06-26T12:00"), ZoneInfo("UTC")), NOON + 10, Due(NOON, None)),
        (Once(read_at("2026-06-26T12:00"), ZoneInfo("UTC")), minute(10), Due(None, Missed(NOON, NOON, 1))),
    ],
)
def test_one_job_at_most_and_the_rest_told(times: Cron | Once, now: float, expected: Due) -> None:
    assert due_times(times, NOON, now) == expected


def test_a_year_of_missed_minutes_is_not_counted_to_its_end() -> None:
    now = minute(365 * 1440) + 1
    found = due_times(EACH_MINUTE, NOON, now)
    assert found == Due(now - 1, Missed(NOON, now, MOST_COUNTED))
