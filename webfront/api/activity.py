"""The platform's activity: what has happened, and what is told of it and done about it. For administrators."""

from __future__ import annotations

import bottle

from webfront.activity.facts import Fact
from webfront.activity.views import ChoreView, ConsumerView
from webfront.api.bodies import query_number, query_text, reply
from webfront.api.operations import Operation
from webfront.logs.views import LogsView
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    activity = services.activity

    @app.get(
        "/api/v1/activity",
        access="admin",
        operation=Operation(
            "What has happened, newest first, with the consumers of facts, the chores, and what became of log records; "
            "for administrators",
            {
                200: {
                    "facts": list[Fact],
                    "older": int | None,
                    "consumers": list[ConsumerView],
                    "chores": list[ChoreView],
                    "logs": LogsView,
                }
            },
            query={
                "kind": "only facts of this kind",
                "user": "only facts of this user",
                "before": "only facts with a lower id, as `older` says it",
                "limit": "how many, at most 200",
            },
        ),
    )
    def index() -> bytes:
        page = activity.facts(
            kind=query_text("kind") or "",
            user=query_text("user") or "",
            before=query_number("before", 0) or None,
            limit=query_number("limit", 50, least=1),
        )
        return reply(
            facts=page.facts,
            older=page.older,
            consumers=activity.consumers(),
            chores=activity.chores(),
            logs=services.logs.standing(),
        )
