"""The pages of the jobs: the list, the run form, one job with its outputs and log."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import urlencode

import bottle

from webfront.accounts.views import Account
from webfront.apps.views import VersionView
from webfront.errors import InvalidInput, KeyReused, SkerryError
from webfront.jobs.inputs import InputFile
from webfront.jobs.views import JobView
from webfront.pages import jobwords
from webfront.pages.apps import version_of
from webfront.pages.logpage import log_page, whole_log
from webfront.pages.rendering import refused, render, see_other
from webfront.pages.table import Table, preview
from webfront.web import actions, guard
from webfront.web.navigation import Nav
from webfront.web.sending import attachment
from webfront.web.services import Services

_PAGE = 50
_NODES = 20
"""How many nodes say why they do not take it."""
_TABLES = 3
"""How many outputs are shown as tables; the others are downloads."""


def register(app: bottle.Bottle, services: Services) -> None:
    jobs = services.jobs

    @app.get("/jobs", nav=Nav(40, "Jobs"))
    def listing() -> str:
        query = {key: bottle.request.query.getunicode(key) or "" for key in ("state", "app", "schedule", "before")}
        state = query["state"] if query["state"] in jobwords.FILTERS else ""
        found = jobs.list(
            guard.identity().account,
            state=state or None,
            app=query["app"] or None,
            schedule=query["schedule"] or None,
            limit=_PAGE + 1,
            before=query["before"] or None,
        )
        shown = found[:_PAGE]
        return render("jobs.html", jobs=shown, **_navigation(query | {"state": state}, shown, more=len(found) > _PAGE))

    @app.get("/jobs/new")
    def form() -> str:
        query = bottle.request.query
        name = query.getunicode("app")
        if not name:
            return render("run.html", app=None, apps=services.apps.list())
        like = query.getunicode("like")
        last = jobs.get(guard.identity().account, like) if like else None
        parameters = last.parameters if last else {}
        return render(
            "run.html",
            error=None,
            last_input=last.input if last else None,
            **_form(services, name, query.getunicode("version"), parameters),
        )

    @app.post("/jobs/new", action="job.submit", upload=True)
    def submit() -> str | bottle.HTTPResponse:
        forms = bottle.request.forms
        name, version = forms.getunicode("app") or "", forms.getunicode("version")
        actions.note("skerry.app", name)
        key = forms.getunicode("idempotency_key")
        parameters: dict[str, str] = {}
        try:
            parameters = given_parameters()
            job, replayed = jobs.submit(
                guard.identity().account,
                app=name,
                version=version,
                parameters=parameters,
                input_file=_input_file(),
                key=key,
            )
        except SkerryError as error:
            # The form keeps its key, under which it may have been accepted before, unless that is known to be so.
            key = None if isinstance(error, KeyReused) else key
            return refused(jobwords.refusal(error), "run.html", **_form(services, name, version, parameters, key))
        actions.note("skerry.job", job.id)
        if replayed:
            actions.note("skerry.replayed", True)
        return see_other(f"/jobs/{job.id}?sent=before" if replayed else f"/jobs/{job.id}")

    @app.get("/jobs/<job_id>")
    def job(job_id: str) -> str:
        account = guard.identity().account
        found = jobs.get(account, job_id)
        why = services.placement.explain(account, job_id)
        newest = found.attempts[-1] if found.attempts else None
        return render(
            "job.html",
            job=found,
            headline=jobwords.headline(found, why),
            why=why,
            shown_nodes=_NODES,
            failure=jobwords.failure(found),
            timeline=jobwords.timeline(found),
            attempt_words=jobwords.attempt_words,
            usage=jobwords.usage_words(newest) if newest else "",
            placement=newest.placement if newest and newest.placement.get("ranking") else None,
            exclusion_words=jobwords.EXCLUSION_WORDS,
            tables=_tables(services, account, found),
            searchable=services.logs.is_searchable,
            kibana=kibana.job(job_id) if (kibana := services.logs.kibana(account)) else "",
            sent_before=bottle.request.query.get("sent") == "before",
            **log_page(
                jobs, account, found, bottle.request.query.get("attempt", ""), bottle.request.query.get("line", "")
            ),
        )

    @app.post("/jobs/<job_id>/cancel", action="job.cancel")
    def cancel(job_id: str) -> bottle.HTTPResponse:
        actions.note("skerry.job", job_id[:26])
        return see_other(f"/jobs/{jobs.cancel(guard.identity().account, job_id).id}")

    @app.get("/jobs/<job_id>/log.txt", action="job.download")
    def log_file(job_id: str) -> BinaryIO | Iterator[bytes]:
        actions.note("skerry.job", job_id[:26])
        given = bottle.request.query.get("attempt", "")
        account, attempt = guard.identity().account, int(given) if given.isdecimal() else None
        found = jobs.log_file(account, job_id, attempt) or whole_log(jobs, account, job_id, attempt)
        bottle.response.content_type = "text/plain; charset=utf-8"
        return found

    @app.get("/jobs/<job_id>/outputs/<name>", action="job.download")
    def output(job_id: str, name: str) -> bottle.HTTPResponse:
        actions.note("skerry.job", job_id[:26])
        return attachment(jobs.output(guard.identity().account, job_id, name))


def given_parameters() -> dict[str, str]:
    """The form's parameters: a field each, or lines of `name = value`. Raises `InvalidInput`."""
    forms = bottle.request.forms
    found = {
        key.removeprefix("parameter."): value
        for key in forms
        if key.startswith("parameter.") and (value := (forms.getunicode(key) or "").strip())
    }
    for number, line in enumerate((forms.getunicode("parameters") or "").splitlines(), 1):
        if not line.strip():
            continue
        name, mark, value = line.partition("=")
        if not mark or not name.strip():
            raise InvalidInput(f"Line {number} of the parameters is not “name = value”: “{line.strip()}”.")
        found[name.strip()] = value.strip()
    return found


