"""Private directories of plays, and the end of whatever a play started.

They lie on a tmpfs where there is one, so that a secret never meets a disk: systemd's runtime directory, `/dev/shm`,
else the state directory. Each process of a play carries the directory's path in its environment: by that mark, and only
by it, leftover processes are found.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

MARK: Final = "SKERRY_PLAY_DIR"
"""The environment variable with the play's private directory."""

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - what lies below is checked to be ours alone
_PREFIX: Final = "play-"
_PASSES: Final = 10
_SSH: Final = (b"ssh", b"ssh-agent", b"ssh-add")


def plays_base(state_dir: Path, environ: Mapping[str, str] | None = None) -> Path:
    """The folder that holds the private directories of this platform's plays; made if missing, ours alone (0700)."""
    environ = os.environ if environ is None else environ
    own = hashlib.sha256(str(state_dir).encode()).hexdigest()[:8]
    candidates = [_MEMORY / f"skerry-{os.geteuid()}-{own}", state_dir / "plays"]
    if runtime := environ.get("RUNTIME_DIRECTORY"):
        candidates.insert(0, Path(runtime.split(":")[0]) / "plays")
    problem: OSError | None = None
    for base in candidates:
        try:
            base.mkdir(mode=0o700, exist_ok=True)
            found = base.lstat()
        except OSError as error:
            problem = error
            continue
        # /dev/shm is open to all: a folder or link of that name that somebody else made is not used.
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            base.chmod(0o700)
            return base
        _log.warning("%s is not this user's own folder and is not used for plays", base)
    raise problem or PermissionError(f"no private folder for plays can be made in {state_dir}")


@contextlib.contextmanager
def private_directory(base: Path, play_id: int) -> Iterator[Path]:
    """A fresh directory (0700) for one play. Afterwards it is gone, and so is every process that carries its mark."""
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{play_id}-", dir=base))
    try:
        yield folder
    finally:
        # If this process dies before this line, the play's tether does the same, or else the next start, in `clear`.
        finish(folder)


def clear(base: Path) -> None:
    """End and remove what plays left behind whose process died. Only while no play of `base` runs."""
    for folder in base.glob(f"{_PREFIX}*"):
        finish(folder)


def finish(folder: Path) -> None:
    """Kill Ansible's and ssh's processes that carry this directory's mark, and remove it.

    Other processes stay: a package that a play installed on this machine may have started its service from there.
    """
    # Again until none is found: one may have forked while its like was being killed.
    for _ in range(_PASSES):
        if not _kill_marked(folder):
            break
    shutil.rmtree(folder, ignore_errors=True)


def _kill_marked(folder: Path) -> int:
    mark = f"{MARK}={folder}".encode()
    killed = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        # A process may end at any moment, and another user's cannot be looked at: both are no concern here.
        with contextlib.suppress(OSError):
            pid_file = os.pidfd_open(int(entry.name))
            try:
                # Read after the descriptor is open, so that the number cannot have passed on to another process.
                cmdline = (entry / "cmdline").read_bytes()
                marked = mark in (entry / "environ").read_bytes().split(b"\0") and _is_of_ansible(cmdline)
                if marked or _is_kept_connection(cmdline, folder):
                    signal.pidfd_send_signal(pid_file, signal.SIGKILL)
                    killed += 1
            finally:
                os.close(pid_file)
    return killed


def _is_of_ansible(cmdline: bytes) -> bool:
    return b"ansible" in cmdline.lower() or cmdline.split(b"\0", 1)[0].rpartition(b"/")[2] in _SSH


def _is_kept_connection(cmdline: bytes, folder: Path) -> bool:
    # It calls itself `ssh: FOLDER/cp/... [mux]`, and writes that over the start of its environment.
    return cmdline.startswith(b"ssh: " + os.fsencode(folder) + b"/")
