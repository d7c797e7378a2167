"""Jobs as pages and the API show them."""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

import msgspec

from webfront.clock import date_of
from webfront.jobs.states import ENDED_JOBS, AttemptState, JobState
from wire.messages import Cause


class OutputView(msgspec.Struct, frozen=True):
    """A file of the attempt that counts."""

    name: str
    size: int
    sha256: str


class Stage(msgspec.Struct, frozen=True):
    """What a node is at with an attempt, where that takes long: before its start, or after its process."""

    what: str
    """In words ("building the environment")."""
    since: float
    detail: str = ""
    """What of it is under way ("installing scipy")."""
    until: float | None = None
    """When the node gives up making it ready; None where it does not."""


class AttemptView(msgspec.Struct, frozen=True):
    number: int
    node: str
    state: AttemptState
    placement: dict[str, Any]
    """`webfront.scheduling.placement.Placement` as a dict: the ranking that led to this node."""
    placed_at: float
    claimed_at: float | None
    preparing: str
    started_at: float | None
    ended_at: float | None
    cause: Cause | None
    message: str
    exit_code: int | None
    log_lines: int | None
    usage: dict[str, Any] | None
    stage: Stage | None = None
    """The stage that its node has told last."""
    refusal: str = ""
    """Of a rejected one, what its node refused for itself: then it counts as an attempt that never ran."""
    node_fell: bool = False
    """Its node went down while its app ran."""


class Deletion(msgspec.Struct, frozen=True):
    """Something of a job was removed by its age."""

    at: float
    days: int
    """For how many days such things were kept."""

    def words(self, what: str) -> str:
        """That it is gone, for a person."""
        return f"{what} deleted on {date_of(self.at)} by the retention of {self.days} days."


class JobView(msgspec.Struct, frozen=True):
    id: str
    app: str
    version: str
    user: str
    state: JobState
    cause: Cause | None
    message: str
    waiting_reason: str
    cancel_requested: bool
    submitted_at: float
    finished_at: float | None
    parameters: dict[str, str]
    input: str | None
    """The input's file name."""
    outputs: tuple[OutputView, ...] = ()
    """Files of the attempt that counts, once the job has ended; empty in lists."""
    attempts: tuple[AttemptView, ...] = ()
    """Oldest first; empty in lists."""
    priority: int = 0
    schedule: str | None = None
    """The id of the schedule that made it,"""
    schedule_name: str | None = None
    """and its name, as long as there is one."""
    results_deleted: Deletion | None = None
    """Its results are not kept any more; None in lists, as the next two are,"""
    input_deleted: Deletion | None = None
    """nor its input,"""
    log_deleted: Deletion | None = None
    """nor its attempts' logs."""

    @property
    def is_over(self) -> bool:
        return self.state in ENDED_JOBS


class LogLine(msgspec.Struct, frozen=True):
    number: int
    text: str


class LogView(msgspec.Struct, frozen=True):
    """Lines of one attempt's log after a number."""

    attempt: int
    """Whose log this is; 0 when the job has no attempt yet."""
    lines: tuple[LogLine, ...]
    next: int
    """Pass it as `after` the next time."""
    gaps: tuple[tuple[int, int], ...]
    """First and last number of each run of lines that is missing between `after` and `next`."""
    complete: bool
    """True when nothing will follow: the attempt has ended, and this reaches its last line."""
    newest: int = 0
    """The number of the last line that there is so far."""


class Download(NamedTuple):
    """A result file to send: an open file, read from its beginning; whoever takes it closes it."""

    name: str
    size: int
    sha256: str
    file: BinaryIO
