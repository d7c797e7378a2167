"""Secrets at rest: encrypted in the database with a key that lies in a file outside it.

The file (`SKERRY_SECRETS_KEY_FILE`, mode 0600) holds Fernet keys, one a line; lines that begin with `#` are comments.
The first key encrypts, all of them decrypt: to rotate, put a new key before the old one, run `skerry-admin reseal`, and
take the old one away. A copy of the database without this file gives no secret away, and a backup of one is worth
nothing without the other: keep them apart, and keep both.

The file is read with each use, so that a rotation needs no restart, and a missing file troubles nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from webfront.errors import Unavailable

_OTHERS: Final = 0o077


class Unreadable(Exception):
    """A secret that none of the keys opens: it was sealed with another key file."""


class SecretBox:
    def __init__(self, key_file: Path) -> None:
        self._file = key_file

    def seal(self, secret: str) -> str:
        """The secret, encrypted. Raises `Unavailable` when the key file cannot be used."""
        return self._keys().encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """The secret that was sealed. Raises `Unavailable` as `seal` does, and `Unreadable`."""
        try:
            return self._keys().decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise Unreadable(f"no key in {self._file} opens it") from error

    def reseal(self, sealed: str) -> str:
        """The same secret, encrypted with the first key. Raises `Unavailable` and `Unreadable`."""
        try:
            return self._keys().rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise Unreadable(f"no key in {self._file} opens it") from error

    def _keys(self) -> MultiFernet:
        try:
            mode = self._file.stat().st_mode
            lines = [line.strip() for line in self._file.read_text(encoding="ascii").splitlines()]
            keys = [Fernet(line) for line in lines if line and not line.startswith("#")]
        except OSError as error:
            raise Unavailable(
                f"The key file for secrets, {self._file}, cannot be read: {error.strerror}. An administrator runs "
                "site.yml or ./quickstart again, which make it, or puts it back from its backup."
            ) from error
        except ValueError as error:
            raise Unavailable(
                f"The key file for secrets, {self._file}, holds a line that is no Fernet key. An administrator puts it "
                "back from its backup."
            ) from error
        if mode & _OTHERS:
            raise Unavailable(
                f"Others than its owner may read the key file for secrets, {self._file}. An administrator runs "
                f"chmod 600 {self._file}, and makes a new key if somebody may have seen it."
            )
        if not keys:
            raise Unavailable(
                f"The key file for secrets, {self._file}, holds no key. An administrator puts it back from its backup."
            )
        return MultiFernet(keys)
