"""The page on which log records are searched. Where there is no Elasticsearch it says how to get one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import bottle

from webfront.errors import ElasticUnavailable, Forbidden, InvalidInput, NotFound, NotSetUp
from webfront.logs.questions import DATASETS, DEFAULT_SPAN, FIELDS, JOBS_SPAN, LEVELS, OF_JOBS, LogQuestion
from webfront.pages import logwords
from webfront.pages.rendering import render
from webfront.pages.spanfields import dates, in_words, span_fields
from webfront.web.guard import identity
from webfront.web.navigation import Nav
from webfront.web.services import Services

_PLACE: Final = ("before", "after")
_HIDDEN: Final = ("process", "node", "job", "app", "user", "dataset", "from", "to")
"""What is asked for in the part of the form that is folded away."""


def register(app: bottle.Bottle, services: Services) -> None:
    logs = services.logs
    where: dict[str, Any] = {"nav": Nav(85, "Logs")} if logs.is_searchable else {}

    @app.get("/logs", **where)
    def index() -> str:
        typed = {name: (bottle.request.query.getunicode(name) or "").strip() for name in FIELDS}
        account = identity().account
        try:
            found = logs.search(account, typed)
        except (InvalidInput, NotFound, Forbidden, ElasticUnavailable) as error:
            bottle.response.status = error.status
            return _page(typed, error=error, searchable=not isinstance(error, NotSetUp), found=None, kibana="")
        question, kibana = found.question, logs.kibana(account)
        zone = ZoneInfo(question.zone)
        return _page(
            typed | dates(question.span, question.begin, question.end, zone),
            error=None,
            searchable=True,
            found=found,
            entries=[logwords.entry(record, _narrowed(typed)) for record in found.records],
            told=_told(question, zone),
            older=_link(typed, before=found.older) if found.older else "",
            newer=_link(typed, after=found.newer) if found.newer else "",
            kibana=kibana.records(question) if kibana else "",
        )


def _page(typed: Mapping[str, str], **more: Any) -> str:
    return render(
        "logs.html",
        typed=typed,
        levels=LEVELS,
        datasets=DATASETS,
        of_jobs=OF_JOBS,
        filtered=any(typed[name] for name in _HIDDEN),
        first_page=not any(typed[name] for name in _PLACE),
        newest=_link(typed),
        **span_fields(JOBS_SPAN if typed["job"] else DEFAULT_SPAN),
        **more,
    )


def _link(typed: Mapping[str, str], **changes: str) -> str:
    """The same question at another place, or with something else asked for."""
    kept = {name: value for name, value in typed.items() if value and name not in _PLACE}
    return f"/logs?{urlencode(kept | changes)}" if kept | changes else "/logs"


def _narrowed(typed: Mapping[str, str]) -> logwords.Narrow:
    return lambda field, value: _link(typed, **{field: value})


def _told(question: LogQuestion, zone: ZoneInfo) -> str:
    end = "now" if question.until_now else in_words(question.end, zone)
    return f"from {in_words(question.begin, zone)} to {end} ({question.zone})"
