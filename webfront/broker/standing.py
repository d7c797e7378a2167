"""What the scheduler asks of the broker beside its connections: whether it was restarted, and to close another's.

A scheduler that is stopped or cut off has lost its seat within seconds, while the broker would hold the other
connection of it for a minute, with all that comes meanwhile: whoever takes over has that closed.

Nothing here fails: where the management API does not answer, nothing is known, and AMQP's own heartbeat closes it.
"""

from __future__ import annotations

import logging

from webfront.broker.management import Management
from webfront.errors import SkerryError
from webfront.settings import Settings
from wire.settings import SettingsError

_log = logging.getLogger(__name__)


class Standing:
    """Asks the management API, anew each time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def up_for(self) -> float | None:
        """For how many seconds the broker is up: of a cluster, that of its hosts which came up last. None: unknown."""
        try:
            hosts = Management.of(self._settings).get("nodes", columns="uptime,running") or []
        except (SkerryError, SettingsError) as error:
            _log.warning("how long the broker is up cannot be told: %s", error)
            return None
        return min((host.get("uptime", 0) / 1000 for host in hosts if host.get("running")), default=None)

    def evict(self, name: str, *, but_the_newest: bool = False) -> int:
        """Close the connections of this name; how many there were. The list is seconds old: some may not be in it."""
        closed = 0
        try:
            api = Management.of(self._settings)
            user = self._settings.broker_address().user
            found = [
                one
                for one in api.get("connections", columns="name,user,client_properties,connected_at") or []
                if one.get("user") == user and (one.get("client_properties") or {}).get("connection_name") == name
            ]
            found.sort(key=lambda one: one.get("connected_at") or 0)
            for one in found[:-1] if but_the_newest else found:
                closed += api.delete("connections", one["name"])
        except (SkerryError, SettingsError) as error:
            _log.warning("the connection %s cannot be closed: %s", name, error)
        return closed
