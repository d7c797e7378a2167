"""The tables of release 0.1.0. Its databases have them, and are passed over by every statement."""

from __future__ import annotations

from typing import Final

from peewee import (
    AutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    DoubleField,
    Field,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from webfront.database.change import Change

OLDEST_CODE: Final = 1


class _LongText(TextField):
    field_type = "LONGTEXT"


def apply(change: Change) -> None:
    _accounts(change)
    _nodes_and_plays(change)
    _apps_and_jobs(change)
    change.create_table("leadership", {"epoch": IntegerField(), "holder": CharField(100), "since": DoubleField()})
    if not change.rows("SELECT id FROM leadership"):
        change.execute("INSERT INTO leadership (epoch, holder, since) VALUES (0, '', 0)")


def _accounts(change: Change) -> None:
    user = change.create_table(
        "user",
        {
            "name": CharField(64, unique=True),
            "password_hash": CharField(255),
            "is_admin": BooleanField(),
            "created_at": DoubleField(),
        },
    )
    change.create_table(
        "session",
        {
            "token_hash": CharField(64, unique=True),
            "user": ForeignKeyField(user, on_delete="CASCADE"),
            "csrf_token": CharField(64),
            "created_at": DoubleField(),
            "expires_at": DoubleField(index=True),
        },
    )
    change.create_table(
        "api_token",
        {
            "token_hash": CharField(64, unique=True),
            "user": ForeignKeyField(user, on_delete="CASCADE"),
            "label": CharField(100),
            "created_at": DoubleField(),
            "expires_at": DoubleField(index=True),
        },
    )
    change.create_table(
        "sign_in_failure",
        {
            "user_name": CharField(64, index=True),
            "client": CharField(64, index=True),
            "at": DoubleField(index=True),
        },
    )


def _nodes_and_plays(change: Change) -> None:
    change.create_table(
        "node",
        {
            "name": CharField(32, unique=True),
            "state": CharField(16, index=True),
            "state_reason": CharField(500),
            "connection": CharField(8),
            "address": CharField(255),
            "ssh_port": IntegerField(),
            "ssh_user": CharField(64),
            "host_key": TextField(),
            "labels": TextField(),
            "slots": IntegerField(),
            "arch": CharField(32),
            "agent_version": CharField(32),
            "metrics": TextField(null=True),
            "score": TextField(null=True),
            "last_heartbeat_at": DoubleField(null=True),
            "consecutive_failures": IntegerField(),
            "registered_by": CharField(64),
            "created_at": DoubleField(),
        },
    )
    play = change.create_table(
        "play",
        {
            "id": AutoField(),
            "verb": CharField(16),
            "node": CharField(32, index=True),
            "state": CharField(16, index=True),
            "requested_by": CharField(64),
            "created_at": DoubleField(),
            "started_at": DoubleField(null=True),
            "finished_at": DoubleField(null=True),
            "failed_step": CharField(200),
            "message": TextField(),
            "advice": TextField(),
        },
    )
    change.create_table(
        "play_event",
        {
            "play": ForeignKeyField(play, on_delete="CASCADE"),
            "number": IntegerField(),
            "at": DoubleField(),
            "step": CharField(300),
            "state": CharField(16),
            "detail": TextField(),
        },
        indexes=[(("play", "number"), True)],
    )


def _apps_and_jobs(change: Change) -> None:
    user = change.table("user")
    app = change.create_table(
        "app",
        {"name": CharField(64, unique=True), "owner": ForeignKeyField(user), "created_at": DoubleField()},
    )
    version = change.create_table(
        "app_version",
        {
            "app": ForeignKeyField(app, on_delete="CASCADE"),
            "hash": CharField(64),
            "manifest": TextField(),
            "size": BigIntegerField(),
            "uploaded_at": DoubleField(),
        },
        indexes=[(("app", "hash"), True)],
    )
    job = change.create_table(
        "job",
        {
            "id": CharField(26, primary_key=True),
            "app_version": ForeignKeyField(version),
            "user": ForeignKeyField(user),
            "state": CharField(16),
            "priority": IntegerField(),
            "input": CharField(500, null=True),
            "parameters": TextField(),
            "attempts": IntegerField(),
            "cause": CharField(16, null=True),
            "message": TextField(),
            "cancel_requested": BooleanField(),
            "excluded_nodes": TextField(),
            "waiting_reason": CharField(500),
            "submitted_at": DoubleField(),
            "finished_at": DoubleField(null=True),
        },
        indexes=[(("state", "priority", "id"), False), (("user", "id"), False)],
    )
    attempt = change.create_table("attempt", _attempt(job), indexes=[(("job", "number"), True)])
    change.create_table(
        "log_chunk",
        {
            "attempt": ForeignKeyField(attempt, on_delete="CASCADE"),
            "first": IntegerField(),
            "count": IntegerField(),
            "at": DoubleField(),
            "text": _LongText(),
        },
        indexes=[(("attempt", "first"), True)],
    )


def _attempt(job: type) -> dict[str, Field]:
    return {
        "job": ForeignKeyField(job, on_delete="CASCADE"),
        "number": IntegerField(),
        "node": CharField(32, index=True),
        "state": CharField(16, index=True),
        "placement": TextField(),
        "published_at": DoubleField(null=True),
        "placed_at": DoubleField(),
        "claimed_at": DoubleField(null=True),
        "preparing": CharField(200),
        "started_at": DoubleField(null=True),
        "ended_at": DoubleField(null=True),
        "cause": CharField(16, null=True),
        "message": TextField(),
        "exit_code": IntegerField(null=True),
        "outputs": TextField(),
        "log_lines": IntegerField(null=True),
        "usage": TextField(null=True),
    }
