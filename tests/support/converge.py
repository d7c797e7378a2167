"""Runs a molecule scenario's playbook again from its tests, in check mode or with other variables; or another one."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    output: str
    changed: list[str]
    """The names of the tasks that changed something, or would."""


class Converge:
    """`ansible-playbook PLAYBOOK` against the scenario's machines; its path is from the scenario's folder."""

    RESTART = "Start the programs, and restart those with outdated settings"

    def __init__(self, playbook: str = "converge.yml") -> None:
        self._playbook = playbook

    def __call__(self, *options: str) -> Run:
        """A run that goes well."""
        done = self._run(*options)
        assert done.returncode == 0, done.stdout + done.stderr
        changed: list[str] = []
        for line in done.stdout.splitlines():
            if found := re.match(r"TASK \[(?:[a-z_]+ : )?(.*)\]", line):
                task = found[1]
            elif line.startswith("changed: ") and task not in changed:
                changed.append(task)
        return Run(done.stdout, changed)

    def refused(self, *options: str) -> str:
        """What a run that fails says."""
        done = self._run(*options)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def _run(self, *options: str) -> subprocess.CompletedProcess[str]:
        playbook = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / self._playbook
        command = ["ansible-playbook", "--inventory", os.environ["MOLECULE_INVENTORY_FILE"], str(playbook), *options]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=1200)
