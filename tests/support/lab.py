"""A lab of the tests' own (`./lab`), beside a developer's, and what can be done to its machines."""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

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

    def inside(self, name: str, command: str) -> str:
        """What a command says that goes well on a machine, as root."""
        done = subprocess.run(
            ["docker", "exec", self._container(name), "sh", "-ec", command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
        return done.stdout

    def address(self, name: str) -> str:
        hosts = yaml.safe_load((self.home / "inventory/hosts.yml").read_text())["all"]["hosts"]
        return str(hosts[f"skerry-lab-{name}"]["ansible_host"])

    def power_off(self, name: str) -> None:
        """As when the plug is pulled."""
        self._docker("kill", name)

    def power_on(self, name: str) -> None:
        """Boot the machine. Its address is the one it had: nothing else of these tests takes one meanwhile."""
        self._docker("start", name)

    def cut(self, name: str, other: str) -> None:
        """What `name` sends to `other` gets lost from now on; what it receives from there still comes."""
        self.inside(name, f"ip route replace blackhole {self.address(other)}/32")

    def mend(self, name: str, other: str) -> None:
        """Undo `cut`."""
        self.inside(name, f"ip route del blackhole {self.address(other)}/32")

    @contextlib.contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """A client that is signed in as the administrator."""
        trusted = ssl.create_default_context(cadata=self.inside("controller", "cat /etc/nginx/skerry/ca.crt"))
        base = f"https://{self.address('controller')}/api/v1"
        with httpx.Client(base_url=base, timeout=30, verify=trusted) as api:
            password = (self.home / "secrets/webfront_admin").read_text()
            answer = api.post("/tokens", json={"user": "admin", "password": password}).raise_for_status()
            api.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            yield api

    def _container(self, name: str) -> str:
        return f"skerry-lab-{name}-" + hashlib.sha256(str(self.home).encode()).hexdigest()[:8]

    def _docker(self, verb: str, name: str) -> None:
        subprocess.run(["docker", verb, self._container(name)], capture_output=True, check=True, timeout=60)
