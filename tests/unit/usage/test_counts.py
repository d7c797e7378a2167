"""The counts are those that a plain count in Python comes to, on each database, whatever the zone's clock does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from webfront.activity.facts import DEEDS, Kind, NewFact, Outcome, record_many
from webfront.database.connection import transaction
from webfront.usage.queries import answer
from webfront.usage.questions import read_question
from webfront.usage.tallies import MOST
from webfront.usage.views import Breakdown, Bucket, Question, Usage

BERLIN = "Europe/Berlin"
ZONES = [BERLIN, "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Beirut"]


def at(text: str, zone: str = BERLIN, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def write(facts: Iterable[NewFact]) -> None:
    with transaction():
        record_many(facts)


def ask(begin: str, end: str, zone: str = BERLIN, **filters: str) -> Usage:
    return answer(read_question({"from": begin, "to": end, "zone": zone} | filters, 0.0))


def counted(of: Breakdown) -> dict[str, tuple[int, int]]:
    return {one.name: (one.succeeded, one.failed) for one in of.most}


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-05-01", 24)], ids=["23", "25", "24"]
)
def test_a_second_before_and_after_each_border_of_a_day(database: object, day: str, hours: int) -> None:
    begin, end = at(day), at(day) + hours * 3600
    moments = [border + by for border in (begin, end) for by in (-1.0, -1e-6, 0.0, 1e-6, 1.0)]
    write(NewFact(Kind.JOB_SUBMIT, moment) for moment in moments)
    around = answer(Question(begin - 20 * 86400, end + 20 * 86400, BERLIN, Bucket.DAY))
    assert [one.succeeded for one in around.periods if begin in (one.begin, one.end) or one.begin == end] == [2, 5, 3]
    assert [one.end for one in around.periods if one.begin == begin] == [end]
    assert around.count == len(moments)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_second_before_and_after_each_hour_of_a_day(database: object, day: str, hours: int) -> None:
    begin = at(day)
    write(NewFact(Kind.JOB_SUBMIT, begin + hour * 3600 + by) for hour in range(hours + 1) for by in (-1.0, 1.0))
    found = ask(day, day).periods
    assert [one.succeeded for one in found] == [2] * hours
    assert [one.begin for one in found] == [begin + hour * 3600 for hour in range(hours)]


@pytest.mark.parametrize("zone", ZONES)
def test_days_are_counted_as_one_would_by_hand(database: object, zone: str) -> None:
    rolled = random.Random(zone)
    begin, end = at("2026-01-15", zone), at("2026-12-20", zone)
    moments = [rolled.uniform(begin - 86400, end + 86400) for _ in range(500)]
    for change in ("2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25"):
        moments += [at(change, "UTC") + rolled.uniform(-86400, 86400) for _ in range(100)]
    write(NewFact(Kind.JOB_SUBMIT, moment) for moment in moments)
    by_hand = Counter(datetime.fromtimestamp(one, ZoneInfo(zone)).date() for one in moments if begin <= one < end)
    found = ask("2026-01-15", "2026-12-19", zone).periods
    days = {datetime.fromtimestamp(one.begin, ZoneInfo(zone)).date(): one.succeeded for one in found if one.succeeded}
    assert days == by_hand
    assert sum(one.succeeded for one in found) == by_hand.total()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(("length_s", "form"), [(7200, "%d %H:%M"), (7 * 86400, "%d %H")], ids=["minute", "hour"])
def test_hours_and_minutes_are_counted_as_one_would_by_hand(
    database: object, zone: str, length_s: int, form: str
) -> None:
    rolled = random.Random(zone)
    for change in ("2026-03-28T23:30", "2026-04-04T14:30", "2026-10-03T15:00", "2026-10-25T00:30"):
        begin = at(change, "UTC") + rolled.uniform(-1800, 1800)
        end = begin + length_s
        moments = [rolled.uniform(begin, end) for _ in range(200)]
        write(NewFact(Kind.JOB_SUBMIT, moment, node=change[:10]) for moment in moments)

        def shown(moment: float) -> str:
            # A second showing is another period.
            local = datetime.fromtimestamp(moment, ZoneInfo(zone))
            return f"{local.strftime(form)} {local.utcoffset()}"

        question = read_question({"span": "1h" if length_s == 7200 else "7d", "zone": zone, "node": change[:10]}, end)
        usage = answer(Question(begin, end, zone, question.bucket, node=change[:10]))
        by_hand = Counter(map(shown, moments))
        assert {shown(one.begin): one.succeeded for one in usage.periods if one.succeeded} == by_hand


def test_names_are_counted_with_what_succeeded_and_what_failed(database: object) -> None:
    rolled = random.Random(7)
    noon = at("2026-05-01T12:00")
    facts = [
        NewFact(
            rolled.choice(list(Kind)),
            noon + number,
            rolled.choice([Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILURE]),
            user=rolled.choice(["", *(f"user-{n:02}" for n in range(30))]),
            controller=rolled.choice(["", "pages.jobs", "api.jobs", "api.nodes"]),
            node=rolled.choice(["", "", "alpha", "beta"]),
        )
        for number in range(3000)
    ]
    write(facts)
    facts = [one for one in facts if one.kind in DEEDS]

    def by_hand(field: str) -> dict[str, tuple[int, int]]:
        found = dict.fromkeys({getattr(one, field) for one in facts}, (0, 0))
        for one in facts:
            well, badly = found[getattr(one, field)]
            failed = one.outcome is Outcome.FAILURE
            found[getattr(one, field)] = (well + (not failed), badly + failed)
        return found

    usage = ask("2026-05-01", "2026-05-01")
    assert usage.users is not None
    assert usage.count == len(facts) == sum(one.succeeded + one.failed for one in usage.periods)
    assert usage.failed == sum(one.outcome is Outcome.FAILURE for one in facts)
    for field, of in (("controller", usage.controllers), ("node", usage.nodes)):
        assert counted(of) | {"": (of.nameless.succeeded, of.nameless.failed)} == by_hand(field)
        assert (of.others.count, of.names) == (0, len(of.most))
    for field, of in (("kind", usage.functions), ("user", usage.users)):
        expected = by_hand(field)
        assert (len(of.most), of.names) == (MOST, len(expected) - ("" in expected))
        assert counted(of).items() <= expected.items()
        assert sum(one.count for one in of.most) + of.others.count + of.nameless.count == len(facts)
        assert [one.count for one in of.most] == sorted((one.count for one in of.most), reverse=True)
        assert of.most[-1].count >= max(sum(expected[name]) for name in expected if name and name not in counted(of))
    first = usage.functions.most[0]
    assert first.percent == round(100 * first.count / len(facts), 1)

    for filters in (
        {"function": "job.submit"},
        {"user": "user-07"},
        {"node": "alpha", "controller": "api.jobs"},
        {"user": "USER-07"},
        {"user": "user-07 "},
        {"controller": "'; --"},
    ):
        stripped = {name.replace("function", "kind"): value.strip() for name, value in filters.items()}
        expected_count = sum(all(getattr(one, name) == value for name, value in stripped.items()) for one in facts)
        assert ask("2026-05-01", "2026-05-01", **filters).count == expected_count
    assert ask("2026-05-01", "2026-05-01", user="USER-07").count == 0


def test_nothing_is_counted_as_nothing(database: object) -> None:
    usage = ask("1901-01-01", "1901-01-02")
    assert (usage.count, len(usage.periods), usage.functions.most) == (0, 48, ())
    assert usage.functions.others.percent == 0.0
