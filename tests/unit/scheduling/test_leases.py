"""Silence and doubted claims, by the test's own clock."""

from __future__ import annotations

from webfront.jobs.states import AttemptState
from webfront.scheduling.leases import Leases
from webfront.scheduling.mirror import Live

KEY = ("J", 1)


def live(state: AttemptState = AttemptState.CLAIMED, claimed_at: float | None = 10.0) -> list[Live]:
    return [Live(*KEY, "alpha", state, 9.0, 9.0, claimed_at, None, 1)]


def pass_time(leases: Leases, start: int, seconds: int) -> None:
    for second in range(start, start + seconds + 1):
        leases.tick(float(second))


def test_silence_counts_from_the_last_heartbeat() -> None:
    leases = Leases()
    leases.tick(0.0)
    leases.heard("alpha")
    pass_time(leases, 0, 20)
    assert leases.silence("alpha") == 20.0
    assert leases.silence("new") == 0.0
    leases.heard("alpha")
    assert leases.silence("alpha") == 0.0


def test_time_that_the_scheduler_was_stopped_or_cut_off_is_nobodys_silence() -> None:
    leases = Leases()
    leases.tick(0.0)
    leases.heard("alpha")
    leases.tick(1.0)
    leases.tick(500.0)  # SIGSTOP, or a laptop's lid
    assert leases.silence("alpha") <= 3.0
    leases.reset()
    leases.tick(900.0)
    leases.tick(901.0)
    assert leases.silence("alpha") <= 1.0


def test_a_claim_is_doubted_after_two_heartbeats_without_it_and_lost_when_the_fence_is_back() -> None:
    leases = Leases()
    assert leases.doubt(set(), 11.0, live()) == frozenset()
    assert leases.doubt(set(), 12.0, live()) == {KEY}
    leases.fence("token", frozenset({KEY}))
    assert leases.doubt(set(), 13.0, live()) == frozenset(), "one fence is enough"
    assert leases.fence_returned("other") == frozenset()
    assert leases.fence_returned("token") == {KEY}
    assert leases.fence_returned("token") == frozenset()


def test_what_ends_or_is_listed_again_before_the_fence_is_back_is_not_lost() -> None:
    for happens in ("ends", "listed"):
        leases = Leases()
        leases.doubt(set(), 11.0, live())
        leases.fence("token", leases.doubt(set(), 12.0, live()))
        if happens == "ends":
            leases.forget(KEY)
        else:
            leases.doubt({KEY}, 13.0, live())
        assert leases.fence_returned("token") == frozenset()


def test_what_is_not_claimed_yet_or_was_after_the_heartbeat_is_not_doubted() -> None:
    leases = Leases()
    for _ in range(3):
        assert leases.doubt(set(), 12.0, live(AttemptState.PLACED, None)) == frozenset()
        assert leases.doubt(set(), 10.0, live()) == frozenset()
        assert leases.doubt({KEY}, 12.0, live()) == frozenset()


def test_a_fence_of_an_earlier_connection_proves_nothing() -> None:
    leases = Leases()
    leases.doubt(set(), 11.0, live())
    leases.fence("token", leases.doubt(set(), 12.0, live()))
    leases.reset()
    assert leases.fence_returned("token") == frozenset()


def test_a_node_whose_clock_is_an_hour_behind_loses_a_claim_a_minute_later_not_an_hour() -> None:
    leases = Leases()
    behind = [Live(*KEY, "alpha", AttemptState.CLAIMED, 3600.0, 3600.0, 3600.0, None, 1)]
    for second in range(60):
        leases.tick(float(second))
        assert leases.doubt(set(), float(second), behind) == frozenset(), "it may have been taken before the claim"
    pass_time(leases, 60, 2)
    leases.doubt(set(), 62.0, behind)
    assert leases.doubt(set(), 63.0, behind) == {KEY}
