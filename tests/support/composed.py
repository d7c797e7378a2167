"""A controller that compose.yml brings up, and commands of Docker."""

from __future__ import annotations

import contextlib
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

UP_S = 240


def docker(*arguments: str, check: bool = True, timeout: float = 300) -> str:
    """What a docker command prints; with `check` it must succeed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=timeout)
    assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.strip()


def compose_command() -> list[str]:
    """The plugin of Docker where it is installed (Debian 13), else the program (Debian 12)."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    if plugin:
        return ["docker", "compose"]
    assert shutil.which("docker-compose"), "install the package docker-compose"
    return ["docker-compose"]


class Composed:
    """The controller below `home`, made by `containers/prepare` of a checkout."""

    def __init__(self, checkout: Path, home: Path, name: str, listen: str, base: str) -> None:
        self.checkout = checkout
        self.home = home
        self.name = name
        self.listen = listen
        self._base = base

    def prepare(self, *more: str) -> str:
        # 172.30.84.0/24 is what is there unless told otherwise: a controller of somebody's may have it.
        words = ["--project", self.name, "--name", self.listen, "--listen", self.listen, "--base-image", self._base]
        network = f"172.30.{int(self.listen.split('.')[2]) % 250}.0/24"
        done = subprocess.run(
            [self.checkout / "containers/prepare", self.home, *words, "--network", network, *more],
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def __call__(self, *words: str, check: bool = True) -> str:
        """Run a command of compose."""
        done = subprocess.run(
            [*compose_command(), "--env-file", str(self.home / "env"), *words],
            cwd=self.checkout,
            capture_output=True,
            text=True,
            check=False,
            timeout=UP_S,
        )
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def up(self) -> None:
        self("up", "--detach")
        self.wait_until_well()

    def containers(self) -> dict[str, dict[str, Any]]:
        """By the name of its service, what Docker says of each container."""
        ids = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={self.name}").split()
        if not ids:
            return {}
        found: Sequence[dict[str, Any]] = json.loads(docker("inspect", *ids))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def wait_until_well(self) -> None:
        """Returns when every container that has a health is healthy."""
        until = time.monotonic() + 120
        while True:
            there = self.containers()
            health = {name: one["State"].get("Health", {}).get("Status", "healthy") for name, one in there.items()}
            if set(health.values()) == {"healthy"}:
                return
            assert time.monotonic() < until, health
            time.sleep(0.5)

    def secret(self, name: str) -> str:
        return (self.home / "secrets" / name).read_text().strip()

    @contextlib.contextmanager
    def api(self) -> Iterator[httpx.Client]:
        """A client that is signed in, through the front door."""
        trusted = ssl.create_default_context(cafile=str(self.home / "tls/ca.crt"))
        with httpx.Client(base_url=f"https://{self.listen}/api/v1", timeout=30, verify=trusted) as client:
            answer = client.post("/tokens", json={"user": "admin", "password": self.secret("admin-password")})
            assert answer.status_code == 201, answer.text
            client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            yield client

    def remove(self) -> None:
        if (self.home / "env").exists():
            self("down", "--timeout", "20", check=False)
        images = docker("image", "ls", "--quiet", "--filter", f"label=skerry.containers={self.name}").split()
        if images:
            # Newest first, as they are listed: one that another was built on goes after it.
            docker("image", "rm", "--force", *dict.fromkeys(images), check=False)
