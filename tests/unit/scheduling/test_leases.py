"""Silence and doubted claims, by the test's own clock."""

from __future__ import annotations

from webfront.jobs.states import AttemptState
from webfront.scheduling.entries import Live
from webfront.scheduling.leases import Leases

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
    assert leases.silence("alpha") <= 1.0
    leases.reset()
    leases.tick(900.0)
    leases.tick(901.0)
    assert leases.silence("alpha") <= 1.0


def silent_for(leases: Leases, seconds: int) -> None:
    """`alpha` was heard, and then not for so long."""
    leases.tick(0.0)
    leases.heard("alpha")
    pass_time(leases, 0, seconds)


def test_a_stall_gives_everyone_their_full_time_and_as_long_to_come_back_as_it_took() -> None:
    leases = Leases()
    silent_for(leases, 10)
    leases.tick(70.0)
    assert leases.silence("alpha") == 0.0
    pass_time(leases, 70, 20)
    assert leases.silence("alpha") == 0.0, "whoever was stopped with it connects again"
    pass_time(leases, 90, 5)
    assert leases.silence("alpha") == 5.0


def test_a_lag_that_is_shorter_than_a_heartbeat_counts_for_little() -> None:
    leases = Leases()
    silent_for(leases, 3)
    leases.tick(7.0)
    assert leases.silence("alpha") == 5.0


def test_while_the_broker_takes_nothing_nobody_is_silent_and_then_everyone_has_their_full_time() -> None:
    leases = Leases()
    silent_for(leases, 10)
    for second in range(11, 100):
        leases.tick(float(second), blocked=True)
    assert leases.silence("alpha") == 10.0
    leases.tick(100.0)
    assert leases.silence("alpha") == 0.0
    pass_time(leases, 100, 5)
    assert leases.silence("alpha") == 5.0


def test_a_scheduler_goes_on_from_the_silence_that_is_noted_where_the_broker_is_the_same() -> None:
    for same, noted in ((True, 9.0), (False, 0.0)):
        leases = Leases()
        leases.reset(same_broker=same)
        leases.tick(0.0)
        leases.resume("alpha", 9.0)
        assert leases.silence("alpha") == noted
        pass_time(leases, 0, 2)
        assert leases.silence("alpha") == noted, "first it hears what was sent meanwhile"
        leases.heard("alpha")
        leases.resume("alpha", 9.0)
        assert leases.silence("alpha") == 0.0


def test_a_connection_that_is_lost_to_the_same_broker_leaves_the_silence_as_it_is() -> None:
    leases = Leases()
    silent_for(leases, 10)
    leases.reset(same_broker=True)
    leases.tick(500.0)
    assert leases.silence("alpha") == 10.0
    leases.reset()
    assert leases.silence("alpha") == 0.0


def test_the_time_of_a_node_whose_connection_closes_begins_anew_and_it_is_away_until_it_is_back() -> None:
    leases = Leases()
    leases.connected({"alpha": True, "gone": False})
    silent_for(leases, 4)
    leases.connected({"alpha": False, "gone": False})
    assert (leases.is_away("alpha"), leases.is_there("alpha"), leases.silence("alpha")) == (True, False, 0.0)
    pass_time(leases, 4, 3)
    leases.connected({"alpha": False, "gone": False})
    leases.heard("other")
    assert leases.silence("alpha") == 3.0
    leases.connected({"alpha": True})
    assert (leases.is_away("alpha"), leases.is_there("alpha"), leases.silence("alpha")) == (False, True, 0.0)
    assert not leases.is_there("unknown")
    assert not leases.is_away("unknown")


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


def test_a_fence_that_is_lost_with_its_queue_is_followed_by_another_which_answers_for_both() -> None:
    leases = Leases()
    leases.doubt(set(), 11.0, live())
    leases.fence("lost", leases.doubt(set(), 12.0, live()))
    pass_time(leases, 0, 29)
    assert leases.doubt(set(), 13.0, live()) == frozenset(), "it may yet come back"
    pass_time(leases, 29, 2)
    assert leases.doubt(set(), 14.0, live()) == {KEY}
    leases.fence("second", frozenset())
    assert leases.fence_returned("second") == {KEY}
    assert leases.fence_returned("lost") == frozenset()


def test_what_was_listed_again_waits_for_a_fence_of_its_own() -> None:
    leases = Leases()
    leases.doubt(set(), 11.0, live())
    leases.fence("first", leases.doubt(set(), 12.0, live()))
    leases.doubt({KEY}, 13.0, live())
    leases.doubt(set(), 14.0, live())
    leases.fence("second", leases.doubt(set(), 15.0, live()))
    assert leases.fence_returned("first") == frozenset()
    assert leases.fence_returned("second") == {KEY}


def test_a_node_whose_clock_was_set_back_is_not_believed_for_ever() -> None:
    leases = Leases()
    for second in range(0, 30, 5):
        pass_time(leases, second, 5)
        assert leases.doubt(set(), 5.0, live(claimed_at=3600.0)) == frozenset()
    pass_time(leases, 30, 6)
    assert leases.doubt(set(), 6.0, live(claimed_at=3600.0)) == frozenset()
    assert leases.doubt(set(), 7.0, live(claimed_at=3600.0)) == {KEY}


def test_a_fence_of_an_earlier_connection_proves_nothing() -> None:
    leases = Leases()
    leases.doubt(set(), 11.0, live())
    leases.fence("token", leases.doubt(set(), 12.0, live()))
    leases.reset()
    assert leases.fence_returned("token") == frozenset()


def test_an_answer_of_before_a_heartbeat_takes_no_node_for_gone() -> None:
    leases = Leases()
    for second in range(60):
        leases.tick(float(second))
    leases.heard("alpha")
    leases.connected({"alpha": False})
    assert not leases.is_away("alpha")
    leases.tick(59.5)
    leases.connected({"alpha": False})
    assert not leases.is_away("alpha")
    leases.tick(60.5)
    leases.connected({"alpha": False})
    assert leases.is_away("alpha")
    leases.connected({"alpha": True})
    assert not leases.is_away("alpha")
