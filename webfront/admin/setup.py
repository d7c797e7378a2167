"""Commands that set the platform up, and the database that every command opens."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from webfront.accounts.users import create_user, find_user
from webfront.database.connection import open_database
from webfront.errors import InvalidInput, Unavailable
from webfront.settings import Settings

Answer = dict[str, Any]
"""What a command prints as JSON; `changed` is in it, truthfully."""


def open_platform(settings: Settings) -> None:
    """Open the platform's database. Raises `Unavailable`."""
    open_database(settings.database_url, settings.database_password_file)


def init(settings: Settings, options: argparse.Namespace) -> Answer:
    """The schema and the first user, each only if missing; an existing user keeps its password."""
    try:
        open_database(settings.database_url, settings.database_password_file)
        schema = False
    except Unavailable:
        # Either new, or it cannot be used: then this says why.
        open_database(settings.database_url, settings.database_password_file, create=True)
        schema = True
    user = find_user(options.admin) is None
    if user:
        create_user(options.admin, _read_password(options.password_file), is_admin=True)
    return {"changed": schema or user, "schema_created": schema, "user_created": user}


def _read_password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The password file {path} cannot be read: {error}") from error
