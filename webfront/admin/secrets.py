"""Commands for the platform's own secrets: its SSH key, and the key of those that the database keeps."""

from __future__ import annotations

import argparse

from webfront.admin.setup import Answer, open_platform
from webfront.database.connection import transaction
from webfront.database.models import Webhook
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
        for webhook in Webhook.select(Webhook.id, Webhook.key):
            try:
                fresh = box.reseal(webhook.key)
            except Unreadable:
                unreadable += 1
                continue
            # Not where its owner has just made a new one.
            same = (Webhook.id == webhook.id) & (Webhook.key == webhook.key)
            resealed += Webhook.update(key=fresh).where(same).execute()
    return {"changed": bool(resealed), "resealed": resealed, "unreadable": unreadable}
