"""How the platform is used, in numbers: by everybody, for administrators; by themselves, for anybody else."""

from __future__ import annotations

import bottle

from webfront.api.bodies import query_text, reply
from webfront.api.operations import Operation
from webfront.usage.questions import FIELDS
from webfront.usage.views import Question, Source, Usage
from webfront.web.guard import identity
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    usage = services.usage

    @app.get(
        "/api/v1/usage",
        operation=Operation(
            "How the platform was used: deeds of a span, counted over time and by function, controller, node and user; "
            "everybody's for administrators, one's own for anybody else",
            {200: {"question": Question, "usage": Usage, "source": Source, "trouble": str}},
            query=FIELDS,
        ),
    )
    def index() -> bytes:
        found = usage.ask(identity().account, {name: query_text(name) or "" for name in FIELDS})
        return reply(question=found.question, usage=found.usage, source=found.source, trouble=found.trouble)
