"""Commands about a node that joins by itself: what its machine has told, and what that gets. Called by `admit.yml`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import msgspec

from webfront.admin.setup import Answer, open_platform
from webfront.database.connection import transaction
from webfront.errors import InvalidInput
from webfront.invitations import offers
from webfront.secretbox import SecretBox
from webfront.settings import Settings


def node_asking(settings: Settings, options: argparse.Namespace) -> Answer:
    """What the machine that was approved as this node says about itself, and its broker password if it has one."""
    open_platform(settings)
    found = offers.admitted(SecretBox(settings.secrets_key_file), options.name, time.time())
    folder = str(settings.share_dir / offers.FOLDER)
    return {"changed": False, "packages_dir": folder, **msgspec.to_builtins(found)}


def node_offer(settings: Settings, options: argparse.Namespace) -> Answer:
    """Keep what the machine gets until it takes it: Ansible's variables, as JSON from stdin."""
    try:
        variables = json.load(sys.stdin)
    except ValueError as error:
        raise InvalidInput("The variables on standard input are not JSON.") from error
    archives = {use: Path(path) for use in ("ansible", "agent") if (path := getattr(options, use))}
    open_platform(settings)
    box = SecretBox(settings.secrets_key_file)
    if options.check:
        offers.admitted(box, options.name, time.time())
        return {"changed": True}
    with transaction():
        return {"changed": offers.seal_offer(box, options.name, variables, archives, time.time())}
