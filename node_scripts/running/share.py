"""The share as a node reaches it: as the platform's own user, never as root.

Whoever exports the share squashes root, so that a stolen node is not root on it; and what root makes there would be
nobody's. The platform's user is the one who owns the share. A node knows the number alone: it needs no account of that
name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from node_scripts.running import kernel


class Share:
    """A mounted share. Makes no claim that it is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.apps = folder / "apps"
        self.results = folder / "results"

    @contextlib.contextmanager
    def as_owner(self) -> Iterator[None]:
        """Within the block this thread reaches files as the share's owner. No other thread is touched; await nothing.

        Nothing changes where the agent is not root, or the share is root's own. A file that was opened within the block
        may be read and written outside it.
        """
        owner = self._owner() if os.geteuid() == 0 else None
        if owner is None or owner.st_uid == 0:
            yield
            return
        with kernel.files_as(owner.st_uid, owner.st_gid):
            yield

    def _owner(self) -> os.stat_result:
        # Of the mount's own root first: to look at that, nobody has to be let in.
        found = self.folder.stat()
        if found.st_uid == 0:
            with contextlib.suppress(FileNotFoundError):
                found = self.results.stat()
        return found
