"""A fresh Debian machine, as `./quickstart` finds one: no systemd running, no Docker, no pip, no RabbitMQ."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
LEFT_OUT = (".git", ".venv", ".skerry", ".cache", ".mypy_cache", ".ruff_cache", "artifacts", "node_modules")
CHECKOUT = "/home/skerry/checkout"
# The promise is two minutes on two cores of their own; the tests' machine may be slower or busy, and says so here.
FROM_NOTHING_WITHIN_S = 420


class Machine:
    """A container of a Debian release without an init, holding a copy of the checkout."""

    def __init__(self, release: str, *options: str) -> None:
        owner = str(PROJECT)
        self.id = docker("run", "--detach", "--init", f"--label=skerry.owner={owner}", *options,
                         f"skerry-machine:{release}", "sleep", "infinity")  # fmt: skip
        self.run("mkdir", "-p", CHECKOUT)
        excluded = [f"--exclude=./{name}" for name in LEFT_OUT]
        with subprocess.Popen(["tar", "-C", str(PROJECT), *excluded, "-c", "."], stdout=subprocess.PIPE) as packing:
            unpack = ["docker", "exec", "--interactive", self.id, "tar", "-C", CHECKOUT, "--no-same-owner", "-x"]
            subprocess.run(unpack, stdin=packing.stdout, check=True, timeout=120)

    def run(self, *command: str, within_s: float = 60, **settings: str) -> subprocess.CompletedProcess[str]:
        given = [f"--env={name}={value}" for name, value in settings.items()]
        return subprocess.run(
            ["docker", "exec", *given, "--workdir", CHECKOUT if command[0] != "mkdir" else "/", self.id, *command],
            capture_output=True, text=True, check=False, timeout=within_s,
        )  # fmt: skip

    def quickstart(self, *arguments: str, within_s: float = 120, **settings: str) -> subprocess.CompletedProcess[str]:
        done = self.run("./quickstart", *arguments, within_s=within_s, **settings)
        print(f"$ ./quickstart {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.quickstart("status", "--json").stdout)
        return told

    def read(self, path: str) -> str:
        done = self.run("cat", path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def web_front_answers(self, url: str) -> bool:
        ask = f"import urllib.request; print(urllib.request.urlopen('{url}/api/v1/health', timeout=5).status)"
        return self.run("python3", "-c", ask).stdout.strip() == "200"


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
