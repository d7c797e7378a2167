"""Schedules: making, changing and pausing them, and a job of one right now."""

from __future__ import annotations

from typing import Any

import bottle
import msgspec
from msgspec import UNSET, UnsetType

from webfront.api.bodies import (
    Body,
    as_texts,
    input_file,
    is_form,
    no_content,
    query_text,
    read_form,
    read_json,
    reply,
)
from webfront.api.operations import Fields, File, Form, Operation
from webfront.jobs.inputs import Input
from webfront.jobs.views import JobView
from webfront.schedules.states import WhenRunning
from webfront.schedules.views import Plan, Preview, ScheduleView
from webfront.web import actions
from webfront.web.guard import identity
from webfront.web.services import Services

Parameters = dict[str, str | bool | int | float]


class ScheduleBody(Body):
    name: str
    app: str
    zone: str
    cron: str | None = None
    at: str | None = None
    version: str | None = None
    parameters: Parameters = msgspec.field(default_factory=dict)
    when_running: WhenRunning = WhenRunning.SKIP
    input_of: str | None = None
    """A job whose input is to be used."""


class ScheduleChange(Body):
    name: str | UnsetType = UNSET
    app: str | UnsetType = UNSET
    zone: str | UnsetType = UNSET
    cron: str | UnsetType | None = UNSET
    at: str | UnsetType | None = UNSET
    version: str | UnsetType | None = UNSET
    parameters: Parameters | UnsetType = UNSET
    when_running: WhenRunning | UnsetType = UNSET
    input_of: str | UnsetType | None = UNSET
    """A job whose input is to be used from now on; null for none."""


_FORM: Fields = {
    **dict.fromkeys(("name", "app", "zone", "cron", "at", "version", "parameters", "when_running", "input_of"), str),
    "input": File,
}
_SCHEDULE = {"schedule": ScheduleView}


def register(app: bottle.Bottle, services: Services) -> None:
    schedules = services.schedules

    @app.get(
        "/api/v1/schedules",
        operation=Operation("Schedules with their next times", {200: {"schedules": list[ScheduleView]}}),
    )
    def index() -> bytes:
        return reply(schedules=schedules.list(identity().account))

    @app.post(
        "/api/v1/schedules",
        action="schedule.create",
        operation=Operation(
            "Make a schedule, by a form where it has an input",
            {201: _SCHEDULE},
            json=ScheduleBody,
            form=Form(_FORM, required=("name", "app", "zone")),
        ),
    )
    def create() -> bytes:
        body = read_form(ScheduleBody) if is_form() else read_json(ScheduleBody)
        _note(body.name, body.app)
        made = schedules.create(identity().account, _plan(body), _input(body.input_of))
        return reply(code=201, schedule=made)

    @app.get(
        "/api/v1/schedules/preview",
        operation=Operation(
            "The next times of a cron expression, or of a date and time",
            {200: Preview},
            query={"cron": "five fields", "at": "as 2026-12-24T18:30", "zone": "the time zone's name"},
        ),
    )
    def preview() -> bytes:
        found = schedules.preview(cron=query_text("cron"), at=query_text("at"), zone=query_text("zone") or "")
        return reply(**msgspec.structs.asdict(found))

    @app.get(
        "/api/v1/schedules/<key>",
        operation=Operation("A schedule by its id or your name for it, with its last times", {200: _SCHEDULE}),
    )
    def show(key: str) -> bytes:
        return reply(schedule=schedules.get(identity().account, key))

    @app.patch(
        "/api/v1/schedules/<key>",
        action="schedule.change",
        operation=Operation(
            "Change a schedule: what is not given stays",
            {200: _SCHEDULE},
            json=ScheduleChange,
            form=Form(_FORM, required=()),
        ),
    )
    def change(key: str) -> bytes:
        body = read_form(ScheduleChange) if is_form() else read_json(ScheduleChange)
        actions.note("skerry.schedule", key[:64])
        given = _input(None if body.input_of is UNSET else body.input_of)
        changed = schedules.change(
            identity().account, key, _changes(body), given, without_input=given is None and body.input_of is None
        )
        return reply(schedule=changed)

    @app.delete(
        "/api/v1/schedules/<key>",
        action="schedule.delete",
        operation=Operation("Delete a schedule; the jobs it has made stay", {204: None}),
    )
    def delete(key: str) -> str:
        actions.note("skerry.schedule", key[:64])
        schedules.delete(identity().account, key)
        return no_content()

    @app.post(
        "/api/v1/schedules/<key>/pause",
        action="schedule.pause",
        operation=Operation("Have a schedule make no jobs for now", {200: _SCHEDULE}),
    )
    def pause(key: str) -> bytes:
        actions.note("skerry.schedule", key[:64])
        return reply(schedule=schedules.pause(identity().account, key))

    @app.post(
        "/api/v1/schedules/<key>/resume",
        action="schedule.resume",
        operation=Operation("Have it make jobs again, from its next time on", {200: _SCHEDULE}),
    )
    def resume(key: str) -> bytes:
        actions.note("skerry.schedule", key[:64])
        return reply(schedule=schedules.resume(identity().account, key))

    @app.post(
        "/api/v1/schedules/<key>/run",
        action="schedule.run",
        operation=Operation("Make a job of it now", {202: {"job": JobView}}),
    )
    def run(key: str) -> bytes:
        actions.note("skerry.schedule", key[:64])
        job = schedules.run(identity().account, key)
        actions.note("skerry.job", job.id)
        return reply(code=202, job=job)

    def _input(job_id: str | None) -> Input | None:
        return services.jobs.input_of(identity().account, job_id) if job_id else input_file()


def _note(name: str, app: str) -> None:
    actions.note("skerry.schedule", name[:64])
    actions.note("skerry.app", app[:64])


def _plan(body: ScheduleBody) -> Plan:
    return Plan(
        name=body.name,
        app=body.app,
        zone=body.zone,
        cron=body.cron or None,
        at=body.at or None,
        version=body.version or None,
        parameters=as_texts(body.parameters),
        when_running=body.when_running,
    )


def _changes(body: ScheduleChange) -> dict[str, Any]:
    """What is given of a plan. An expression takes the place of a date and time, and the other way round."""
    found = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
    found.pop("input_of", None)
    if found.get("cron"):
        found.setdefault("at", None)
    if found.get("at"):
        found.setdefault("cron", None)
    for name in found.keys() & {"cron", "at", "version"}:
        found[name] = found[name] or None
    if "parameters" in found:
        found["parameters"] = as_texts(found["parameters"])
    return found
