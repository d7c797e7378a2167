"""Removing what an agent no longer needs. What cannot be removed is set aside, told once, and tried again later.

    FOLDER/.set-aside/NAME-RANDOM

The folder is there only while something lies in it. It stands beside what it takes in, so that moving is one rename.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from pathlib import Path

from node_scripts.running import trees

_log = logging.getLogger(__name__)


class Remover:
    """Removes folders that stand in one folder."""

    def __init__(self, folder: Path) -> None:
        self._aside = folder / ".set-aside"

    def remove(self, folder: Path) -> None:
        """Have the folder gone from its place; nothing if it is gone.

        Raises OSError when it can be neither removed nor set aside (an unwritable file system).
        """
        try:
            trees.remove(folder)
        except OSError as error:
            aside = self.set_aside(folder)
            _log.warning("%s cannot be removed (%s); set aside as %s, to be tried again later", folder, error, aside)

    def set_aside(self, folder: Path) -> Path:
        """Move the folder away without removing it yet: one rename. Raises OSError."""
        self._aside.mkdir(mode=0o700, exist_ok=True)
        return folder.rename(self._aside / f"{folder.name}-{secrets.token_hex(4)}")

    def try_again(self) -> None:
        """Remove what was set aside, as far as that is possible now."""
        if not self._aside.is_dir():
            return
        left = 0
        for folder in list(self._aside.iterdir()):
            try:
                trees.remove(folder)
            except OSError:
                left += 1
        if left:
            _log.info("%d folders that were set aside in %s still cannot be removed", left, self._aside)
        with suppress(OSError):  # not empty, or something was set aside this moment
            self._aside.rmdir()
