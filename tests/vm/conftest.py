"""Two virtual machines, each with a kernel of its own: one serves the share, the other mounts it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hosts.vm import Vm, image

PROJECT = Path(__file__).resolve().parents[2]
ARTIFACTS = Path(os.environ.get("SKERRY_ARTIFACTS", PROJECT / "artifacts"))
SHARE_ID = "5c9d1f3e-2b7a-4d60-9c1e-7f8a6b5d4c3b"


@dataclass
class Fleet:
    folder: Path
    files: Vm
    edge: Vm

    def converge(self, playbook: str) -> int:
        """Runs a playbook of this folder; how many tasks changed something."""
        inventory = {
            "all": {
                "children": {
                    "file_servers": {"hosts": {"files": {"ansible_host": self.files.address}}},
                    "nodes": {"hosts": {"edge": {"ansible_host": self.edge.address}}},
                },
                "vars": {
                    "ansible_user": "root",
                    "ansible_ssh_private_key_file": str(self.files.key),
                    "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.folder}/known_hosts -o IdentitiesOnly=yes",
                    "ansible_python_interpreter": "/usr/bin/python3",
                    "nfs_client_source": f"{self.files.address}:/srv/skerry",
                    "nfs_client_share_id": SHARE_ID,
                },
            }
        }
        file = self.folder / "inventory.yml"
        file.write_text(yaml.safe_dump(inventory))
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i", str(file), f"tests/vm/{playbook}.yml",
        ]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return sum(int(found) for found in re.findall(r"changed=(\d+)", done.stdout))


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("vm")
    made = image()
    fleet = Fleet(folder, Vm(folder / "files", "files", 1), Vm(folder / "edge", "edge", 2))
    both = (fleet.files, fleet.edge)
    try:
        for one in both:
            one.make(made)
            one.start()
        waiting = [threading.Thread(target=one.wait) for one in both]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join()
        for one in both:
            one.wait()
        yield fleet
    finally:
        kept = ARTIFACTS / "vm"
        kept.mkdir(parents=True, exist_ok=True)
        for one in both:
            one.power_off()
            if (one.folder / "console").exists():
                shutil.copy(one.folder / "console", kept / f"{one.name}.console")
            (one.folder / "disk").unlink(missing_ok=True)
