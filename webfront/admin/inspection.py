"""`skerry-admin inspect`: what the platform has, and what is missing of it; after a restore, what was lost."""

from __future__ import annotations

import argparse
from typing import Any, Final

from webfront.admin.backup import lost_since_copy
from webfront.admin.setup import Answer, open_platform
from webfront.broker.admission import password_hashes
from webfront.broker.management import Management
from webfront.database import models
from webfront.database.models import ApiToken, App, AppVersion, Job, Node, SchemaStep, Session, User, Webhook
from webfront.database.schema import oldest_code
from webfront.errors import BrokerUnavailable, Conflict, Unavailable
from webfront.fleet.states import NodeState
from webfront.jobs.states import OPEN_JOBS, JobState
from webfront.secretbox import SecretBox, Unreadable
from webfront.settings import Settings
from wire import VERSION

_MOST_NAMES: Final = 20
"""As many are named; the rest is counted."""


def inspect(settings: Settings, options: argparse.Namespace) -> Answer:
    """What the platform has, and in sentences what is missing of it. Nothing is changed."""
    open_platform(settings)
    parts = (_apps, _inputs, _results, _lost_jobs, _webhooks, _nodes)
    missing = [line for part in parts for line in part(settings)]
    return {
        "changed": False,
        "version": VERSION,
        "schema": max(step.number for step in SchemaStep.select()),
        "oldest_code": oldest_code(models.database.obj),
        "has": {
            "users": User.select().count(),
            "sessions": Session.select().count() + ApiToken.select().count(),
            "apps": App.select().count(),
            "nodes": Node.select().where(Node.state != NodeState.REMOVED).count(),
            "jobs": Job.select().count(),
            "open jobs": Job.select().where(Job.state.in_(OPEN_JOBS)).count(),
        },
        "missing": missing,
    }


def _apps(settings: Settings) -> list[str]:
    lacking = [
        f"{version.app.name} {version.hash[:12]}"
        for version in AppVersion.select(AppVersion, App).join(App).where(AppVersion.deleted_at.is_null())
        if not (settings.share_dir / "apps" / version.hash).is_dir()
    ]
    return _sentence(lacking, "The files of {} are not on the share: its jobs will fail. Upload it again.", "apps")


def _inputs(settings: Settings) -> list[str]:
    query = Job.select(Job.id, Job.input).where(Job.state.in_(OPEN_JOBS), Job.input.is_null(False))
    lacking = [job.id for job in query if not (settings.share_dir / str(job.input)).is_file()]
    return _sentence(lacking, "The input of the job {} is not on the share: it will fail. Run it again.", "open jobs")


def _results(settings: Settings) -> list[str]:
    query = Job.select(Job.id, Job.attempts).where(Job.state == JobState.SUCCEEDED, Job.results_run.is_null())
    lacking = [
        job.id for job in query.iterator() if not (settings.share_dir / "results" / job.id / str(job.attempts)).is_dir()
    ]
    return _sentence(lacking, "The results of the job {} are not on the share.", "succeeded jobs")


def _lost_jobs(settings: Settings) -> list[str]:
    words = "The job {} was accepted after the copy was made that is in place, and is lost with it: submit it again."
    return _sentence(lost_since_copy(settings), words, "such jobs")


def _webhooks(settings: Settings) -> list[str]:
    box = SecretBox(settings.secrets_key_file)
    lacking = []
    for webhook in Webhook.select(Webhook, User).join(User):
        try:
            box.open(webhook.key)
        except (Unreadable, Unavailable):
            lacking.append(f"{webhook.id} of {webhook.user.name}")
    words = (
        "The key of webhook {} cannot be read with the key file that is here: its deliveries fail until its owner "
        "makes a new one (New key, on its page)."
    )
    return _sentence(lacking, words, "webhooks")


def _nodes(settings: Settings) -> list[str]:
    nodes = list(Node.select().where(Node.state != NodeState.REMOVED))
    names = {node.name: node.state for node in nodes}
    agentless = {node.name for node in nodes if node.agentless}
    try:
        known = set(password_hashes(Management.of(settings)))
    except (BrokerUnavailable, Conflict) as error:
        return [f"Which nodes the broker knows cannot be said: {error.message}"]
    settled = {name for name, state in names.items() if state not in (NodeState.REGISTERING, NodeState.UNREGISTERED)}
    found = _sentence(
        sorted(settled - agentless - known),
        "The broker does not know the node {}: register it again, from its page.",
        "nodes",
    )
    return found + _sentence(
        sorted(known - set(names)), "The broker knows a node {} that the platform does not: register it again.", "nodes"
    )


def _sentence(lacking: list[Any], words: str, many: str) -> list[str]:
    """The sentence for each, as far as there are few."""
    found = [words.format(one) for one in lacking[:_MOST_NAMES]]
    if len(lacking) > _MOST_NAMES:
        found.append(f"The same is true of {len(lacking) - _MOST_NAMES} more {many}.")
    return found
