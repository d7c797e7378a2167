"""What must hold before anything is started: room on the disk, free ports, a place that apps' users can be kept in."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import socket
from pathlib import Path
from typing import Final

from embedded import processes
from embedded.home import Home
from embedded.problems import Problem

_LEAST_FREE_MB: Final = 300
_CLONE_NEWNS: Final = 0x00020000


def check(home: Home) -> None:
    """Raises `Problem` for the first thing that is not as it must be."""
    _check_disk(home)
    _check_isolation(home)
    _check_ports(home)


def _check_disk(home: Home) -> None:
    free_mb = shutil.disk_usage(home.path).free // 2**20
    if free_mb < _LEAST_FREE_MB:
        raise Problem(
            f"only {free_mb} MB are free in {home.path}",
            f"Free {_LEAST_FREE_MB} MB (`df -h` shows which disk is full), or set SKERRY_HOME elsewhere.",
        )
    probe = home.path / ".probe"
    try:
        probe.write_bytes(b"0" * 65536)
        probe.unlink()
    except OSError as error:
        raise Problem(
            f"{home.path} cannot be written: {error.strerror}",
            "Free the disk or the quota, or set SKERRY_HOME elsewhere.",
        ) from error


def _check_isolation(home: Home) -> None:
    """As root, apps run as users of their own; these must reach their folders, or be given a view of them."""
    if os.geteuid() != 0 or _may_unshare():
        return
    for folder in (*reversed(home.path.parents), home.path):
        if folder.exists() and not folder.stat().st_mode & 0o001:
            raise Problem(
                f"apps run as users of their own, and these cannot pass through {folder}",
                f"Put the platform elsewhere: SKERRY_HOME=/var/lib/skerry ./quickstart (or chmod o+x {folder}).",
            )


def _may_unshare() -> bool:
    """Whether this process may make a mount namespace, as the agent does for each app."""
    child = os.fork()
    if child == 0:
        os._exit(0 if ctypes.CDLL(None).unshare(_CLONE_NEWNS) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def _check_ports(home: Home) -> None:
    taken = {what: port for what, port in home.ports.items() if not _is_free(port)}
    if not taken:
        return
    ours = set(processes.marked(home))
    for what, port in taken.items():
        owner = _owner(port)
        if owner in ours or (owner is None and processes.is_up(home)):
            continue
        who = f" by {_name(owner)} (process {owner})" if owner else ""
        raise Problem(
            f"port {port}, for the {what}, is in use{who}",
            "Stop what listens there, or choose other ports, five in a row: SKERRY_PORT_BASE=18460 ./quickstart",
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def _owner(port: int) -> int | None:
    """The process that listens on a port, None if it may not be seen."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if any(str(link.readlink()) in inodes for link in (entry / "fd").iterdir()):
                return int(entry.name)
        except OSError:
            continue  # it ended, or is another user's
    return None


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "a program"
