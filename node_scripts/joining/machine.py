"""What the machine says about itself, and whether it can join at all: looked at before it asks anybody."""

from __future__ import annotations

import os
import platform
import shlex
import socket
import sys
import urllib.parse
from pathlib import Path
from typing import Any, Final

from node_scripts.joining.front import JoinError

OLDEST_PYTHON: Final = (3, 11)
_AGENT: Final = Path("/etc/skerry-agent")
_PYTHON: Final = Path("/usr/bin/python3")


def run_by_the_systems_python() -> None:
    """Begin again with the Python that the agent will have, if this is another one."""
    if _PYTHON.exists() and Path(sys.executable).resolve() != _PYTHON.resolve():
        os.execv(_PYTHON, [str(_PYTHON), *sys.argv])  # noqa: S606 - no shell is wanted


def refuse_unfit(root: Path = Path("/")) -> None:
    """JoinError where nothing could be installed."""
    if os.geteuid() != 0:
        raise JoinError("This installs a service: run it as root, with sudo before it.")
    if sys.version_info[:2] < OLDEST_PYTHON:
        raise JoinError(f"Python here is {platform.python_version()}; a node needs 3.11 or later, as Debian 12 has it.")
    if not (root / "run/systemd/system").is_dir():
        raise JoinError("systemd does not run on this machine, so that nothing would start the agent.")


def told(front: str, code: str, addresses: list[str], root: Path = Path("/")) -> dict[str, Any]:
    """What the front is told. `addresses` are those that a person gave. JoinError."""
    release = _settings(root / "etc/os-release")
    return {
        "host": socket.gethostname()[:200],
        "addresses": addresses or own_addresses(front),
        "arch": platform.machine(),
        "system": f"{release.get('ID', '')} {release.get('VERSION_ID', '')}".strip(),
        "python": ".".join(str(part) for part in sys.version_info[:2]),
        "code": code,
        **as_node(root / _AGENT.relative_to("/")),
    }


def as_node(folder: Path = _AGENT) -> dict[str, str]:
    """Which node it is already, and by which password; nothing where it is none."""
    name = _settings(folder / "agent.env").get("SKERRY_NODE_ID", "")
    try:
        password = (folder / "broker-password").read_text(encoding="utf-8").strip()
    except OSError:
        password = ""
    return {"was": name, "password": password} if name else {}


def own_addresses(front: str) -> list[str]:
    """The addresses by which this machine reaches the front, and so the platform's other services. JoinError."""
    parts = urllib.parse.urlsplit(front)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found: list[str] = []
    try:
        ways = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise JoinError(f"The address {front} cannot be found from this machine: {error}.") from None
    for family, kind, protocol, _, there in ways:
        try:
            # Nothing is sent: the kernel is asked which address it would take.
            with socket.socket(family, kind, protocol) as one:
                one.connect(there)
                found.append(one.getsockname()[0].partition("%")[0])
        except OSError:
            continue
    if not found:
        raise JoinError(f"There is no route from this machine to {front}.")
    return list(dict.fromkeys(found))


def _settings(file: Path) -> dict[str, str]:
    """`NAME=VALUE` lines, quoted as for a shell."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): " ".join(shlex.split(value)) for name, _, value in pairs}
