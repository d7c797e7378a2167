"""The local play: Ansible in a virtual environment of its own, which is thrown away, and the roles of this program.

Killed anywhere, the next run makes anew what has no stamp, and the play corrects what it finds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from node_scripts.joining.front import JoinError
from node_scripts.joining.place import Place, write

PREFLIGHT: Final = ("playbooks/register.yml", "--tags", "register_preflight", "--skip-tags", "always")
"""The very checks that a registration over SSH begins with."""
JOIN: Final = ("playbooks/join.yml",)
LEAVE: Final = ("playbooks/leave.yml",)
_FOREIGN: Final = ("ANSIBLE_", "PYTHON", "SKERRY_")


class Stage:
    """What a play is played with, below one folder."""

    def __init__(self, place: Place, program: Path) -> None:
        """`program` is the file that this runs from."""
        self._folder = folder = place.folder
        self._lock = place.lock
        self._program = program
        self._tree = folder / "tree"
        self._python = folder / "venv/bin/python"

    def prepare(self, archive: Path | None) -> None:
        """Unpack the roles, and make the environment: of the archive, or without one of a package index. JoinError."""
        shutil.rmtree(self._tree, ignore_errors=True)
        with zipfile.ZipFile(self._program) as packed:
            for entry in packed.infolist():
                unpacked = Path(packed.extract(entry, self._tree))
                unpacked.chmod(entry.external_attr >> 16 or 0o644)
        stamp = self._folder / "venv/.complete"
        if stamp.exists():
            return
        shutil.rmtree(self._folder / "venv", ignore_errors=True)
        if archive is not None:
            self._run([sys.executable, "-m", "venv", "--without-pip", str(self._folder / "venv")])
            self._run(["tar", "-xzf", str(archive), "--no-same-owner", "-C", self._site_packages()])
        else:
            print("Loading Ansible from the package index.", flush=True)
            self._run([sys.executable, "-m", "venv", str(self._folder / "venv")])
            load = ["install", "-q", "--no-input", "--disable-pip-version-check", "--no-deps"]
            self._run([str(self._python), "-m", "pip", *load, "-r", str(self._tree / "requirements/join.txt")])
        stamp.touch()

    def play(self, playbook: Sequence[str], node: str, variables: dict[str, Any]) -> bool:
        """Play it on this machine. Whether it succeeded; what it says goes to the terminal."""
        own = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
            # It is root that runs this.
            "ansible_become": False,
            "ansible_remote_tmp": str(self._folder / "ansible"),
            "node_agent_archive_dir": str(self._folder / "packages"),
        }
        host = {node: {**variables, **own}}
        groups = {name: {"hosts": {node: None}} for name in ("nodes", "ssh_nodes")}
        write(self._folder / "hosts.json", json.dumps({"all": {"hosts": host, "children": groups}}))
        command = [str(self._python), "-m", "ansible", "playbook", "-i", str(self._folder / "hosts.json"), *playbook]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        environment |= {
            "HOME": str(self._folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(self._tree / "ansible.cfg"),
            "ANSIBLE_HOME": str(self._folder / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self._folder / "ansible"),
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        }
        # Killed alone, this leaves the play running; the next run does not begin before that has ended. And what is
        # installed is for apps' users too.
        done = subprocess.run(command, cwd=self._tree, env=environment, pass_fds=[self._lock], umask=0o022, check=False)
        return done.returncode == 0

    def _site_packages(self) -> str:
        say = "import sysconfig; print(sysconfig.get_path('purelib'))"
        return self._run([str(self._python), "-I", "-c", say]).strip()

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = " ".join((done.stdout + done.stderr).split())[-600:]
            raise JoinError(
                f"The environment for Ansible could not be made: {said}\nThe platform had no packages for this "
                "machine. With the package python3-venv, and a way to a package index, it can load them itself."
            )
        return done.stdout
