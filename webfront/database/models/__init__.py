"""The tables, a module for each noun. They hold fields; what may change when is decided by the nouns themselves.

Times are seconds since the epoch, as floats. The same tables serve SQLite and MySQL. To change a table here is half of
it: the other half is a step in `webfront.database.steps`, which changes the databases that exist.
"""

from __future__ import annotations

from typing import Final

from webfront.database.models.accounts import ApiToken, Session, SignInFailure, User
from webfront.database.models.activity import Chore, Consumer, Fact
from webfront.database.models.apps import App, AppVersion
from webfront.database.models.base import LARGEST_NUMBER, JsonField, Model, database
from webfront.database.models.fleet import Invitation, Node
from webfront.database.models.jobs import Attempt, Job, LogChunk, LogPiece, Ranking, SubmissionKey
from webfront.database.models.logs import LogLoss, RefusedRecord
from webfront.database.models.plays import Controller, Play, PlayEvent
from webfront.database.models.probe import Probe
from webfront.database.models.retention import Removal, RetentionCursor, RetentionRun, Setting
from webfront.database.models.schedules import Schedule, ScheduleTick
from webfront.database.models.scheduling import Leadership, Look
from webfront.database.models.schema import SchemaStep, SchemaVersion
from webfront.database.models.webhooks import Delivery, Webhook

__all__ = [
    "LARGEST_NUMBER",
    "TABLES",
    "ApiToken",
    "App",
    "AppVersion",
    "Attempt",
    "Chore",
    "Consumer",
    "Controller",
    "Delivery",
    "Fact",
    "Invitation",
    "Job",
    "JsonField",
    "Leadership",
    "LogChunk",
    "LogLoss",
    "LogPiece",
    "Look",
    "Model",
    "Node",
    "Play",
    "PlayEvent",
    "Probe",
    "Ranking",
    "RefusedRecord",
    "Removal",
    "RetentionCursor",
    "RetentionRun",
    "Schedule",
    "ScheduleTick",
    "SchemaStep",
    "SchemaVersion",
    "Session",
    "Setting",
    "SignInFailure",
    "SubmissionKey",
    "User",
    "Webhook",
    "database",
]

TABLES: Final[tuple[type[Model], ...]] = tuple(Model.__subclasses__())
"""Every table that is imported above, each after those it refers to."""
