"""The folder where a machine that joins keeps what it needs until it has joined: root's alone, and removed at the end.

`token`   whose invitation it is, as a hash; the folder of another one is begun anew
`key`     by which the front knows this machine
`code`    which the terminal and the administrator's page show
`offer.json`  what it joins with, once it was fetched whole: from then on it needs the front no more
`packages/`, `tree/`, `venv/`, `ansible/`  what the play is played with
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from node_scripts.joining.front import JoinError

FOLDER: Final = Path("/var/lib/skerry-join")
_LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""None that is taken for another."""


class Place:
    def __init__(self, folder: Path, lock: int) -> None:
        """`lock` is held as long as it is open somewhere: by a play that outlives this program, too."""
        self.folder = folder
        self.lock = lock

    @property
    def key(self) -> str:
        return (self.folder / "key").read_text()

    @property
    def code(self) -> str:
        return (self.folder / "code").read_text()

    @property
    def packages(self) -> Path:
        return self.folder / "packages"

    def offer(self) -> dict[str, Any] | None:
        """What was fetched, or None."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "offer.json").read_text())
        except FileNotFoundError:
            return None
        return found

    def keep_offer(self, offer: dict[str, Any]) -> None:
        """Have it on the disk, whole; what it goes with is there already."""
        write(self.folder / "offer.json", json.dumps(offer))

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self, token: str) -> None:
        """Make what a machine with this token needs, unless a run that was cut off has."""
        ours = hashlib.sha256(token.encode()).hexdigest()
        with contextlib.suppress(OSError):
            if (self.folder / "token").read_text() == ours and self.key and self.code:
                return
        for there in self.folder.iterdir():
            if there.name != "lock":
                shutil.rmtree(there) if there.is_dir() else there.unlink()
        self.packages.mkdir()
        halves = ("".join(secrets.choice(_LETTERS) for _ in range(3)) for _ in range(2))
        write(self.folder / "code", "-".join(halves))
        write(self.folder / "key", secrets.token_urlsafe(32))
        write(self.folder / "token", ours)


@contextlib.contextmanager
def place(folder: Path = FOLDER) -> Iterator[Place]:
    """The folder, held by this run alone. JoinError where another one has it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JoinError(
                "Another run of this program, or its play, is still running here. Wait for its end."
            ) from None
        yield Place(folder, lock.fileno())


def write(file: Path, text: str) -> None:
    """A whole file of root's alone, on the disk, or the one of before."""
    beside = file.with_name(f".{file.name}.half")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
