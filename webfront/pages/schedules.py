"""The pages of the schedules: all, the form in two steps (its times, then the rest), and one with what came of it."""

from __future__ import annotations

from typing import Any, Final

import bottle

from webfront.errors import InvalidInput, SkerryError
from webfront.jobs.inputs import Input, InputFile
from webfront.pages.apps import version_of
from webfront.pages.jobs import given_parameters
from webfront.pages.rendering import refused, render, see_other
from webfront.schedules.states import WhenRunning
from webfront.schedules.times import zone_names
from webfront.schedules.views import Plan, ScheduleView
from webfront.web import actions, guard
from webfront.web.navigation import Nav
from webfront.web.services import Services

_JOBS: Final = 10
_TIMES: Final = ("cron", "at", "zone")


def register(app: bottle.Bottle, services: Services) -> None:
    schedules = services.schedules

    @app.get("/schedules", nav=Nav(50, "Schedules"))
    def listing() -> str:
        return render("schedules.html", schedules=schedules.list(guard.identity().account))

    @app.get("/schedules/new")
    def form() -> str:
        query = bottle.request.query
        name = query.getunicode("app")
        if not name:
            return render("schedule_form.html", app=None, made=None, apps=services.apps.list())
        like = query.getunicode("like") or ""
        last = services.jobs.get(guard.identity().account, like) if like else None
        typed = _typed(query) | {
            "name": query.getunicode("name") or name,
            "version": query.getunicode("version") or "",
            "given": last.parameters if last else {},
            "when_running": WhenRunning.SKIP,
            "input_of": like if last and last.input else "",
        }
        return _form(services, name, typed, at="/schedules/new", has_input=last.input if last else None)

    @app.post("/schedules/new", action="schedule.create", upload=True)
    def create() -> str | bottle.HTTPResponse:
        forms = bottle.request.forms
        name, app_name = forms.getunicode("name") or "", forms.getunicode("app") or ""
        actions.note("skerry.schedule", name[:64])
        actions.note("skerry.app", app_name[:64])
        typed = _typed(forms) | _posted()
        try:
            made = schedules.create(guard.identity().account, _plan(app_name, typed), _input(typed["input_of"]))
        except SkerryError as error:
            has_input = None
            if typed["input_of"]:
                has_input = services.jobs.get(guard.identity().account, typed["input_of"]).input
            return _form(services, app_name, typed, at="/schedules/new", has_input=has_input, error=error)
        return see_other(f"/schedules/{made.id}")

    @app.get("/schedules/<key>")
    def one(key: str) -> str:
        account = guard.identity().account
        found = schedules.get(account, key)
        jobs = services.jobs.list(account, schedule=found.id, limit=_JOBS)
        return render("schedule.html", schedule=found, jobs=jobs)

    @app.get("/schedules/<key>/edit")
    def edit_form(key: str) -> str:
        found = schedules.get(guard.identity().account, key)
        typed = _typed(bottle.request.query) if bottle.request.query else _times_of(found)
        typed |= {
            "name": found.name,
            "version": found.version or "",
            "given": found.parameters,
            "when_running": found.when_running,
            "input_of": "",
        }
        return _form(services, found.app, typed, at=f"/schedules/{found.id}/edit", has_input=found.input, made=found)

    @app.post("/schedules/<key>/edit", action="schedule.change", upload=True)
    def change(key: str) -> str | bottle.HTTPResponse:
        actions.note("skerry.schedule", key[:64])
        account = guard.identity().account
        found = schedules.get(account, key)
        typed = _typed(bottle.request.forms) | _posted()
        plan = None
        try:
            plan = _plan(found.app, typed)
            changes = {name: getattr(plan, name) for name in plan.__struct_fields__}
            without = bool(bottle.request.forms.get("without_input"))
            given = _input("")
            schedules.change(account, found.id, changes, given, without_input=without and given is None)
        except SkerryError as error:
            at = f"/schedules/{found.id}/edit"
            return _form(services, found.app, typed, at=at, has_input=found.input, made=found, error=error)
        return see_other(f"/schedules/{found.id}")

    @app.post("/schedules/<key>/pause", action="schedule.pause")
    def pause(key: str) -> bottle.HTTPResponse:
        actions.note("skerry.schedule", key[:64])
        return see_other(f"/schedules/{schedules.pause(guard.identity().account, key).id}")

    @app.post("/schedules/<key>/resume", action="schedule.resume")
    def resume(key: str) -> bottle.HTTPResponse:
        actions.note("skerry.schedule", key[:64])
        return see_other(f"/schedules/{schedules.resume(guard.identity().account, key).id}")

    @app.post("/schedules/<key>/run", action="schedule.run")
    def run(key: str) -> bottle.HTTPResponse:
        actions.note("skerry.schedule", key[:64])
        job = schedules.run(guard.identity().account, key)
        actions.note("skerry.job", job.id)
        return see_other(f"/jobs/{job.id}")

    @app.post("/schedules/<key>/delete", action="schedule.delete")
    def delete(key: str) -> bottle.HTTPResponse:
        actions.note("skerry.schedule", key[:64])
        schedules.delete(guard.identity().account, key)
        return see_other("/schedules")

    def _input(job_id: str) -> Input | None:
        file = bottle.request.files.get("input")
        if file is not None:
            return InputFile(file.raw_filename, file.file)
        return services.jobs.input_of(guard.identity().account, job_id) if job_id else None


