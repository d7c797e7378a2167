"""Whether the platform is well, for load balancers and for `./quickstart`; no sign-in, and nothing secret in it."""

from __future__ import annotations

import bottle
import msgspec

from webfront.api.bodies import reply
from webfront.api.operations import Operation
from webfront.web.health import HealthReport
from webfront.web.services import Services


def register(app: bottle.Bottle, services: Services) -> None:
    @app.get(
        "/api/v1/health",
        access="public",
        database=False,
        operation=Operation("Whether all is well; 503 when a part is down", {200: HealthReport, 503: HealthReport}),
    )
    def health() -> bytes:
        found = services.health()
        return reply(code=200 if found.status == "ok" else 503, **msgspec.structs.asdict(found))
