"""Machines that join by themselves: their invitations, and what tells their nodes from others."""

from __future__ import annotations

from typing import Final

from peewee import SQL, BooleanField, CharField, DoubleField, IntegerField, TextField

from webfront.database.change import Change

OLDEST_CODE: Final = 1


def apply(change: Change) -> None:
    change.add_column("node", "joined", BooleanField(constraints=[SQL("DEFAULT 0")]))
    change.create_table(
        "invitation",
        {
            "token_hash": CharField(64, unique=True),
            "node": CharField(32, index=True),
            "slots": IntegerField(),
            "labels": TextField(),
            "state": CharField(16),
            "invited_by": CharField(64),
            "created_at": DoubleField(),
            "expires_at": DoubleField(),
            "key_hash": CharField(64),
            "machine": TextField(null=True),
            "claimed_at": DoubleField(null=True),
            "decided_by": CharField(64),
            "decided_at": DoubleField(null=True),
            "sealed": TextField(null=True),
        },
    )
