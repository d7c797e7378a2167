"""Checking a plan: what is wrong with it is said when it is made, not when it is due."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Final

import msgspec

from webfront.apps.queries import find_version
from webfront.database.models import Schedule
from webfront.errors import InvalidInput
from webfront.jobs.inputs import Input, check_input
from webfront.jobs.submission import check_parameters
from webfront.schedules.states import WhenRunning
from webfront.schedules.times import Times, read_at, read_cron, times_of
from webfront.schedules.views import Plan

NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_TAKEN: Final = {"new", "preview"}
"""Addresses of pages."""
NAME_RULE: Final = "a name begins with a-z and has up to 64 of a-z, 0-9, hyphen, underscore"


@dataclasses.dataclass(frozen=True)
class Checked:
    """A plan that can be carried out now."""

    plan: Plan
    """With its expression and version as they are kept."""
    times: Times
    input_name: str | None


def check_plan(plan: Plan, given: Input | None) -> Checked:
    """Check all of it but whether its time is past. InvalidInput, whose `detail` names the field; NotFound."""
    if not NAME.fullmatch(plan.name) or plan.name in _TAKEN:
        raise InvalidInput(f"{plan.name[:64]!r} cannot be a schedule's name: {NAME_RULE}.", detail={"field": "name"})
    cron, at = read_times(plan.cron, plan.at)
    times = times_of(cron, at, plan.zone)
    found = find_version(plan.app, plan.version)
    check_parameters(found.manifest, plan.parameters)
    name = check_input(found.manifest, given)
    version = found.hash if plan.version else None
    return Checked(msgspec.structs.replace(plan, cron=cron, at=at, version=version), times, name)


def read_times(cron: str | None, at: str | None) -> tuple[str | None, str | None]:
    """A cron expression, or a date and time, as they are kept. InvalidInput unless it is one of them."""
    if bool(cron) == bool(at):
        raise InvalidInput("Give either a cron expression, or one date and time.", detail={"field": "cron"})
    if cron:
        return read_cron(cron), None
    return None, f"{read_at(at or ''):%Y-%m-%dT%H:%M}"


def first_due(times: Times, now: float) -> float:
    """When it is due first. InvalidInput when it is not due any more."""
    due = times.after(now)
    if due is None:
        raise InvalidInput("This time has passed. Give one that is to come.", detail={"field": "at"})
    return float(due)


def plan_of(row: Schedule) -> Plan:
    """The plan that a row holds."""
    return Plan(
        name=row.name,
        app=row.app,
        zone=row.zone,
        cron=row.cron,
        at=row.once_at,
        version=row.version,
        parameters=row.parameters,
        when_running=WhenRunning(row.when_running),
    )


def columns(plan: Plan) -> dict[str, Any]:
    """A checked plan as a row holds it."""
    found = msgspec.structs.asdict(plan)
    return found | {"once_at": found.pop("at"), "when_running": plan.when_running.value}


def same_times(one: Plan, other: Plan) -> bool:
    return (one.cron, one.at, one.zone) == (other.cron, other.at, other.zone)
