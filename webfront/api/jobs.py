"""Jobs: submitting, following, cancelling, and fetching results."""

from __future__ import annotations

import bottle
import msgspec

from webfront.api.bodies import (
    Body,
    as_texts,
    idempotency_key,
    input_file,
    is_form,
    no_content,
    query_number,
    query_text,
    read_form,
    read_json,
    reply,
)
from webfront.api.operations import File, Form, Operation
from webfront.jobs.views import JobView, LogView
from webfront.scheduling.explanation import Explanation
from webfront.scheduling.service import Plan
from webfront.web import actions
from webfront.web.guard import identity
from webfront.web.sending import attachment
from webfront.web.services import Services


class JobBody(Body):
    app: str
    version: str | None = None
    parameters: dict[str, str | bool | int | float] = msgspec.field(default_factory=dict)
    priority: int = 0


def register(app: bottle.Bottle, services: Services) -> None:
    jobs = services.jobs

    @app.get(
        "/api/v1/jobs",
        operation=Operation(
            "Jobs, newest first, without attempts and outputs",
            {200: {"jobs": list[JobView]}},
            query={
                "state": "only those in this state",
                "app": "only those of this app",
                "schedule": "only those that this schedule has made, by its id",
                "limit": "how many, 50 by default and 200 at most",
                "before": "the id of the last job of the page before",
            },
        ),
    )
    def index() -> bytes:
        found = jobs.list(
            identity().account,
            state=query_text("state"),
            app=query_text("app"),
            schedule=query_text("schedule"),
            limit=query_number("limit", 50, least=1),
            before=query_text("before"),
        )
        return reply(jobs=found)

    @app.post(
        "/api/v1/jobs",
        action="job.submit",
        operation=Operation(
            "Submit a job, by a form where it has an input",
            {202: {"job": JobView}},
            json=JobBody,
            form=Form(
                {"app": str, "version": str, "input": File, "parameters": str, "priority": str}, required=("app",)
            ),
            headers={"Idempotency-Key": "for a request that may be sent again: the same key twice is one job"},
            answer_headers={"Idempotent-Replayed": "`true` where an earlier request with the key became this job"},
        ),
    )
    def submit() -> bytes:
        body = read_form(JobBody) if is_form() else read_json(JobBody)
        actions.note("skerry.app", body.app)
        job, replayed = jobs.submit(
            identity().account,
            app=body.app,
            version=body.version,
            parameters=as_texts(body.parameters),
            input_file=input_file(),
            priority=body.priority,
            key=idempotency_key(),
        )
        actions.note("skerry.job", job.id)
        if replayed:
            actions.note("skerry.replayed", True)
            bottle.response.set_header("Idempotent-Replayed", "true")
        return reply(code=202, job=job)

    @app.get(
        "/api/v1/jobs/plan",
        operation=Operation(
            "Where a job would go if it were submitted now: the ranking, and why the other nodes are left out",
            {200: {"plan": Plan}},
            query={
                "app": "the app's name",
                "version": "its version; the newest one by default",
            },
        ),
    )
    def plan() -> bytes:
        return reply(plan=services.placement.plan(query_text("app") or "", query_text("version")))

    @app.get(
        "/api/v1/jobs/<job_id>", operation=Operation("A job with its attempts and outputs", {200: {"job": JobView}})
    )
    def show(job_id: str) -> bytes:
        return reply(job=jobs.get(identity().account, job_id))

    @app.get(
        "/api/v1/jobs/<job_id>/explain",
        operation=Operation(
            "Why a job is where it is: what it waits for, until when, and what each node says",
            {200: {"explanation": Explanation}},
        ),
    )
    def explain(job_id: str) -> bytes:
        return reply(explanation=services.placement.explain(identity().account, job_id))

    @app.post(
        "/api/v1/jobs/<job_id>/cancel",
        action="job.cancel",
        operation=Operation("End a job", {202: {"job": JobView}}),
    )
    def cancel(job_id: str) -> bytes:
        actions.note("skerry.job", job_id[:26])
        return reply(code=202, job=jobs.cancel(identity().account, job_id))

    @app.delete(
        "/api/v1/jobs/<job_id>",
        action="job.delete",
        operation=Operation("Delete a job that has ended, with its input, results and log", {204: None}),
    )
    def delete(job_id: str) -> str:
        actions.note("skerry.job", job_id[:26])
        jobs.delete(identity().account, job_id)
        return no_content()

    @app.get(
        "/api/v1/jobs/<job_id>/log",
        operation=Operation(
            "Lines of an attempt's log; 410 when it is too old",
            {200: LogView},
            query={
                "after": "only lines numbered above it: the `next` of the answer before",
                "attempt": "which attempt's; the newest one's by default",
                "last": "in place of `after`: from the last so many lines on that there are",
                "limit": "how many lines, 2,000 by default and 5,000 at most",
            },
        ),
    )
    def log(job_id: str) -> bytes:
        attempt = query_number("attempt", 0)
        after, limit = query_number("after", 0), query_number("limit", 2000, least=1)
        last = query_number("last", 0) or None
        view = jobs.log(identity().account, job_id, after=after, attempt=attempt or None, limit=limit, last=last)
        return reply(**msgspec.structs.asdict(view))

    @app.get(
        "/api/v1/jobs/<job_id>/outputs/<name:path>",
        action="job.download",
        operation=Operation(
            "A result file of the attempt that counts, as an attachment; 410 when it is too old",
            {200: File, 206: File},
            headers={
                "Range": "the part that is wanted, `bytes=1000-`: how a download that was cut off goes on",
                "If-Range": "the file's ETag: the whole of it where it is another file by now",
            },
            answer_headers={"ETag": "the file's SHA-256, in quotes"},
        ),
    )
    def output(job_id: str, name: str) -> bottle.HTTPResponse:
        actions.note("skerry.job", job_id[:26])
        return attachment(jobs.output(identity().account, job_id, name))
