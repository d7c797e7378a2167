"""The apps service: uploads and queries with the settings they need."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

from webfront.accounts.views import Account
from webfront.apps.deleting import delete_app, delete_version
from webfront.apps.queries import get_app, list_apps
from webfront.apps.upload import take_upload
from webfront.apps.views import Uploaded
from webfront.clock import Clock, system_clock

_UNPACKED_FACTOR: Final = 4
"""How many times the upload's limit its files may take unpacked: models shrink by half, bombs by a thousand."""


class AppService:
    def __init__(self, share_dir: Path, max_upload_mb: int, clock: Clock = system_clock) -> None:
        self._folder = share_dir / "apps"
        self._most_bytes = max_upload_mb * 2**20 * _UNPACKED_FACTOR
        self._clock = clock

    list = staticmethod(list_apps)
    get = staticmethod(get_app)

    def upload(self, account: Account, stream: BinaryIO, *, file_name: str, name: str | None = None) -> Uploaded:
        """Take a zip or a single .py. InvalidInput with line and reason, TooLarge, Forbidden (another's app)."""
        return take_upload(
            self._folder,
            account,
            stream,
            file_name=file_name,
            name=name,
            most_bytes=self._most_bytes,
            clock=self._clock,
        )

    def delete(self, account: Account, name: str) -> None:
        """Delete an app with all its versions. NotFound, Forbidden; Conflict while jobs or schedules use it."""
        delete_app(account, name, self._clock())

    def delete_version(self, account: Account, name: str, version: str) -> None:
        """Delete a version that is not the only one. NotFound, Forbidden; Conflict while jobs or schedules use it."""
        delete_version(account, name, version, self._clock())
