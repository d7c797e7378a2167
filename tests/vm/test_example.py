"""`inventories/example`, brought up as it is shipped, with addresses and secrets of its reader's own.

The file server is on the controller: of these machines the node alone has a kernel that can mount NFS.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hosts.vm import Vm
from support.zips import zipped
from vm.conftest import PROJECT, Container, over_ssh, play, running

SCRIPT = b"""import csv, sys
given = {name: sys.argv[sys.argv.index(name) + 1] for name in ("--input", "--output")}
with open(given["--input"]) as file, open(given["--output"] + "/predictions.csv", "w") as made:
    for row in csv.reader(file):
        made.write(str(int(row[0]) ** 2) + "\\n")
"""
NAME = "skerry.example.org"
"""The front door's, as the example has it."""
MANIFEST = b"name: squares\nentrypoint: squares.py\noutputs: [predictions.csv]\n"


class NamedThere(httpx.HTTPTransport):
    """Asks for the host by its name, which no DNS here knows; the certificate is for that."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Host"] = NAME
        request.extensions = {**request.extensions, "sni_hostname": NAME}
        return super().handle_request(request)


class Example:
    """The inventory, and the machines it names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker, self.database = (Container(folder / name, name) for name in ("broker-1", "database-1"))
        self.controller = Container(folder / "controller-1", "controller-1", sharing=True)
        self.edge = Vm(folder / "edge-1", "edge-1", 3)
        self.machines = (self.broker, self.database, self.controller, self.edge)
        self.passwords: dict[str, str] = {}

    def write(self) -> None:
        """A copy of the example, with where the machines are and what is secret; how they are reached, beside it."""
        mine = self.folder / "inventories/mine"
        shutil.copytree(PROJECT / "inventories/example", mine)
        hosts = yaml.safe_load((mine / "hosts.yml").read_text())
        groups = hosts["all"]["children"]
        groups["file_servers"]["hosts"] = {"controller-1": None}
        for group in groups.values():
            for name, variables in (group or {}).get("hosts", {}).items():
                if variables is not None:
                    variables["ansible_host"] = {one.name: one.address for one in self.machines}[name]
        (mine / "hosts.yml").write_text(yaml.safe_dump(hosts))
        vault = mine / "group_vars/all/vault.yml"
        self.passwords = {name: secrets.token_urlsafe(24) for name in yaml.safe_load(vault.read_text())}
        vault.write_text(yaml.safe_dump(self.passwords))
        (self.folder / "reached.yml").write_text(yaml.safe_dump({"all": {"vars": over_ssh(self.folder)}}))

    def play(self, playbook: str) -> int:
        return play(f"playbooks/{playbook}", self.folder / "inventories/mine", self.folder / "reached.yml")

    def api(self) -> httpx.Client:
        """As its administrator, through the front door."""
        trusted = ssl.create_default_context(cadata=self.controller.check("cat /etc/nginx/skerry/ca.crt"))
        there = NamedThere(verify=trusted)
        api = httpx.Client(base_url=f"https://{self.controller.address}/api/v1", timeout=30, transport=there)
        body = {"user": "admin", "password": self.passwords["vault_webfront_admin_password"]}
        api.headers["Authorization"] = f"Bearer {api.post('/tokens', json=body).raise_for_status().json()['token']}"
        return api


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    made = Example(tmp_path_factory.mktemp("example"))
    with running(*made.machines):
        made.write()
        yield made


def ended(api: httpx.Client, path: str, kind: str, *, within_s: float) -> dict[str, Any]:
    """The job or the play at its end."""
    until = time.monotonic() + within_s
    while True:
        found: dict[str, Any] = api.get(path).raise_for_status().json()[kind]
        if found["state"] in ("succeeded", "failed", "cancelled"):
            return found
        assert time.monotonic() < until, found
        time.sleep(1)


def test_it_comes_up_takes_a_node_over_nfs_keeps_a_copy_and_changes_nothing_again(example: Example) -> None:
    # A disk for copies, which the platform's user may write to.
    example.controller.check("install -d -o 60590 -g 60590 -m 0700 /mnt/copies/skerry")
    assert example.play("site.yml") > 20

    with contextlib.closing(example.api()) as api:
        wish = {
            "name": "edge-1",
            "connection": "ssh",
            "address": example.edge.address,
            "ssh_port": 22,
            "ssh_user": "root",
            "host_key": " ".join((example.edge.folder / "host_key.pub").read_text().split()[:2]),
            "private_key": example.edge.key.read_text(),
            "slots": 2,
        }
        registered = ended(api, plays(api.post("/nodes", json=wish)), "play", within_s=900)
        assert registered["state"] == "succeeded", registered
        assert " nfs4 rw," in example.edge.check("grep ' /srv/skerry ' /proc/self/mounts")
        assert f'"edge-1": ["{example.edge.address}"]' in example.controller.check("skerry-exports list")

        app = zipped({"app.yml": MANIFEST, "squares.py": SCRIPT})
        api.post("/apps", files={"file": ("squares.zip", app)}).raise_for_status()
        given = {"input": ("numbers.csv", b"1\n2\n3\n")}
        asked = api.post("/jobs", data={"app": "squares"}, files=given).raise_for_status().json()["job"]["id"]
        job = ended(api, f"/jobs/{asked}", "job", within_s=300)
        assert job["state"] == "succeeded", job
        assert api.get(f"/jobs/{asked}/outputs/predictions.csv").text == "1\n4\n9\n"

        example.play("backup.yml")
        assert example.controller.check("ls /mnt/copies/skerry/snapshots | wc -l") != "0"
        assert example.play("site.yml") == 0

        removed = ended(api, plays(api.delete("/nodes/edge-1")), "play", within_s=600)
        assert removed["state"] == "succeeded", removed
        assert example.edge.run("mountpoint -q /srv/skerry").returncode != 0
        assert "edge-1" not in example.controller.check("skerry-exports list")


def plays(answer: httpx.Response) -> str:
    """Where the play is that the answer speaks of."""
    return f"/plays/{answer.raise_for_status().json()['play']['id']}"
