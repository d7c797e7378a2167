"""Jobs, the keys they were submitted with, their attempts, and what these say."""

from __future__ import annotations

import peewee

from webfront.database.models.accounts import User
from webfront.database.models.apps import AppVersion
from webfront.database.models.base import JsonField, LongTextField, Model, PartialIndex


class Job(Model):
    id = peewee.CharField(26, primary_key=True)
    """A ULID: sortable by time."""
    app_version = peewee.ForeignKeyField(AppVersion, backref="jobs", index=False)
    app_version_id: int
    user = peewee.ForeignKeyField(User, backref="jobs", index=False)
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
    schedule = peewee.CharField(26, null=True)
    """The id of the schedule that made it, which may be gone."""
    results_run = peewee.BigIntegerField(null=True)
    """The `RetentionRun` that removed its results,"""
    input_run = peewee.BigIntegerField(null=True)
    """its input,"""
    log_run = peewee.BigIntegerField(null=True)
    """and its attempts' logs."""

    class Meta:
        indexes = (
            (("finished_at",), False),
            (("state", "priority", "id"), False),
            (("user", "id"), False),
            (("state", "id"), False),
            (("user", "state", "id"), False),
            (("user", "app_version", "id"), False),
            (("app_version", "id"), False),
        )

    @property
    def owned_by(self) -> int:
        return self.user_id


Job.add_index(PartialIndex(Job, (Job.schedule, Job.id), name="job_schedule_id", where=Job.schedule.is_null(False)))


class SubmissionKey(Model):
    """An idempotency key that a job was submitted with. Jobs that came without one have no row here."""

    user = peewee.ForeignKeyField(User, on_delete="CASCADE", index=False)
    user_id: int
    key = peewee.CharField(255)
    request = peewee.CharField(64)
    """A digest of what was asked for."""
    job = peewee.CharField(26)
    """The id of the job that it became, which may be gone."""
    at = peewee.DoubleField()

    class Meta:
        indexes = ((("user", "key"), True),)


class Attempt(Model):
    """One try of a job on one node."""

    job = peewee.ForeignKeyField(Job, backref="attempt_rows", on_delete="CASCADE", index=False)
    number = peewee.IntegerField()
    node = peewee.CharField(32, index=True)
    """The node's name; it stays readable after the node is removed."""
    state = peewee.CharField(16)
    """`placed`, `claimed`, `running` or `ended`."""
    placement = JsonField()
    """The decision: `webfront.scheduling.placement.Placement` as a dict. Its ranking is empty, and stands in `Ranking`;
    attempts from before that was a table have theirs here."""
    published_at = peewee.DoubleField(null=True)
    """When the broker last confirmed the order; None is the outbox: a sweep publishes it (again)."""
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
    orders = peewee.IntegerField(default=0, constraints=[peewee.SQL("DEFAULT 0")])
    """How often the broker has confirmed its order."""
    stage = JsonField(null=True)
    """What its node has told last of what it is at: `webfront.jobs.views.Stage` as a dict."""
    log_bytes = peewee.BigIntegerField(default=0, constraints=[peewee.SQL("DEFAULT 0")])
    """How much of its log's file is taken: each byte before that is some piece's, or was to become one's."""
    refusal = peewee.CharField(32, default="", constraints=[peewee.SQL("DEFAULT ''")])
    """Of a rejected one, what its node refused for itself (`wire.refusals`); empty where it is no fault of its own."""
    node_fell = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT 0")])
    """Its node went down while its app ran."""

    class Meta:
        indexes = ((("job", "number"), True), (("state", "node"), False))


class Ranking(Model):
    """How the nodes ranked for an attempt. It goes before the attempt does, and being most of its bytes has rows of its
    own: what goes of a row that stays leaves room in its page that SQLite does not use again."""

    job = peewee.ForeignKeyField(Job, on_delete="CASCADE", index=False)
    job_id: str
    number = peewee.IntegerField()
    """The attempt's: its row is written together with the attempt's, whose key is not known then."""
    nodes = JsonField()
    """A list for each, the best first: see `webfront.jobs.rankings`."""

    class Meta:
        indexes = ((("job", "number"), True),)


class LogChunk(Model):
    """Consecutive lines of an attempt's log, as one event carried them. A second copy of a line changes nothing.

    Their text goes on to the share, and they become a `LogPiece`. That of a short log stays here.
    """

    attempt = peewee.ForeignKeyField(Attempt, backref="log_chunks", on_delete="CASCADE", index=False)
    first = peewee.IntegerField()
    """The number of the first line, from 1."""
    count = peewee.IntegerField()
    at = peewee.DoubleField()
    text = LongTextField()
    """The lines, joined by newlines."""
    glimpse = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT 0")])
    """What is told later takes their place, unless the attempt is lost before."""

    class Meta:
        indexes = ((("attempt", "first"), True),)


class LogPiece(Model):
    """Consecutive lines of an attempt's log whose text is in its file on the share. See `webfront.jobs.logfiles`."""

    attempt = peewee.ForeignKeyField(Attempt, backref="log_pieces", on_delete="CASCADE", index=False)
    first = peewee.IntegerField()
    """The number of the first line, from 1."""
    count = peewee.IntegerField()
    """How many lines count: fewer than there are in the text where later ones were told anew, more where the node has
    not kept those after them."""
    at = peewee.DoubleField()
    position = peewee.BigIntegerField()
    """Where in the file the text begins."""
    size = peewee.IntegerField()
    """Its bytes, the newline after each line among them."""
    lines = peewee.IntegerField()
    """How many lines the text has."""

    class Meta:
        indexes = ((("attempt", "first"), True),)
