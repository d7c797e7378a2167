"""A play's rows in the database: its steps as they happen, and its end with what that means for its node."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

import peewee

from webfront.activity.facts import Kind, NewFact, Outcome, record
from webfront.database import models
from webfront.database.connection import transaction
from webfront.database.models import Play, PlayEvent
from webfront.fleet.states import change_node, note_reason
from webfront.plays.outcome import Failure
from webfront.plays.states import PlayState, StepState
from webfront.plays.verbs import VERBS, Verb
from webfront.plays.words import PlayStep

_log = logging.getLogger(__name__)

_FLUSH_S: Final = 0.2
_END_TRIES: Final = 30
_END_PAUSE_S: Final = 1.0


class StepRows:
    """Writes steps to the database, gathered for a moment. A database that is away costs nothing but the delay."""

    def __init__(self, play_id: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._play_id = play_id
        self._clock = clock
        self._waiting: list[PlayStep] = []
        self._flushed_at = 0.0

    def tell(self, step: PlayStep) -> None:
        """Take a step; it is written now, or with the next one or the next `flush`."""
        self._waiting.append(step)
        if self._clock() - self._flushed_at >= _FLUSH_S:
            self.flush()

    def flush(self) -> bool:
        """Write what waits. False when that did not work: it then waits on."""
        if not self._waiting:
            return True
        self._flushed_at = self._clock()
        # A beginning whose end waits here as well is never seen, so it need not be written.
        replaced = [step.replaces for step in self._waiting if step.replaces is not None]
        rows = [
            {
                "play": self._play_id,
                "number": step.number,
                "at": step.at,
                "step": step.step,
                "state": step.state,
                "detail": step.detail,
                "phase": step.phase,
            }
            for step in self._waiting
            if step.number not in replaced
        ]
        # Also what is written now: if the answer to a commit was lost, this is its second time.
        numbers = [*replaced, *(row["number"] for row in rows)]
        try:
            with transaction():
                PlayEvent.delete().where(PlayEvent.play == self._play_id, PlayEvent.number.in_(numbers)).execute()
                PlayEvent.insert_many(rows).execute()
        except peewee.PeeweeException as error:
            _reconnect()
            _log.warning("the steps of a play could not be written: %s", error, extra={"skerry.play": self._play_id})
            return False
        self._waiting.clear()
        return True


def _reconnect() -> None:
    """Have this thread's next query connect anew: a play may be silent for longer than the database keeps a line."""
    with contextlib.suppress(peewee.PeeweeException):
        models.database.obj.close()


def wish_stop(play_id: int, by: str) -> bool:
    """Note who wishes the play to stop. False when somebody did before, or it has ended."""
    unasked = (Play.id == play_id) & (Play.stopped_by == "") & Play.finished_at.is_null()
    return bool(Play.update(stopped_by=by).where(unasked).execute())


def stop_wishes(play_ids: Iterable[int]) -> dict[int, str]:
    """Of these plays those that are to stop, with who wishes it."""
    found = Play.select(Play.id, Play.stopped_by).where(Play.id.in_(list(play_ids)), Play.stopped_by != "")
    return {row.id: row.stopped_by for row in found}


def end_play(play_id: int, failure: Failure | None, failed_step: str, now: float, *, is_stopped: bool = False) -> bool:
    """Record how a play ended, and bring its node's row in line, in one transaction. False if it had ended.

    `is_stopped`: it ended because a person wished so, which counts for one that had not begun too.
    """
    with transaction():
        fields = {
            "state": (PlayState.SUCCEEDED if failure is None else PlayState.FAILED).value,
            "finished_at": now,
            "failed_step": failed_step[:200],
            "message": "" if failure is None else failure.message,
            "advice": "" if failure is None else failure.advice,
        }
        if not is_stopped:
            # It came to its end before the wish reached it.
            fields["stopped_by"] = ""
        ended_from = [PlayState.RUNNING, PlayState.QUEUED] if is_stopped else [PlayState.RUNNING]
        if not Play.update(fields).where(Play.id == play_id, Play.state.in_(ended_from)).execute():
            return False
        # A step that was under way when the play was cut off has no end of its own.
        PlayEvent.update(state=StepState.FAILED.value).where(
            PlayEvent.play == play_id, PlayEvent.state == StepState.RUNNING
        ).execute()
        play = Play.get_by_id(play_id)
        if (verb := VERBS.get(play.verb)) is not None:
            settle_node(verb, play.node, failure, play.stopped_by)
        record(
            NewFact(
                Kind.PLAY_END,
                now,
                Outcome.SUCCESS if failure is None else Outcome.FAILURE,
                user=play.requested_by,
                node=play.node,
                play=play_id,
                data={"verb": play.verb, "step": failed_step, "stopped_by": play.stopped_by},
            )
        )
    return True


def end_play_surely(play_id: int, failure: Failure | None, failed_step: str, *, is_stopped: bool = False) -> None:
    """`end_play`, waiting for a database that is away. If it stays away, the next start finds the play cut off."""
    for _ in range(_END_TRIES):
        try:
            end_play(play_id, failure, failed_step, time.time(), is_stopped=is_stopped)
        except peewee.PeeweeException as error:
            _reconnect()
            _log.warning("the end of a play could not be written: %s", error, extra={"skerry.play": play_id})
            time.sleep(_END_PAUSE_S)
        else:
            return
    _log.error("the end of a play was not written", extra={"skerry.play": play_id})


def settle_node(verb: Verb, name: str, failure: Failure | None, stopped_by: str = "") -> None:
    """The node's state after a play, as the verb's row in the table says."""
    settlement = verb.succeeded if failure is None else verb.failed
    if settlement is None:
        return
    if failure is None:
        reason = settlement.reason
    else:
        reason = f"{verb.name} was stopped by {stopped_by}" if stopped_by else f"{verb.name} failed: {failure.message}"
    if settlement.to is not None:
        change_node(name, settlement.to, reason, only_from=settlement.sources)
    else:
        note_reason(name, reason, only_from=settlement.sources)
