"""A lab of the tests' own (`./lab`), beside a developer's, and what can be done to its machines."""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

PROJECT = Path(__file__).resolve().parents[2]


class Lab:
    """`lab("up", "--nodes", "1")` is `./lab up --nodes 1`."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "SKERRY_LAB_HOME": str(self.home)}
        return subprocess.run(
            ["./lab", *words], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=600
        )

    def play(self, playbook: str, *options: str, tree: Path = PROJECT) -> subprocess.CompletedProcess[str]:
        """A playbook of this checkout, or of another one, with the lab's inventory."""
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        inventories = ["-i", str(PROJECT / "inventories/lab"), "-i", str(self.home / "inventory")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return subprocess.run(
            [program, *inventories, f"playbooks/{playbook}", *options],
            cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip

    def destroy(self, *names: str) -> None:
        """Remove machines with all that is on them, and make empty ones of these names in their place."""
        for name in names:
            subprocess.run(["docker", "rm", "--force", "--volumes", self._container(name)], check=True, timeout=60)
        again = (
            "from hosts import lab; there = list(lab.running().values()); "
            f"lab.write_inventory(there + [lab.make(name) for name in {names!r}])"
        )
        environment = {**os.environ, "SKERRY_LAB_HOME": str(self.home), "PYTHONPATH": str(PROJECT / "tests")}
        subprocess.run([sys.executable, "-c", again], cwd=PROJECT, env=environment, check=True, timeout=180)

    def inside(self, name: str, command: str, *, stdin: str = "") -> str:
        """What a command says that goes well on a machine, as root."""
        done = subprocess.run(
            ["docker", "exec", "--interactive", self._container(name), "sh", "-ec", command],
            input=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
        return done.stdout

    def address(self, name: str) -> str:
        hosts = yaml.safe_load((self.home / "inventory/hosts.yml").read_text())["all"]["hosts"]
        return str(hosts[f"skerry-lab-{name}"]["ansible_host"])

    def power_off(self, name: str) -> None:
        """As when the plug is pulled."""
        self._docker("kill", name)

    def power_on(self, name: str) -> None:
        """Boot the machine."""
        self._docker("start", name)

    def cut(self, name: str, other: str) -> None:
        """What `name` sends to `other` gets lost from now on; what it receives from there still comes."""
        self.inside(name, f"ip route replace blackhole {self.address(other)}/32")

    def mend(self, name: str, other: str) -> None:
        """Undo `cut`."""
        self.inside(name, f"ip route del blackhole {self.address(other)}/32")

    @contextlib.contextmanager
    def api(self, user: str = "admin", password: str = "") -> Iterator[httpx.Client]:
        """A client that is signed in, as the administrator where nothing else is said."""
        with self.stranger() as api:
            body = {"user": user, "password": password or (self.home / "secrets/webfront_admin").read_text()}
            answer = api.post("/tokens", json=body).raise_for_status()
            api.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            yield api

    @contextlib.contextmanager
    def stranger(self) -> Iterator[httpx.Client]:
        """A client that is not signed in."""
        trusted = ssl.create_default_context(cadata=self.inside("controller", "cat /etc/nginx/skerry/ca.crt"))
        base = f"https://{self.address('controller')}/api/v1"
        with httpx.Client(base_url=base, timeout=30, verify=trusted) as api:
            yield api

    def _container(self, name: str) -> str:
        return f"skerry-lab-{name}-" + hashlib.sha256(str(self.home).encode()).hexdigest()[:8]

    def _docker(self, verb: str, name: str) -> None:
        subprocess.run(["docker", verb, self._container(name)], capture_output=True, check=True, timeout=60)


def job_ended(api: httpx.Client, job: str, *, within_s: float) -> dict[str, Any]:
    """The job at its end."""
    until = time.monotonic() + within_s
    while True:
        found: dict[str, Any] = api.get(f"/jobs/{job}").raise_for_status().json()["job"]
        if found["state"] in ("succeeded", "failed", "cancelled"):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.3)
