"""Where the embedded platform is on this machine: its one directory and its ports."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from embedded.problems import Problem

PROJECT: Final = Path(__file__).resolve().parent.parent
DEFAULT_PORT_BASE: Final = 8460
MARK: Final = "SKERRY_EMBEDDED_HOME"
"""The environment variable that every process of an embedded platform carries: its directory."""

_PORTS: Final = {
    "web front": 0,
    "broker (AMQP)": 1,
    "broker (management)": 2,
    "broker (Erlang)": 3,
    "broker (Erlang's port mapper)": 4,
}
_ELASTIC_PORTS: Final = {"Elasticsearch": 5, "Elasticsearch (among its own)": 6}
_LONGEST_SOCKET: Final = 107
_SOCKET_TAIL: Final = len("/supervisor/supervisor.sock.1234567")


@dataclasses.dataclass(frozen=True)
class Home:
    """The paths and ports of one embedded platform."""

    path: Path
    port_base: int
    web_host: str = "127.0.0.1"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Home:
        """Read SKERRY_HOME and SKERRY_PORT_BASE; what was chosen at the first start counts where they are not given."""
        environ = os.environ if environ is None else environ
        path = Path(os.path.realpath(environ.get("SKERRY_HOME") or PROJECT / ".skerry"))
        kept = _read_settings(path / "settings")
        text = environ.get("SKERRY_PORT_BASE") or kept.get("SKERRY_PORT_BASE") or str(DEFAULT_PORT_BASE)
        if not text.isdecimal() or not 1024 <= int(text) <= 65528:
            raise Problem(f"SKERRY_PORT_BASE is {text!r}", "Give a port from 1024 to 65528; seven may be used.")
        listen = environ.get("SKERRY_WEB_LISTEN") or kept.get("SKERRY_WEB_LISTEN") or "127.0.0.1"
        home = cls(path, int(text), listen)
        if len(str(path)) + _SOCKET_TAIL > _LONGEST_SOCKET:
            raise Problem(
                f"the path {path} is too long for a Unix socket in it",
                f"Set SKERRY_HOME to one of at most {_LONGEST_SOCKET - _SOCKET_TAIL} characters, or move the checkout.",
            )
        if any(character in str(path) for character in " '\"\\%$`,;\n"):
            raise Problem(
                f"the path {path} has a space or a quote in it, which the broker's scripts do not survive",
                "Set SKERRY_HOME to a path without them, or move the checkout.",
            )
        return home

    def keep_settings(self, environ: Mapping[str, str] | None = None) -> None:
        """Remember what was chosen by environment, so that `status` and the next start need not be told again."""
        environ = os.environ if environ is None else environ
        self.keep({name: environ[name] for name in KEPT if environ.get(name)})

    def keep(self, settings: Mapping[str, str]) -> None:
        """Remember these."""
        kept = _read_settings(self.path / "settings") | dict(settings) | {"SKERRY_PORT_BASE": str(self.port_base)}
        write_whole(self.path / "settings", "".join(f"{name}={value}\n" for name, value in sorted(kept.items())))

    def environment(self) -> dict[str, str]:
        """What Ansible and everything it starts are told: the kept settings over this process's environment.

        Not what the shell says to Ansible: that is of another project.
        """
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            **_read_settings(self.path / "settings"),
            "SKERRY_HOME": str(self.path),
            "SKERRY_PORT_BASE": str(self.port_base),
            "PATH": f"{self.venv}/bin:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(PROJECT),
        }

    @property
    def ports(self) -> dict[str, int]:
        """What listens, and on which port."""
        used = _PORTS | (_ELASTIC_PORTS if self.has_elastic else {})
        return {what: self.port_base + offset for what, offset in used.items()}

    @property
    def has_elastic(self) -> bool:
        """Whether `./quickstart add elastic` was run."""
        return _read_settings(self.path / "settings").get(ADDED) == "elastic"

    @property
    def elastic_url(self) -> str:
        return f"https://127.0.0.1:{self.port_base + _ELASTIC_PORTS['Elasticsearch']}"

    @property
    def elastic_password_file(self) -> Path:
        return self.path / "secrets/elastic/elastic-password"

    @property
    def inventories(self) -> tuple[str, ...]:
        """What the platform is made by, in the checkout."""
        return ("inventories/embedded", *(("inventories/embedded_elastic",) if self.has_elastic else ()))

    @property
    def web_url(self) -> str:
        host = "127.0.0.1" if self.web_host in {"0.0.0.0", "::"} else self.web_host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.port_base}"

    @property
    def venv(self) -> Path:
        return self.path / "venv"

    @property
    def supervisor_dir(self) -> Path:
        return self.path / "supervisor"

    @property
    def supervisor_socket(self) -> Path:
        return self.supervisor_dir / "supervisor.sock"

    @property
    def admin_password_file(self) -> Path:
        return self.path / "secrets" / "admin-password"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.csv"

    @property
    def stamp(self) -> Path:
        """What the platform was last brought up from."""
        return self.path / "site.stamp"

    @property
    def identity(self) -> Path:
        """Only a directory with this file is ever removed."""
        return self.path / ".skerry-home"


ADDED: Final = "SKERRY_ADDED"
"""What was added to the platform, by `./quickstart add`."""
KEPT: Final = (
    "SKERRY_PORT_BASE",
    "SKERRY_WEB_LISTEN",
    "SKERRY_BROKER_LISTEN",
    "SKERRY_BROKER_HOST",
    "SKERRY_NODE_SHARE",
)
ADMIN_USER: Final = "admin"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _read_settings(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)
