"""When schedules are due: each named time once, whatever the clock does; what can never be due is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest

from webfront.errors import InvalidInput
from webfront.schedules.times import Cron, Once, first_times, next_times, read_at, read_cron, read_zone, times_of

BERLIN = "Europe/Berlin"
ZONES = [BERLIN, "Australia/Lord_Howe", "Asia/Beirut", "America/Santiago", "Africa/Casablanca"]
TO_MIDNIGHT = [f"{hour:02}:00" for hour in range(3, 24)]


def at(text: str, zone: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def due_between(cron: Cron, begin: float, end: float) -> Iterator[int]:
    return takewhile(lambda due: due < end, next_times(cron, begin - 1))


def shown(expression: str, zone: str, begin: str, end: str) -> list[str]:
    """What the wall clock shows when it is due, from `begin` on and before `end`; a second showing has a `'`."""
    found = []
    for due in due_between(Cron(read_cron(expression), read_zone(zone)), at(begin, zone), at(end, zone)):
        local = datetime.fromtimestamp(due, ZoneInfo(zone))
        found.append(local.strftime("%H:%M") + "'" * local.fold)
    return found


@pytest.mark.parametrize(
    ("expression", "zone", "day", "expected"),
    [
        # Spring: 02:00 to 03:00 is left out.
        ("30 2 * * *", BERLIN, "2026-03-29", ["03:00"]),
        ("0 2 * * *", BERLIN, "2026-03-29", ["03:00"]),
        ("0 2,3 * * *", BERLIN, "2026-03-29", ["03:00"]),
        ("30 2,3 * * *", BERLIN, "2026-03-29", ["03:00", "03:30"]),
        ("0,20,40 2 * * *", BERLIN, "2026-03-29", ["03:00"]),
        ("0 0-6/2 * * *", BERLIN, "2026-03-29", ["00:00", "03:00", "04:00", "06:00"]),
        ("0 */2 * * *", BERLIN, "2026-03-29", ["00:00", "03:00", *(f"{h:02}:00" for h in range(4, 24, 2))]),
        ("0 * * * *", BERLIN, "2026-03-29", [f"{h:02}:00" for h in range(24) if h != 2]),
        ("0 0-23 * * *", BERLIN, "2026-03-29", [f"{h:02}:00" for h in range(24) if h != 2]),
        # Autumn: 02:00 to 03:00 comes twice.
        ("30 2 * * *", BERLIN, "2026-10-25", ["02:30"]),
        ("0 2,3 * * *", BERLIN, "2026-10-25", ["02:00", "03:00"]),
        ("0 */2 * * *", BERLIN, "2026-10-25", [f"{h:02}:00" for h in range(0, 24, 2)]),
        ("0 * * * *", BERLIN, "2026-10-25", ["00:00", "01:00", "02:00", "02:00'", *TO_MIDNIGHT]),
        # Half an hour is left out, or comes twice.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["02:30"]),
        ("0 1-3 * * *", "Australia/Lord_Howe", "2026-10-04", ["01:00", "02:30", "03:00"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["01:45"]),
        ("45 1,2 * * *", "Australia/Lord_Howe", "2026-04-05", ["01:45", "02:45"]),
        # The clock is changed at midnight: the day begins at one, or the day before has 25 hours.
        ("0 0 * * *", "Asia/Beirut", "2026-03-29T01:00", ["01:00"]),
        ("30 23 * * *", "Asia/Beirut", "2026-10-24", ["23:30"]),
        ("45 5 * * *", "Asia/Kathmandu", "2026-05-01", ["05:45"]),
    ],
)  # fmt: skip
def test_each_named_time_counts_once(expression: str, zone: str, day: str, expected: list[str]) -> None:
    end = (datetime.fromisoformat(day).replace(hour=0) + timedelta(days=1)).isoformat()
    assert shown(expression, zone, day, end) == expected


def test_a_day_that_never_was() -> None:
    """Samoa went from 29 to 31 December 2011."""
    days = ("2011-12-29", "2012-01-02")
    assert shown("0 9 * * *", "Pacific/Apia", *days) == ["09:00"] * 3
    assert shown("0 9 30 12 *", "Pacific/Apia", *days) == ["00:00"]
    assert shown("0,30 9 * * 5", "Pacific/Apia", *days) == ["00:00"]


def changes(zone: str) -> list[int]:
    """When the clock is changed in 2026, to the quarter of a day before."""
    place = ZoneInfo(zone)
    quarters = range(int(at("2026-01-01", zone)), int(at("2027-01-01", zone)), 6 * 3600)
    offsets = [datetime.fromtimestamp(moment, place).utcoffset() for moment in (*quarters, quarters.stop)]
    return [moment for moment, old, new in zip(quarters, offsets, offsets[1:], strict=False) if old != new]


@pytest.mark.parametrize(
    "zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Casablanca"]
)
def test_what_repeats_goes_on_evenly(zone: str) -> None:
    longest = 30 * 60 if zone == "Australia/Lord_Howe" else 3600
    assert len(changes(zone)) == 2
    for expression, pace in (("*/15 * * * *", 900), ("* * * * *", 60), ("5,35 * * * *", 1800), ("7 * * * *", 3600)):
        cron = Cron(expression, ZoneInfo(zone))
        for begin in changes(zone) if pace <= longest else ():
            found = first_times(cron, begin, 12 * 3600 // pace)
            assert {later - due for due, later in pairwise(found)} == {pace}


@pytest.mark.parametrize("zone", [BERLIN, "Australia/Lord_Howe", "Asia/Beirut", "America/St_Johns", "Asia/Kathmandu"])
def test_a_daily_time_comes_once_on_each_day_of_the_year(zone: str) -> None:
    for expression in ("30 2 * * *", "0 0 * * *", "59 23 * * *", "45 1 * * *", "15 2 * * *"):
        found = list(due_between(Cron(expression, ZoneInfo(zone)), at("2026-01-01", zone), at("2027-01-01", zone)))
        days = [datetime.fromtimestamp(due, ZoneInfo(zone)).date() for due in found]
        assert len(found) == 365
        assert len(set(days)) == 365


def expected_moments(expression: str, zone: ZoneInfo, begin: int, end: int) -> Iterator[int]:
    """The rule said once more, minute by minute: look at the clock, and remember what it has shown."""
    minutes, hours = ({int(one) for one in field.split(",")} for field in expression.split(" ")[:2])
    day = {hour * 60 + minute for hour in hours for minute in minutes}
    seen: set[datetime] = set()
    before = datetime.fromtimestamp(begin, zone).replace(tzinfo=None, fold=0) - timedelta(minutes=1)
    for moment in range(begin, end, 60):
        wall = datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0)
        jump = wall - before - timedelta(minutes=1)
        repeats = bool(jump) and {(one + abs(jump) // timedelta(minutes=1)) % 1440 for one in day} == day
        left_out = [before + timedelta(minutes=n) for n in range(1, jump // timedelta(minutes=1) + 1)]
        if jump < timedelta(0) and repeats:
            seen.clear()
        before = wall
        due = not repeats and any(one.hour * 60 + one.minute in day for one in left_out)
        if due or (wall.hour * 60 + wall.minute in day and wall not in seen):
            yield moment
        seen.add(wall)


@pytest.mark.parametrize("zone", ZONES)
def test_the_rule_minute_by_minute(zone: str) -> None:
    place, chance = ZoneInfo(zone), random.Random(zone)
    for number in range(12):
        step = chance.choice((15, 30, 60))
        even, uneven = range(chance.randrange(step), 60, step), sorted(chance.sample(range(60), 2))
        minutes = ",".join(map(str, even if number % 2 else uneven))
        hours = ",".join(map(str, range(24) if number % 3 else sorted(chance.sample(range(5), 3))))
        expression = f"{minutes} {hours} * * *"
        for change in changes(zone):
            begin, end = change - 3600, change + 8 * 3600
            found = list(due_between(Cron(expression, place), begin, end))
            assert found == list(expected_moments(expression, place, begin, end)), expression


def test_from_any_second_the_next_one_is_the_next_one() -> None:
    """`after` asked anew each time gives no other times than going on from one to the next."""
    for expression in ("*/15 * * * *", "30 2 * * *", "0 */2 * * *"):
        cron = Cron(expression, ZoneInfo(BERLIN))
        for begin in changes(BERLIN):
            listed = list(due_between(cron, begin, begin + 48 * 3600))
            for moment in range(begin, begin + 8 * 3600, 97):
                assert cron.after(moment) == next(due for due in listed if due > moment)


def test_rare_days() -> None:
    zone = ZoneInfo("UTC")

    def days(expression: str, count: int) -> list[str]:
        found = first_times(Cron(read_cron(expression), zone), at("2026-01-15", "UTC"), count)
        return [datetime.fromtimestamp(due, UTC).strftime("%Y-%m-%d") for due in found]

    assert days("0 0 31 * *", 3) == ["2026-01-31", "2026-03-31", "2026-05-31"]
    assert days("0 0 29 2 *", 2) == ["2028-02-29", "2032-02-29"]
    assert days("0 0 L * *", 3) == ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert days("0 0 1 * 1", 3) == ["2026-01-19", "2026-01-26", "2026-02-01"]
    assert days("@monthly", 2) == ["2026-02-01", "2026-03-01"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),
        ("@reboot", "five fields"),
        ("60 * * * *", "The minute '60' cannot be used. Give 0 to 59"),
        ("0 24 * * *", "The hour '24'"),
        ("0 0 0 * *", "The day of month '0'"),
        ("0 0 * 13 *", "The month '13'"),
        ("0 0 * * MO", "The day of week 'MO'"),
        ("*/0 * * * *", "The minute '*/0'"),
        ("0 22 * * FRI-MON", "The day of week 'FRI-MON'"),
        ("0 0 30 2 *", "0 0 30 2 * never comes"),
        ("0 0 31 2,4,6 *", "never comes"),
        ("0 0 */8 * 1#5", "never comes"),
        ("0 0 * * ²L", "The day of week"),
        ("0 0 * * " + ",".join("1234567" * 20), "five fields"),
    ],
)
def test_what_can_never_be_due_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_cron(text)
    assert words in refused.value.message
    assert refused.value.detail == {"field": "cron"}


def test_whatever_is_typed_is_refused_or_due_some_day() -> None:
    chance = random.Random(1)
    for _ in range(3000):
        text = " ".join("".join(chance.choices("0123456789*/,-#L W", k=chance.randint(1, 5))) for _ in range(5))
        try:
            expression = read_cron(text)
        except InvalidInput:
            continue
        assert read_cron(expression) == expression
        assert Cron(expression, ZoneInfo(BERLIN)).after(1.79e9) is not None


def test_one_date_and_time() -> None:
    assert times_of(None, "2026-12-24T18:30", BERLIN).after(0) == at("2026-12-24T18:30", BERLIN)
    once = Once(read_at("2026-03-29 02:30"), ZoneInfo(BERLIN))
    assert once.after(0) == at("2026-03-29T03:00", BERLIN)
    assert first_times(once, 0, 5) == (at("2026-03-29T03:00", BERLIN),)
    assert Once(read_at("2026-10-25T02:30:59"), ZoneInfo(BERLIN)).after(0) == at("2026-10-25T02:30", BERLIN)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-12-24", "2026-02-30T10:00", "2026-12-24T18:30+01:00", "18:30"])
def test_what_is_no_date_and_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_at(text)
    assert refused.value.detail == {"field": "at"}


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "/etc/localtime", "CEST"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="no time zone"):
        read_zone(name)
