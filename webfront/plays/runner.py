"""The one door to ansible-runner: runs a playbook and reports its events.

What ansible-runner would keep or tell is kept from it: the event handler returns None, so that no event is written out;
no status handler, since the status `starting` carries the whole environment; no output file; extra variables in a file,
since given directly they would stand in the arguments of a process that everybody can list.
"""

from __future__ import annotations

import enum
import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

import ansible_runner
import msgspec

from webfront.plays import private, tether
from webfront.plays.inventory import write_yaml

_OWN: Final = frozenset({"ANSIBLE_HOME"})
"""What the platform's own set-up tells its plays of Ansible by environment."""
_LOOK_EVERY_S: Final = 1
"""How often `between` is called while nothing happens."""

# ansible-runner logs each command and, at debug, the environment.
logging.getLogger("ansible-runner").setLevel(logging.CRITICAL)


def forget_foreign(environ: MutableMapping[str, str]) -> None:
    """Drop Ansible's variables that this process has from the shell it was started in: they are of another project."""
    for name in [one for one in environ if one.startswith("ANSIBLE_") and one not in _OWN]:
        del environ[name]


class RunEnd(enum.Enum):
    """How a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    TOO_LONG = "too long"


class Run(msgspec.Struct, frozen=True):
    """What to run. `folder` is the play's private directory."""

    folder: Path
    project_dir: Path
    playbook: Path
    inventories: tuple[Path, ...]
    """In Ansible's order: the later one counts more."""
    variables: dict[str, Any]
    private_key: str = ""
    """Held by an ssh-agent for this run alone."""
    limit_s: int = 3600
    tags: str = ""
    """Only the tasks with one of these, separated by commas; all, where empty."""
    skip_tags: str = ""
    """None of the tasks with one of these."""
    forks: int = 0
    """On how many hosts at once; Ansible's own number for 0."""

    def __repr__(self) -> str:
        return f"Run({self.playbook})"


def run(what: Run, on_event: Callable[[Mapping[str, Any]], None], between: Callable[[], bool]) -> RunEnd:
    """Run the playbook to its end. `between` is called at least each second; True stops the run."""
    config = _configure(what)

    def handle(event: Mapping[str, Any]) -> None:
        on_event(event)

    runner = ansible_runner.Runner(config, event_handler=handle, cancel_callback=between)
    status, _ = runner.run()
    return {"successful": RunEnd.SUCCEEDED, "canceled": RunEnd.STOPPED, "timeout": RunEnd.TOO_LONG}.get(
        status, RunEnd.FAILED
    )


def _configure(what: Run) -> ansible_runner.RunnerConfig:
    folder = what.folder
    for name in ("env", "cp", "tmp"):
        (folder / name).mkdir(mode=0o700)
    settings = {
        "suppress_output_file": True,
        "suppress_ansible_output": True,
        "job_timeout": what.limit_s,
        "pexpect_timeout": _LOOK_EVERY_S,
    }
    write_yaml(folder / "env" / "settings", settings)
    write_yaml(folder / "env" / "extravars", what.variables)

    config = ansible_runner.RunnerConfig(
        str(folder),
        playbook=str(what.playbook),
        inventory=[str(path) for path in what.inventories],
        project_dir=str(what.project_dir),
        envvars=_environment(what),
        ssh_key=what.private_key or None,
        tags=what.tags or None,
        skip_tags=what.skip_tags or None,
        forks=what.forks or None,
    )
    config.prepare()
    tie = [sys.executable, "-I", str(Path(tether.__file__)), str(os.getpid()), str(folder)]
    config.command = [*tie, *config.command]
    return config


def _environment(what: Run) -> dict[str, str]:
    folder = what.folder
    # Not resolved: in a virtual environment the interpreter is a link, and ansible-playbook lies beside the link.
    programs = str(Path(sys.executable).parent)
    environment = {
        private.MARK: str(folder),
        "PATH": f"{programs}:{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}",
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        # An agent that this process inherited from whoever started it is no part of a play.
        "SSH_AUTH_SOCK": "",
    }
    if (configuration := what.project_dir / "ansible.cfg").exists():
        environment["ANSIBLE_CONFIG"] = str(configuration)
    return environment
