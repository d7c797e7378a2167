"""The tables. They hold fields and queries; what may change when is decided in `webfront.jobs.lifecycle`.

Times are seconds since the epoch, as floats. The same tables serve SQLite and MySQL.
"""

from __future__ import annotations

from typing import Any

import msgspec
import peewee

database = peewee.DatabaseProxy()
"""Set once at start by `webfront.database.connection.open_database`."""


class JsonField(peewee.TextField):
    """A value kept as JSON text, on SQLite and MySQL alike."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def python_value(self, value: str | None) -> Any:
        return None if value is None else msgspec.json.decode(value)


class LongTextField(peewee.TextField):
    """Text that may pass MySQL's 64 KiB of `TEXT`."""

    field_type = "LONGTEXT"


class Model(peewee.Model):
    id: Any
    # peewee adds it, and `<name>_id` beside each foreign key; they are named for the type checker alone.

    class Meta:
        database = database
        legacy_table_names = False


class User(Model):
    name = peewee.CharField(64, unique=True)
    password_hash = peewee.CharField(255)
    is_admin = peewee.BooleanField(default=False)
    created_at = peewee.DoubleField()


class Session(Model):
    """A signed-in browser. The cookie's token is kept only as its SHA-256."""

    token_hash = peewee.CharField(64, unique=True)
    user = peewee.ForeignKeyField(User, backref="sessions", on_delete="CASCADE")
    csrf_token = peewee.CharField(64)
    created_at = peewee.DoubleField()
    expires_at = peewee.DoubleField(index=True)


class ApiToken(Model):
    """A bearer token of the API and the CLI, kept only as its SHA-256."""

    token_hash = peewee.CharField(64, unique=True)
    user = peewee.ForeignKeyField(User, backref="api_tokens", on_delete="CASCADE")
    label = peewee.CharField(100, default="")
    created_at = peewee.DoubleField()
    expires_at = peewee.DoubleField(index=True)


class SignInFailure(Model):
    """One failed sign-in, for throttling by user name and by client address."""

    user_name = peewee.CharField(64, index=True)
    client = peewee.CharField(64, index=True)
    at = peewee.DoubleField(index=True)


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

    @property
    def owned_by(self) -> str:
        return str(self.registered_by)


class App(Model):
    name = peewee.CharField(64, unique=True)
    owner = peewee.ForeignKeyField(User, backref="apps")
    owner_id: int
    created_at = peewee.DoubleField()

    @property
    def owned_by(self) -> int:
        return self.owner_id


class AppVersion(Model):
    """An immutable version of an app, named by the SHA-256 of its content. Files: `apps/<hash>/` on the share."""

    app = peewee.ForeignKeyField(App, backref="versions", on_delete="CASCADE")
    app_id: int
    hash = peewee.CharField(64)
    manifest = JsonField()
    size = peewee.BigIntegerField()
    uploaded_at = peewee.DoubleField()

    class Meta:
        indexes = ((("app", "hash"), True),)


class Job(Model):
    id = peewee.CharField(26, primary_key=True)
    """A ULID: sortable by time."""
    app_version = peewee.ForeignKeyField(AppVersion, backref="jobs")
    app_version_id: int
    user = peewee.ForeignKeyField(User, backref="jobs")
    user_id: int
    state = peewee.CharField(16)
    priority = peewee.IntegerField(default=0)
    input = peewee.CharField(500, null=True)
    """Path relative to the share, `inputs/<job>/<file name>`."""
    parameters = JsonField(default=dict)
    attempts = peewee.IntegerField(default=0)
    """How many attempts were made: the newest one's number, which is the fencing token."""
    cause = peewee.CharField(16, null=True)
    """The last attempt's cause, once the job has ended."""
    message = peewee.TextField(default="")
    cancel_requested = peewee.BooleanField(default=False)
    excluded_nodes = JsonField(default=list)
    """Names of nodes that lost or rejected an attempt of this job."""
    waiting_reason = peewee.CharField(500, default="")
    """Why a queued job is not placed yet, in words ("no node has the label gpu")."""
    submitted_at = peewee.DoubleField()
    finished_at = peewee.DoubleField(null=True)

    class Meta:
        indexes = ((("state", "priority", "id"), False), (("user", "id"), False))

    @property
    def owned_by(self) -> int:
        return self.user_id


