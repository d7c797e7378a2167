"""Runs a molecule scenario's playbook again from its tests: in check mode, or with other variables."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    output: str
    changed: list[str]
    """The names of the tasks that changed something, or would."""


class Converge:
    """`ansible-playbook converge.yml` against the scenario's machines."""

    RESTART = "Start the programs, and restart those with outdated settings"

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

    def refusals(self, role: str, hosts: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, str]:
        """What a role says to each of these hosts, all of which it refuses: in one run, each as if it were alone.

        They may be one machine under several names, with a setting of its own each. `folder` is for the run's files.
        """
        inventory, playbook = folder / "hosts.json", folder / "play.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "roles": [{"role": role}]}]))
        done = self._run(f"--forks={len(hosts)}", playbook=playbook, inventory=inventory)
        # What fails may be said on either.
        output = f"{done.stdout}\n{done.stderr}\n."
        said = dict(re.findall(r"^fatal: \[(.+?)\]: (.*?)(?=^\S)", output, re.MULTILINE | re.DOTALL))
        assert said.keys() == hosts.keys(), output
        assert "changed: [" not in done.stdout, done.stdout
        return said

    def _run(
        self, *options: str, playbook: Path | None = None, inventory: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        playbook = playbook or Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "converge.yml"
        inventory = inventory or Path(os.environ["MOLECULE_INVENTORY_FILE"])
        command = ["ansible-playbook", "--inventory", str(inventory), str(playbook), *options]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