def _typed(given: bottle.FormsDict) -> dict[str, Any]:
    return {name: (given.getunicode(name) or "").strip() for name in _TIMES}


def _times_of(schedule: ScheduleView) -> dict[str, Any]:
    return {"cron": schedule.cron or "", "at": schedule.at or "", "zone": schedule.zone}


def _posted() -> dict[str, Any]:
    """The second step's fields as they were sent."""
    forms = bottle.request.forms
    fields = ("name", "version", "input_of", "when_running")
    return {name: (forms.getunicode(name) or "").strip() for name in fields} | {"given": {}}


def _plan(app: str, typed: dict[str, Any]) -> Plan:
    """What was typed, as a plan; the parameters go back into `typed` for the form. Raises `InvalidInput`."""
    typed["given"] = given_parameters()
    if typed["when_running"] not in set(WhenRunning):
        raise InvalidInput("Choose what happens while its last job still runs.", detail={"field": "when_running"})
    return Plan(
        name=typed["name"],
        app=app,
        zone=typed["zone"],
        cron=typed["cron"] or None,
        at=typed["at"] or None,
        version=typed["version"] or None,
        parameters=typed["given"],
        when_running=WhenRunning(typed["when_running"]),
    )


def _form(
    services: Services,
    app_name: str,
    typed: dict[str, Any],
    *,
    at: str,
    has_input: str | None,
    made: ScheduleView | None = None,
    error: SkerryError | None = None,
) -> str:
    """Both steps; the second once there are times, with what they come to."""
    app = services.apps.get(app_name)
    preview = None
    if typed["cron"] or typed["at"]:
        try:
            preview = services.schedules.preview(cron=typed["cron"] or None, at=typed["at"] or None, zone=typed["zone"])
        except InvalidInput as wrong:
            error = wrong
    lines = bottle.request.forms.getunicode("parameters") if bottle.request.method == "POST" else None
    text = lines if lines is not None else "\n".join(f"{key} = {value}" for key, value in typed["given"].items())
    context = {
        "app": app,
        "version": version_of(app, typed["version"]),
        "typed": typed | {"parameters": text},
        "action": at,
        "made": made,
        "has_input": has_input,
        "preview": preview,
        "zones": zone_names(),
        "max_mb": services.settings.max_upload_mb,
    }
    if error is not None:
        return refused(error, "schedule_form.html", **context)
    return render("schedule_form.html", error=None, **context)
