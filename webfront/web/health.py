"""Whether the web front and what it needs are well."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import peewee

from webfront.database.models import SchemaVersion, database
from wire import VERSION


class HealthReport(msgspec.Struct, frozen=True):
    """`ok` or `down`, each."""

    status: str
    database: str
    broker: str
    version: str = VERSION
    """The release that answers: who upgrades one front after the other sees where it has come to."""


class HealthService:
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
