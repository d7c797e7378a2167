"""The page of the platform's activity, for administrators: what has happened, the chores, the consumers of facts."""

from __future__ import annotations

from urllib.parse import urlencode

import bottle

from webfront.activity.facts import Kind
from webfront.pages import activitywords
from webfront.pages.rendering import render
from webfront.web.guard import identity
from webfront.web.navigation import Nav
from webfront.web.services import Services

_PAGE = 50


def register(app: bottle.Bottle, services: Services) -> None:
    activity = services.activity

    @app.get("/activity", access="admin", nav=Nav(90, "Activity", admin=True))
    def index() -> str:
        asked = bottle.request.query
        kind, user = asked.getunicode("kind") or "", (asked.getunicode("user") or "").strip()
        kind = kind if kind in set(Kind) else ""
        before = asked.get("before", "")
        start = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
        page = activity.facts(kind=kind, user=user, before=start, limit=_PAGE)
        filters = {name: value for name, value in (("kind", kind), ("user", user)) if value}
        return render(
            "activity.html",
            entries=[activitywords.entry(fact) for fact in page.facts],
            kinds=activitywords.KINDS,
            chosen=kind,
            user=user,
            filtered=bool(filters),
            first_page=start is None,
            newest=f"/activity?{urlencode(filters)}" if filters else "/activity",
            older=f"/activity?{urlencode(filters | {'before': str(page.older)})}" if page.older else "",
            consumers=activity.consumers(),
            chores=activity.chores(),
            logs=services.logs.standing(),
            searchable=services.logs.is_searchable,
            kibana=kibana.audit() if (kibana := services.logs.kibana(identity().account)) else "",
        )
