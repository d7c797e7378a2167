"""A job in words: its headline, its timeline, what its failure means and what to do. Pure functions of a `JobView`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from webfront.errors import KeyReused, SkerryError
from webfront.jobs.endings import FELLED
from webfront.jobs.states import JobState
from webfront.jobs.views import AttemptView, JobView, Stage
from webfront.pages.rendering import CAUSES, duration, figure
from webfront.scheduling.constraints import CONSTRAINTS
from webfront.scheduling.explanation import Explanation
from wire.messages import Cause

FILTERS: Final = tuple(JobState)
"""The states a list may be filtered by, in the order of a job's life."""

EXCLUSION_WORDS: Final = {one.name: one.counted for one in CONSTRAINTS}


@dataclass(frozen=True)
class TimelineStep:
    """A point of the timeline. `took` is the time since the step before, `since` when a step under way began."""

    title: str
    status: str
    """`done`, `now`, `todo` or `failed`."""
    at: float | None = None
    took: float | None = None
    since: float | None = None
    words: str = ""


@dataclass(frozen=True)
class FailureWords:
    title: str
    advice: str


def refusal(error: SkerryError) -> SkerryError:
    """Why the form was refused. It knows no keys."""
    if not isinstance(error, KeyReused) or not isinstance(error.detail, dict):
        return error
    return KeyReused(
        f"This form was sent before with something else in it, and became the job {error.detail['job']}. "
        "Send it once more to run the app with what is in it now.",
        detail=error.detail,
    )


def headline(job: JobView, why: Explanation) -> str:
    """Where the job stands, in a sentence. It carries no running time, so that it is announced only when it changes."""
    last = job.attempts[-1] if job.attempts else None
    match job.state:
        case JobState.QUEUED:
            again = f"Attempt {last.number} on {last.node} ended ({_cause(last)}); it is tried again. " if last else ""
            return again + why.sentence
        case JobState.SUCCEEDED if last is not None:
            return f"It succeeded on {last.node} after {duration(_run_time(last))} of running."
        case JobState.FAILED if last is not None:
            tries = f" after {job.attempts[-1].number} attempts" if len(job.attempts) > 1 else ""
            return f"It failed on {last.node}{tries}: {_cause(last)}."
        case JobState.CANCELLED:
            return "It was cancelled."
    return why.sentence


def _felled(job: JobView) -> bool:
    """Whether it ended because so many nodes went down under it."""
    newest = [one for one in job.attempts if not one.refusal][-FELLED:]
    return len(newest) == FELLED and all(one.node_fell for one in newest)


def failure(job: JobView) -> FailureWords:
    """What a failed job's cause means, and what a person can do about it."""
    match job.cause:
        case Cause.APP_ERROR:
            code = job.attempts[-1].exit_code if job.attempts else None
            ended = f" with exit code {code}" if code is not None else ""
            return FailureWords(
                f"The app itself failed{ended}",
                "The last lines of the log say where. Fix the app or its input, upload it, and run it again.",
            )
        case Cause.TIMEOUT:
            return FailureWords(
                "It took longer than its manifest allows",
                "Raise resources.timeout_s in the app's manifest, or give it a smaller input.",
            )
        case Cause.OUT_OF_MEMORY:
            return FailureWords(
                "It used more memory than its manifest asks for",
                "Raise resources.memory_mb in the app's manifest, or give it a smaller input.",
            )
        case Cause.NODE_LOST if _felled(job):
            return FailureWords(
                "Nodes went down under it, one after the other",
                "It was not tried on another. Find out what it does to a machine (memory, devices, the kernel's log) "
                "before you run it again.",
            )
        case Cause.NODE_LOST:
            return FailureWords(
                "The node was lost while it ran, each time it was tried",
                "Look at the nodes: when one is active again, run it again.",
            )
        case Cause.REJECTED:
            return FailureWords(
                "No node could take it", "Look at its attempts for the reason and at the nodes, then run it again."
            )
    return FailureWords("It did not succeed", "Look at its log and its attempts, then run it again.")


def timeline(job: JobView) -> list[TimelineStep]:
    """The steps of the newest attempt, from submission on; the first one that is not done is under way."""
    last = job.attempts[-1] if job.attempts else None
    retried = len(job.attempts) > 1
    steps = [TimelineStep("Submitted", "done", at=job.submitted_at)]
    waited_from = job.attempts[-2].ended_at if retried else job.submitted_at
    if retried and last is not None:
        earlier = last.number - 1
        words = "1 attempt before this one" if earlier == 1 else f"{earlier} attempts before this one"
        steps.append(TimelineStep("Tried again", "done", at=waited_from, words=words))
    if last is None or (job.state is JobState.QUEUED and last.ended_at is not None):
        return _pending(job, steps, last)
    steps.append(
        TimelineStep(f"Placed on {last.node}", "done", at=last.placed_at, took=_between(waited_from, last.placed_at))
    )
    steps += _attempt_steps(last)
    if not job.is_over or last.ended_at is None:
        return _mark_first_open(steps, last, over=job.is_over)
    took = _between(last.started_at, last.ended_at)
    title = {JobState.SUCCEEDED: "Finished", JobState.CANCELLED: "Cancelled"}.get(job.state, "Failed")
    steps = [step for step in steps if step.status == "done"]
    return [*steps, TimelineStep(title, _last_status(job), at=last.ended_at, took=took, words=_words_of_end(last))]


