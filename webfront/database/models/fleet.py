"""The registered machines."""

from __future__ import annotations

import peewee

from webfront.database.models.base import JsonField, Model


class Node(Model):
    """A registered machine. No secret of it is kept here."""

    name = peewee.CharField(32, unique=True)
    """The node id: also its routing key and the end of its broker user's name."""
    state = peewee.CharField(16, index=True)
    state_reason = peewee.CharField(500, default="")
    """Why it is in this state, in words for the node's page."""
    connection = peewee.CharField(8)
    """`local` or `ssh`."""
    address = peewee.CharField(255)
    ssh_port = peewee.IntegerField(default=22)
    ssh_user = peewee.CharField(64, default="")
    host_key = peewee.TextField(default="")
    """The pinned host key: known_hosts lines' key type and key, one a line."""
    labels = JsonField(default=list)
    slots = peewee.IntegerField(default=1)
    arch = peewee.CharField(32, default="")
    agent_version = peewee.CharField(32, default="")
    metrics = JsonField(null=True)
    """The newest heartbeat's `wire.messages.Metrics`, as a dict."""
    score = JsonField(null=True)
    """The newest score with its parts, as the scheduler computed it."""
    last_heartbeat_at = peewee.DoubleField(null=True)
    consecutive_failures = peewee.IntegerField(default=0)
    registered_by = peewee.CharField(64, default="")
    created_at = peewee.DoubleField()
    machine = JsonField(null=True)
    """None for a node with an agent. Of one without: what plays know of it, as `fleet.agentless.Machine`; `{}` until
    its registration has come that far."""

    @property
    def agentless(self) -> bool:
        """Whether plays do for it what an agent does elsewhere."""
        return self.machine is not None

    @property
    def owned_by(self) -> str:
        return str(self.registered_by)
