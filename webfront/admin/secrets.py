"""Commands for the platform's own secrets: its SSH key, and the key of those that the database keeps."""

from __future__ import annotations

import argparse
from typing import Any

from webfront.admin.setup import Answer, open_platform
from webfront.database.connection import transaction
from webfront.database.models import Invitation, Webhook
from webfront.plays import keys
from webfront.secretbox import SecretBox, Unreadable
from webfront.settings import Settings


def platform_key(settings: Settings, options: argparse.Namespace) -> Answer:
    """Make the SSH key with which plays sign in to nodes, if it is not there."""
    missing = not keys.is_made(settings.state_dir)
    if missing and not options.check:
        keys.platform_key(settings.state_dir)
    return {"changed": missing}


def reseal(settings: Settings, options: argparse.Namespace) -> Answer:
    """Encrypt every secret in the database with the first key of the key file, so that the others may go."""
    open_platform(settings)
    box = SecretBox(settings.secrets_key_file)
    resealed = unreadable = 0
    with transaction():
        places: tuple[tuple[Any, Any], ...] = ((Webhook, Webhook.key), (Invitation, Invitation.sealed))
        for table, field in places:
            for row, sealed in list(table.select(table.id, field).where(field.is_null(False)).tuples()):
                try:
                    fresh = box.reseal(sealed)
                except Unreadable:
                    unreadable += 1
                    continue
                # Not where there is another one by now.
                same = (table.id == row) & (field == sealed)
                resealed += table.update({field: fresh}).where(same).execute()
    return {"changed": bool(resealed), "resealed": resealed, "unreadable": unreadable}