def _last_status(job: JobView) -> str:
    return "failed" if job.state is JobState.FAILED else "done"


def _pending(job: JobView, steps: list[TimelineStep], last: AttemptView | None) -> list[TimelineStep]:
    if job.is_over:
        return [*steps, TimelineStep(job.state.capitalize(), _last_status(job), at=job.finished_at)]
    since = last.ended_at if last is not None and last.ended_at is not None else job.submitted_at
    waiting = TimelineStep("Waiting for a place", "now", since=since)
    return [*steps, waiting, TimelineStep("Started", "todo"), TimelineStep("Finished", "todo")]


def _attempt_steps(last: AttemptView) -> list[TimelineStep]:
    claimed = TimelineStep(
        "Claimed by the node",
        "done" if last.claimed_at else "todo",
        at=last.claimed_at,
        took=_between(last.placed_at, last.claimed_at),
    )
    started = TimelineStep(
        "Started",
        "done" if last.started_at else "todo",
        at=last.started_at,
        took=None if last.preparing else _between(last.claimed_at, last.started_at),
    )
    if not last.preparing:
        return [claimed, started]
    preparing = TimelineStep(
        "Preparing",
        "done" if last.started_at else "now",
        took=_between(last.claimed_at, last.started_at),
        since=None if last.started_at else last.claimed_at,
        words=last.preparing if last.started_at or last.stage is None else stage_words(last.stage),
    )
    return [claimed, preparing, started]


def _mark_first_open(steps: list[TimelineStep], last: AttemptView, *, over: bool) -> list[TimelineStep]:
    if over:
        return steps
    if last.started_at is not None and last.stage is not None and last.stage.since >= last.started_at:
        ran = TimelineStep("Ran", "done", at=last.stage.since, took=_between(last.started_at, last.stage.since))
        return [*steps, ran, TimelineStep(last.stage.what.capitalize(), "now", since=last.stage.since)]
    if last.started_at is not None:
        return [*steps, TimelineStep("Running", "now", since=last.started_at), TimelineStep("Finished", "todo")]
    if not any(step.status == "now" for step in steps):
        opened = next(i for i, step in enumerate(steps) if step.status == "todo")
        since = last.claimed_at or last.placed_at
        steps[opened] = TimelineStep(steps[opened].title, "now", since=since)
    return [*steps, TimelineStep("Finished", "todo")]


def stage_words(stage: Stage) -> str:
    """What a node is at, without its time."""
    return f"{stage.what}, {stage.detail}" if stage.detail else stage.what


def attempt_words(attempt: AttemptView) -> str:
    """An attempt's times and figures, in one line."""
    parts = []
    if attempt.started_at is not None and attempt.ended_at is not None:
        parts.append(f"ran {duration(attempt.ended_at - attempt.started_at)}")
    elif attempt.ended_at is not None:
        parts.append("never started")
    if attempt.exit_code is not None:
        parts.append(f"exit code {attempt.exit_code}")
    if attempt.log_lines is not None:
        parts.append(f"{attempt.log_lines} log line{'' if attempt.log_lines == 1 else 's'}")
    if used := usage_words(attempt):
        parts.append(used)
    return ", ".join(parts)


def usage_words(attempt: AttemptView) -> str:
    """What an attempt used, or nothing while that is not known."""
    usage = attempt.usage
    if not usage or not usage.get("wall_s"):
        return ""
    return (
        f"{duration(usage.get('cpu_s', 0.0))} of processor, {figure(usage.get('peak_memory_mb', 0.0), 0)} MB of memory"
    )


def _words_of_end(attempt: AttemptView) -> str:
    return "" if attempt.cause is Cause.OK else attempt.message


def _cause(attempt: AttemptView) -> str:
    return CAUSES.get(attempt.cause or "", "it ended")


def _run_time(attempt: AttemptView) -> float | None:
    return _between(attempt.started_at or attempt.claimed_at or attempt.placed_at, attempt.ended_at)


def _between(start: float | None, end: float | None) -> float | None:
    # Two machines' clocks may differ by a little: less than nothing is shown as nothing.
    return None if start is None or end is None else max(0.0, end - start)
