"""Templates to HTML: the one Jinja environment, and the words and units that its filters know.

Nothing here reads the clock by itself: `now` is given, so that a test needs no sleep.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import bottle
import jinja2
from markupsafe import Markup, escape

from webfront.errors import SkerryError
from webfront.fleet.states import NodeState
from webfront.invitations.states import InvitationState
from webfront.jobs.states import AttemptState, JobState
from webfront.plays.phases import PhaseState
from webfront.plays.states import PlayState, StepState
from webfront.schedules.states import ScheduleState, TickOutcome
from webfront.web import actions, guard
from webfront.webhooks.states import DeliveryState
from wire.messages import Cause

TONES: Final[dict[str, str]] = {
    NodeState.REGISTERING: "busy",
    NodeState.UNREGISTERED: "bad",
    NodeState.ACTIVE: "good",
    NodeState.SUSPECT: "wait",
    NodeState.DRAINING: "wait",
    NodeState.DRAINED: "idle",
    NodeState.DEAD: "bad",
    NodeState.REMOVED: "idle",
    JobState.QUEUED: "wait",
    JobState.PLACED: "busy",
    JobState.RUNNING: "busy",
    JobState.SUCCEEDED: "good",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "idle",
    AttemptState.CLAIMED: "busy",
    ScheduleState.PAUSED: "wait",
    ScheduleState.FINISHED: "idle",
    InvitationState.OPEN: "wait",
    InvitationState.CLAIMED: "busy",
    InvitationState.APPROVED: "busy",
    InvitationState.TAKEN: "good",
    InvitationState.REFUSED: "bad",
    InvitationState.REVOKED: "idle",
    InvitationState.EXPIRED: "idle",
    DeliveryState.PENDING: "wait",
    DeliveryState.DELIVERED: "good",
    DeliveryState.FAILED: "bad",
    TickOutcome.SUBMITTED: "good",
    TickOutcome.SKIPPED: "idle",
    TickOutcome.REFUSED: "bad",
    TickOutcome.MISSED: "bad",
    Cause.OK: "good",
    Cause.APP_ERROR: "bad",
    Cause.TIMEOUT: "bad",
    Cause.OUT_OF_MEMORY: "bad",
    Cause.NODE_LOST: "wait",
    Cause.REJECTED: "wait",
    StepState.CHANGED: "good",
    StepState.SKIPPED: "idle",
    PlayState.STOPPED: "idle",
    PhaseState.WAITING: "idle",
    PhaseState.NOT_NEEDED: "idle",
    PhaseState.DONE: "good",
}
"""The colour that repeats a state's word; the word itself is always on the page."""

CAUSES: Final[dict[str, str]] = {
    Cause.OK: "ended well",
    Cause.APP_ERROR: "the app failed",
    Cause.TIMEOUT: "out of time",
    Cause.OUT_OF_MEMORY: "out of memory",
    Cause.NODE_LOST: "the node was lost",
    Cause.REJECTED: "the node could not take it",
    Cause.CANCELLED: "cancelled",
}

UNKNOWN: Final = "\N{EN DASH}"
"""Stands where a figure is not known."""

_UNITS: Final = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


def relative(seconds: float) -> str:
    """How long ago, in words: `just now`, `42 seconds ago`, `3 hours ago`; `in 2 minutes` for a negative number."""
    span = abs(seconds)
    if span < 5:
        return "just now"
    for size, unit in (*_UNITS, (1, "second")):
        if span >= size:
            count = int(span // size)
            words = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now"


def duration(seconds: float | None) -> str:
    """A length of time in the two units that matter: `38 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    if seconds is None:
        return UNKNOWN
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, smaller_size, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller_size
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def size(count: float | None) -> str:
    """Bytes in decimal units: `812 bytes`, `1.4 MB`."""
    if count is None:
        return UNKNOWN
    if count < 1000:
        return f"{count:.0f} byte{'' if count == 1 else 's'}"
    units = ["kB", "MB", "GB", "TB"]
    while (count := count / 1000) >= 1000 and len(units) > 1:
        units.pop(0)
    return f"{count:.1f} {units[0]}"


def figure(value: float | None, digits: int = 1) -> str:
    """A number with thousands apart and `digits` after the point; a dash for what is not known."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def points(value: float) -> str:
    """A score: two digits after the point, three where it is below 1, so that a busy node's is not all zeros."""
    return figure(value, 2 if value >= 1 else 3)


def ago(at: float | None, now: Callable[[], float] = time.time) -> Markup:
    """A `<time>` that reads relative and carries the absolute time; the page's script keeps the words fresh."""
    if at is None:
        return escape(UNKNOWN)
    moment = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
        moment.isoformat(timespec="seconds"), moment.strftime("%d %B %Y, %H:%M:%S UTC"), relative(now() - at)
    )


def clock(at: float | None) -> Markup:
    """A `<time>` that reads as the time of day, in UTC until the page's script makes it local."""
    if at is None:
        return escape(UNKNOWN)
    moment = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}" title="{}" data-clock>{}</time>').format(
        moment.isoformat(timespec="milliseconds"),
        moment.strftime("%d %B %Y, %H:%M:%S UTC"),
        moment.strftime("%H:%M:%S"),
    )


def moment(at: float) -> Markup:
    """A `<time>` to the millisecond, in UTC until the page's script makes it local."""
    when = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}" title="{}" data-moment>{}</time>').format(
        when.isoformat(timespec="milliseconds"),
        when.strftime("%d %B %Y, %H:%M:%S UTC"),
        f"{when.day} {when:%b %Y, %H:%M:%S}.{when.microsecond // 1000:03} UTC",
    )


def tone(word: str) -> str:
    """The colour that repeats a state's word."""
    return TONES.get(word, "idle")


def state(word: str, text: str | None = None) -> Markup:
    """A state as a mark, a colour and a word."""
    return Markup('<span class="state {}">{}</span>').format(tone(word), escape(text or word))


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 job`, `3 jobs`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


@functools.cache
def environment() -> jinja2.Environment:
    """The templates, escaping on. An undefined name in a template is an error, not an empty string."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("webfront", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        ago=ago,
        clock=clock,
        moment=moment,
        tone=tone,
        duration=duration,
        size=size,
        figure=figure,
        points=points,
        state=state,
        cause=CAUSES.get,
        plural=plural,
    )
    return made


def render(template: str, **context: Any) -> str:
    """The page of `template` for whoever asks; `context` is what it shows."""
    who = guard.visitor()
    return (
        environment()
        .get_template(template)
        .render(
            now=time.time(),
            account=who.account if who else None,
            csrf=who.csrf_token if who else None,
            places=getattr(bottle.request.environ.get("bottle.app"), "places", ()),
            **context,
        )
    )


def refused(error: SkerryError, template: str, **context: Any) -> str:
    """The form again, with what is wrong above it and all that was typed still in it."""
    bottle.response.status = error.status
    actions.refuse(error)
    return render(template, error=error, **context)


def see_other(path: str) -> bottle.HTTPResponse:
    """Send the browser on with a GET. The path stays relative: a proxy may speak under another name."""
    return bottle.HTTPResponse(status=303, headers={"Location": path})
