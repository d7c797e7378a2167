"""Searching the log records: an administrator all, anybody else those of their own jobs."""

from __future__ import annotations

import bottle

from webfront.api.bodies import query_text, reply
from webfront.api.operations import Operation
from webfront.logs.questions import FIELDS, LogQuestion
from webfront.logs.views import RecordView
from webfront.web.guard import identity
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    logs = services.logs

    @app.get(
        "/api/v1/logs",
        operation=Operation(
            "Log records from Elasticsearch, newest first, a hundred at a time: all for administrators, those of one's "
            "own jobs for anybody else; `only_newest_jobs` says of how many where it is not all of them",
            {
                200: {
                    "question": LogQuestion,
                    "records": list[RecordView],
                    "older": str,
                    "newer": str,
                    "only_newest_jobs": int | None,
                }
            },
            query=FIELDS,
        ),
    )
    def index() -> bytes:
        found = logs.search(identity().account, {name: query_text(name) or "" for name in FIELDS})
        return reply(
            question=found.question,
            records=found.records,
            older=found.older,
            newer=found.newer,
            only_newest_jobs=found.only_newest_jobs,
        )