class Attempt(Model):
    """One try of a job on one node."""

    job = peewee.ForeignKeyField(Job, backref="attempt_rows", on_delete="CASCADE")
    number = peewee.IntegerField()
    node = peewee.CharField(32, index=True)
    """The node's name; it stays readable after the node is removed."""
    state = peewee.CharField(16, index=True)
    """`placed`, `claimed`, `running` or `ended`."""
    placement = JsonField()
    """The decision: `webfront.scheduling.placement.Placement` as a dict."""
    published_at = peewee.DoubleField(null=True)
    """When the broker confirmed the order; None is the outbox: a sweep publishes it (again)."""
    placed_at = peewee.DoubleField()
    claimed_at = peewee.DoubleField(null=True)
    preparing = peewee.CharField(200, default="")
    started_at = peewee.DoubleField(null=True)
    ended_at = peewee.DoubleField(null=True)
    cause = peewee.CharField(16, null=True)
    message = peewee.TextField(default="")
    exit_code = peewee.IntegerField(null=True)
    outputs = JsonField(default=list)
    log_lines = peewee.IntegerField(null=True)
    """How many lines the log has, known once the attempt has ended."""
    usage = JsonField(null=True)

    class Meta:
        indexes = ((("job", "number"), True),)


class LogChunk(Model):
    """Consecutive lines of an attempt's log, as one event carried them. A second copy of a line changes nothing."""

    attempt = peewee.ForeignKeyField(Attempt, backref="log_chunks", on_delete="CASCADE")
    first = peewee.IntegerField()
    """The number of the first line, from 1."""
    count = peewee.IntegerField()
    at = peewee.DoubleField()
    text = LongTextField()
    """The lines, joined by newlines."""

    class Meta:
        indexes = ((("attempt", "first"), True),)


class Play(Model):
    """One ansible-runner run. Its secrets never come here."""

    id = peewee.AutoField()
    verb = peewee.CharField(16)
    """`register`, `drain`, `remove`."""
    node = peewee.CharField(32, index=True)
    state = peewee.CharField(16, index=True)
    """`queued`, `running`, `succeeded`, `failed`."""
    requested_by = peewee.CharField(64)
    created_at = peewee.DoubleField()
    started_at = peewee.DoubleField(null=True)
    finished_at = peewee.DoubleField(null=True)
    failed_step = peewee.CharField(200, default="")
    message = peewee.TextField(default="")
    """What the failure means, in words."""
    advice = peewee.TextField(default="")
    """What to do about it."""


class PlayEvent(Model):
    """One step of a play as it ran, in words."""

    play = peewee.ForeignKeyField(Play, backref="events", on_delete="CASCADE")
    number = peewee.IntegerField()
    at = peewee.DoubleField()
    step = peewee.CharField(300)
    state = peewee.CharField(16)
    """`running`, `ok`, `changed`, `skipped`, `failed`."""
    detail = peewee.TextField(default="")

    class Meta:
        indexes = ((("play", "number"), True),)


class Leadership(Model):
    """One row: which scheduler works. Each takeover raises `epoch`; a transaction of an older epoch is refused."""

    epoch = peewee.IntegerField(default=0)
    holder = peewee.CharField(100, default="")
    since = peewee.DoubleField(default=0.0)


class SchemaVersion(Model):
    number = peewee.IntegerField()


TABLES: tuple[type[Model], ...] = (
    User,
    Session,
    ApiToken,
    SignInFailure,
    Node,
    App,
    AppVersion,
    Job,
    Attempt,
    LogChunk,
    Play,
    PlayEvent,
    Leadership,
    SchemaVersion,
)
