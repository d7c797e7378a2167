"""Two machines, one that serves the share and one that mounts it: virtual machines, each with a kernel of its own.

Where nfs-ganesha serves, that machine is a container, whose kernel has no NFS.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hosts.machines import create, destroy, sweep
from hosts.vm import Reached, Vm, image, keygen

PROJECT = Path(__file__).resolve().parents[2]
ARTIFACTS = Path(os.environ.get("SKERRY_ARTIFACTS", PROJECT / "artifacts"))
SHARE_ID = "5c9d1f3e-2b7a-4d60-9c1e-7f8a6b5d4c3b"


class Container(Reached):
    """A machine that boots systemd on this machine's kernel; `sharing` has `/srv/skerry` on this machine's disk."""

    OWNER = f"{PROJECT}:vm"

    def __init__(self, folder: Path, name: str, *, sharing: bool = False) -> None:
        super().__init__(folder, name)
        self.sharing = sharing
        self._container = f"skerry-vm-{name}-{os.getpid()}"

    def start(self) -> None:
        share = self.folder / "share"
        share.mkdir(parents=True)
        if not self.key.exists():
            keygen(self.key)
        made = create(
            self._container,
            release="debian-13",
            owner=self.OWNER,
            user="root",
            authorized_key=self.key.with_suffix(".pub"),
            password=None,
            shares=[f"{share}:/srv/skerry"] if self.sharing else [],
            capabilities=["DAC_READ_SEARCH"] if self.sharing else [],
        )
        self.address = made.address
        self.know(made.host_key)

    def power_off(self) -> None:
        destroy([self._container])


@contextlib.contextmanager
def running(*machines: Vm | Container) -> Iterator[None]:
    """The machines are up, and reached over SSH; their consoles are kept."""
    sweep(Container.OWNER)
    try:
        for one in machines:
            if isinstance(one, Vm):
                one.make(image())
            one.start()
        for one in machines:
            if isinstance(one, Vm):
                one.wait()
        yield
    finally:
        kept = ARTIFACTS / "vm"
        kept.mkdir(parents=True, exist_ok=True)
        for one in machines:
            one.power_off()
            if (one.folder / "console").exists():
                shutil.copy(one.folder / "console", kept / f"{one.name}.console")
            (one.folder / "disk").unlink(missing_ok=True)


def over_ssh(folder: Path) -> dict[str, str]:
    """Variables by which Ansible reaches the machines whose folders are in this one."""
    return {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(folder / "id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={folder}/known_hosts -o IdentitiesOnly=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def play(playbook: str, *inventories: Path, within_s: float = 600) -> int:
    """Runs a playbook of the project; how many tasks changed something."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), playbook]
    command += [word for inventory in inventories for word in ("-i", str(inventory))]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=within_s
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return sum(int(found) for found in re.findall(r"changed=(\d+)", done.stdout))


@dataclass
class Fleet:
    folder: Path
    files: Vm | Container
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
                    **over_ssh(self.folder),
                    "nfs_client_source": f"{self.files.address}:/srv/skerry",
                    "nfs_client_share_id": SHARE_ID,
                },
            }
        }
        file = self.folder / "inventory.yml"
        file.write_text(yaml.safe_dump(inventory))
        return play(f"tests/vm/{playbook}.yml", file)


@pytest.fixture(scope="session", params=["kernel", "ganesha"])
def fleet(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("vm")
    edge = Vm(folder / "edge", "edge", 2)
    files: Vm | Container = Container(folder / "files", "files", sharing=True)
    if request.param == "kernel":
        files = Vm(folder / "files", "files", 1)
    with running(files, edge):
        yield Fleet(folder, files, edge)