def _input_file() -> InputFile | None:
    file = bottle.request.files.get("input")
    return None if file is None else InputFile(file.raw_filename, file.file)


def _form(
    services: Services, name: str, version: str | None, parameters: dict[str, str], key: str | None = None
) -> dict[str, object]:
    app = services.apps.get(name)
    shown: VersionView = version_of(app, version)
    lines = bottle.request.forms.getunicode("parameters") if bottle.request.method == "POST" else None
    text = lines if lines is not None else "\n".join(f"{key} = {value}" for key, value in parameters.items())
    return {
        "app": app,
        "version": shown,
        "typed": {"given": parameters, "parameters": text},
        "max_mb": services.settings.max_upload_mb,
        "key": key or secrets.token_urlsafe(16),
    }


def _tables(services: Services, account: Account, job: JobView) -> list[Table]:
    found: list[Table] = []
    if job.results_deleted is not None:
        return found
    for output in [one for one in job.outputs if one.name.lower().endswith(".csv")][:_TABLES]:
        download = services.jobs.output(account, job.id, output.name)
        with download.file as file:
            found.append(preview(download.name, download.size, file))
    return found


def _navigation(query: dict[str, str], shown: tuple[JobView, ...], *, more: bool) -> dict[str, object]:
    """The list's links: by state, on to older ones, back; and what its page polls."""

    def link(**changes: str) -> str:
        wanted = {key: value for key, value in (query | changes).items() if value}
        return "/jobs?" + urlencode(wanted) if wanted else "/jobs"

    polled = urlencode({key: query[key] for key in ("state", "app", "schedule") if query[key]} | {"limit": str(_PAGE)})
    return {
        "state": query["state"],
        "app": query["app"],
        "schedule": query["schedule"],
        "filters": [
            ("all", link(state="", before="")),
            *((word, link(state=word, before="")) for word in jobwords.FILTERS),
        ],
        "first_page": not query["before"],
        "newest": link(before=""),
        "older": link(before=shown[-1].id) if more else "",
        "poll": None if query["before"] else f"/api/v1/jobs?{polled}",
    }
