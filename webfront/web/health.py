"""Whether the web front and what it needs are well."""

from __future__ import annotations

from collections.abc import Callable

import peewee

from webfront.database.models import SchemaVersion, database
from webfront.web.services import HealthReport


class HealthService:
    """Implements `webfront.web.services.HealthCheck`."""

    def __init__(self, broker_connected: Callable[[], bool]) -> None:
        self._broker_connected = broker_connected

    def __call__(self) -> HealthReport:
        """Ask the database, and look whether the broker's connection stands."""
        try:
            # A connection of its own: the route comes without one, since it must answer also where there is none.
            with database.obj.connection_context():
                well = SchemaVersion.select().exists()
        except peewee.PeeweeException:
            well = False
        broker = self._broker_connected()
        words = {True: "ok", False: "down"}
        return HealthReport(status=words[well and broker], database=words[well], broker=words[broker])
