"""A day of tries, ever later; and how rarely a target that is gone is troubled."""

from __future__ import annotations

import itertools

import pytest

from webfront.webhooks.backoff import DAY_S, next_try, pause, rest


def tries(chance: float) -> list[float]:
    """When a delivery is tried that never arrives, and is made at 0."""
    found, now = [0.0], 0.0
    while (after := next_try(len(found), now, DAY_S, chance)) is not None:
        now = after
        found.append(now)
    return found


def test_a_delivery_is_tried_for_a_day_and_at_its_end_once_more() -> None:
    found = tries(chance=0.5)
    assert found[:7] == [0, 10, 40, 100, 400, 1300, 4900]
    assert len(found) == 30
    assert found[-1] == DAY_S
    assert all(later - earlier <= 3600 for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.75, 0.999])
def test_chance_spreads_the_tries_and_changes_nothing_else(chance: float) -> None:
    found = tries(chance)
    assert found == sorted(found)
    assert found[-1] == DAY_S
    for number in range(1, 40):
        assert 0.8 * pause(number, 0.5) <= pause(number, chance) <= 1.2 * pause(number, 0.5)


def test_a_webhook_that_fails_rests_a_quarter_of_an_hour_at_most() -> None:
    rests = [rest(failures, 0.5) for failures in range(1, 10)]
    assert rests == [10, 30, 60, 300, 900, 900, 900, 900, 900]
    assert rest(50, 0.999) == 900
