"""Commands that set the platform up, and the database that every command opens."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import Any

from webfront.accounts.users import create_user, find_user
from webfront.database.connection import bind_database
from webfront.database.schema import migrate_database, oldest_code, open_database, pending_steps
from webfront.database.steps import CODE
from webfront.errors import InvalidInput
from webfront.settings import Settings
from wire import VERSION

Answer = dict[str, Any]
"""What a command prints as JSON; `changed` is in it, truthfully."""


def open_platform(settings: Settings) -> None:
    """Open the platform's database. Raises `Unavailable`."""
    open_database(settings.database_url, settings.database_password_file)


def init(settings: Settings, options: argparse.Namespace) -> Answer:
    """The schema, as `migrate` leaves it, and the first user if missing; an existing user keeps its password."""
    schema = migrate(settings, options)["changed"]
    if schema and options.check:
        # Whether the user is there cannot be asked of a database with another schema.
        return {"changed": True, "schema_created": True, "user_created": None}
    open_platform(settings)
    user = find_user(options.admin) is None
    if user and not options.check:
        create_user(options.admin, _read_password(options.password_file), is_admin=True)
    return {"changed": schema or user, "schema_created": schema, "user_created": user}


def migrate(settings: Settings, options: argparse.Namespace) -> Answer:
    """Apply the steps of this release that the database lacks."""
    apply = pending_steps if options.check else migrate_database
    applied = apply(settings.database_url, settings.database_password_file)
    return {"changed": bool(applied), "applied": applied, "schema": CODE}


def schema(settings: Settings, options: argparse.Namespace) -> Answer:
    """This release, its schema, and the oldest code that can run on the database as it is."""
    database = bind_database(settings.database_url, settings.database_password_file)
    with contextlib.closing(database):
        return {"changed": False, "version": VERSION, "schema": CODE, "oldest_code": oldest_code(database)}


def _read_password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The password file {path} cannot be read: {error}") from error
