"""Applying what nodes say, and what the scheduler itself concludes, to jobs and attempts. Within its transaction."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from webfront.database.models import LARGEST_NUMBER
from webfront.jobs import lifecycle
from webfront.jobs.endings import Ending, Past
from webfront.jobs.lifecycle import AttemptRecord, JobRecord
from webfront.jobs.states import AttemptState
from webfront.jobs.views import Stage
from webfront.scheduling.entries import Key
from webfront.scheduling.joblog import Backlog, Coverage
from webfront.scheduling.judge import NodeJudge
from webfront.scheduling.leases import Leases
from webfront.scheduling.ledger import Ledger
from webfront.scheduling.mirror import Mirror
from webfront.scheduling.versions import Versions
from wire.batches import UnreadEvent
from wire.messages import Cause, Claimed, Event, Events, Finished, LogLines, OutputFile, Preparing, Started

_log = logging.getLogger(__name__)

_LONGEST_MESSAGE: Final = 2000
_MOST_OUTPUTS: Final = 100
_LONGEST_KIND: Final = 32

_BLAMED: Final = frozenset({Cause.APP_ERROR, Cause.TIMEOUT, Cause.OUT_OF_MEMORY, Cause.REJECTED})
"""Causes that speak against a node when the job then succeeds elsewhere. A lost node has been judged already."""


@dataclasses.dataclass(frozen=True, slots=True)
class Conclusion:
    """An attempt that the scheduler itself ends."""

    job: str
    number: int
    cause: Cause
    message: str
    only_unclaimed: bool = False
    """Of no effect once the node has claimed the attempt."""
    withdrawn: bool = False
    """It was not begun there, and is to be begun elsewhere: it counts as no failure."""
    node_fell: bool = False
    """Its node is down, and was not asked to go."""


class Unwanted(NamedTuple):
    """An attempt that a node works on although its outcome counts no more."""

    node: str
    job: str
    attempt: int


class EventBook:
    """Applies events to a ledger, and keeps the mirrors in memory in step."""

    def __init__(
        self, mirror: Mirror, judge: NodeJudge, leases: Leases, coverage: Coverage, versions: Versions
    ) -> None:
        self._mirror = mirror
        self._judge = judge
        self._leases = leases
        self._coverage = coverage
        self._versions = versions
        self._backlog = Backlog()
        self._unread: dict[Key, str] = {}
        """Of attempts under way, the kind of an event that could not be read."""

    def unread(self, key: Key) -> str | None:
        """The kind of an event of this attempt that could not be read; None when all could."""
        return self._unread.get(key)

    def forget_unread(self) -> None:
        """Others may have worked meanwhile: what is kept would be of attempts that are over."""
        self._unread.clear()

    def apply(
        self,
        ledger: Ledger,
        said: Sequence[tuple[str, Events]],
        concluded: Iterable[Conclusion],
        now: float,
        *,
        unread: Sequence[tuple[str, UnreadEvent]] = (),
    ) -> set[Unwanted]:
        """Apply events, each with the node that sent it, in their order, and then the scheduler's own conclusions.

        `unread` are the events that could not be read. Returns the attempts that nodes are to be told to end.
        """
        conclusions = list(concluded)
        jobs = {event.job for _, message in said for event in message.events} | {one.job for _, one in unread}
        ending = {event.job for _, message in said for event in message.events if isinstance(event, Finished)}
        own = {one.job for one in conclusions}
        ledger.load(jobs | own, with_earlier=ending | own)
        self._versions.load(job.app_version_id for job in ledger.jobs.values())
        self._coverage.load(self._logged(ledger, said))
        unwanted: set[Unwanted] = set()
        for node, message in said:
            for event in message.events:
                job = ledger.jobs.get(event.job)
                attempt = ledger.attempts.get(event.job)
                if job is None or attempt is None or not _is_of(attempt, node, event.attempt):
                    # Superseded, another's, or a job nobody knows: if the node works on it, it should not.
                    if not isinstance(event, Finished):
                        unwanted.add(Unwanted(node, event.job, event.attempt))
                    continue
                self._apply_one(ledger, job, attempt, node, event, now)
        for node, event_left_out in unread:
            self._claim_unread(ledger, node, event_left_out, now)
        for one in conclusions:
            self._conclude(ledger, one, now)
        for attempt in ledger.attempts.values():
            if attempt.changed:
                self._mirror.follow(attempt)
        return unwanted

    def _logged(self, ledger: Ledger, said: Sequence[tuple[str, Events]]) -> list[int]:
        """The attempts that log lines came for and count."""
        found = set()
        for node, message in said:
            for event in message.events:
                if isinstance(event, LogLines):
                    attempt = ledger.attempts.get(event.job)
                    if attempt is not None and attempt.pk is not None and _is_of(attempt, node, event.attempt):
                        found.add(attempt.pk)
        return list(found)

    def _apply_one(
        self, ledger: Ledger, job: JobRecord, attempt: AttemptRecord, node: str, event: Event, now: float
    ) -> None:
        match event:
            case LogLines():
                if 1 <= event.first <= LARGEST_NUMBER and event.lines and attempt.pk is not None:
                    said = self._backlog.admit(attempt.pk, event, now)
                    ledger.add_lines(attempt.pk, said, min(event.at, now), self._coverage)
            case Claimed():
                lifecycle.claim(job, attempt, node, event.at, now)
            case Preparing():
                since = event.at if event.since is None else event.since
                lifecycle.prepare(job, attempt, node, Stage(event.what, since, event.detail, event.until), now)
            case Started():
                lifecycle.start(job, attempt, node, event.at, now)
            case Finished():
                ending = Ending(
                    cause=event.cause,
                    at=event.at,
                    message=event.message[:_LONGEST_MESSAGE],
                    exit_code=event.exit_code,
                    outputs=tuple(msgspec.to_builtins(one) for one in event.outputs[:_MOST_OUTPUTS] if _is_plain(one)),
                    log_lines=event.log_lines,
                    usage=msgspec.to_builtins(event.usage),
                    refusal=event.refusal[:_LONGEST_KIND] if event.cause is Cause.REJECTED else "",
                    node_fell=event.node_fell and event.cause is Cause.NODE_LOST,
                )
                self._end(ledger, job, attempt, ending, now)

    def _claim_unread(self, ledger: Ledger, node: str, event: UnreadEvent, now: float) -> None:
        """Whatever it says, it proves that the node has taken the attempt: so it counts as its claim.

        A claimed attempt ends at the latest when the node lists it no more. If the event was the attempt's end, in a
        word of a later release, the job is tried again or fails for it, but does not wait for ever.
        """
        job, attempt = ledger.jobs.get(event.job), ledger.attempts.get(event.job)
        if job is not None and attempt is not None and _is_of(attempt, node, event.attempt):
            lifecycle.claim(job, attempt, node, event.at, now)
            self._unread[job.id, attempt.number] = event.kind

    def _conclude(self, ledger: Ledger, one: Conclusion, now: float) -> None:
        job, attempt = ledger.jobs.get(one.job), ledger.attempts.get(one.job)
        if job is None or attempt is None or attempt.number != one.number:
            return
        if one.only_unclaimed and attempt.state is not AttemptState.PLACED:
            return
        fell = one.node_fell and attempt.started_at is not None
        ending = Ending(one.cause, now, one.message, withdrawn=one.withdrawn, node_fell=fell)
        self._end(ledger, job, attempt, ending, now)

    def _end(self, ledger: Ledger, job: JobRecord, attempt: AttemptRecord, ending: Ending, now: float) -> None:
        earlier = ledger.earlier.get(job.id, [])
        version = self._versions[job.app_version_id]
        if not lifecycle.end(
            job,
            attempt,
            attempt.node,
            ending,
            kind=version.kind,
            retries=version.retries,
            earlier=[Past(one.node, one.cause, one.refusal, bool(one.node_fell)) for one in earlier],
            now=now,
        ):
            return
        key: Key = (job.id, attempt.number)
        self._leases.forget(key)
        self._unread.pop(key, None)
        if attempt.pk is not None:
            self._coverage.forget(attempt.pk)
            self._backlog.forget(attempt.pk)
        if ending.refusal:
            self._judge.refused(attempt.node, ending.refusal, ending.at, now)
        if ending.cause is Cause.OK:
            self._judge.succeeded(attempt.node)
            for one in earlier:
                if one.node != attempt.node and one.cause in _BLAMED and not one.refusal:
                    self._judge.blame(one.node)
        _log.log(
            logging.DEBUG if ending.cause is Cause.OK else logging.INFO,
            "attempt %s of job %s on %s ended: %s",
            attempt.number,
            job.id,
            attempt.node,
            attempt.message or ending.cause,
            extra={
                "event.action": "attempt.end",
                "event.outcome": "success" if ending.cause is Cause.OK else "failure",
                "skerry.job": job.id,
                "skerry.attempt": attempt.number,
                "skerry.node": attempt.node,
                "skerry.cause": ending.cause.value,
                "skerry.state": job.state.value,
            },
        )


def _is_of(attempt: AttemptRecord, node: str, number: int) -> bool:
    """Whether an event of this sender and number is about this attempt, and the attempt is not over."""
    return attempt.number == number and attempt.node == node and attempt.state is not AttemptState.ENDED


def _is_plain(output: OutputFile) -> bool:
    """Whether the name is a file's name and nothing else: it becomes part of a path on the share."""
    return bool(output.name) and "/" not in output.name and "\0" not in output.name and not output.name.startswith(".")
