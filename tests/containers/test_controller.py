"""`compose.yml` brings up the whole controller as it is shipped; jobs run before and after `down` and `up`."""

from __future__ import annotations

import json
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.composed import Composed, docker
from support.machines import make_machine, remove_machine

PROJECT = Path(__file__).resolve().parents[2]
OWNER = f"{PROJECT}:containers"
DIGITS = PROJECT / "examples/apps/digits"
READ_ONLY_USERS = {
    "web": "8460",
    "scheduler": "8460",
    "plays": "8460",
    "broker": "8461",
    "database": "8462",
    "proxy": "33",
}


@pytest.fixture(scope="module")
def machine(controller: Composed, key: Path) -> Iterator[dict[str, Any]]:
    """A machine that boots systemd, with the share mounted, where plays and broker are reached."""
    name = f"{controller.name}-node"
    share = f"--share={controller.home / 'share'}:/srv/skerry"
    found = make_machine(name, OWNER, "--user=edge", f"--authorized-key={key}.pub", share)
    network = f"{controller.name}_nodes"
    docker("network", "connect", network, name)
    found["address"] = docker(
        "inspect", "--format", f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}', name
    )
    yield found
    remove_machine(name)


def ended(api: httpx.Client, path: str, what: str, within_s: float) -> dict[str, Any]:
    until = time.monotonic() + within_s
    while True:
        found: dict[str, Any] = api.get(path).raise_for_status().json()[what]
        if found["state"] in ("succeeded", "failed"):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.5)


def predictions(api: httpx.Client) -> tuple[str, str]:
    """A job of the digits app: its id, and what it predicted."""
    with (DIGITS / "inputs/digits.csv").open("rb") as file:
        answer = api.post("/jobs", data={"app": "digits"}, files={"input": ("digits.csv", file)})
    job = answer.raise_for_status().json()["job"]["id"]
    found = ended(api, f"/jobs/{job}", "job", 120)
    assert found["state"] == "succeeded", found
    return job, api.get(f"/jobs/{job}/outputs/predictions.csv").raise_for_status().text


def test_only_the_front_door_is_open(controller: Composed) -> None:
    there = controller.containers()
    published = {
        (name, inside, one["HostIp"], one["HostPort"])
        for name, container in there.items()
        for inside, ends in container["NetworkSettings"]["Ports"].items()
        for one in ends or []
    }
    here = controller.listen
    assert published == {("proxy", "80/tcp", here, "80"), ("proxy", "443/tcp", here, "443")}
    answer = httpx.get(f"http://{here}/login")
    assert (answer.status_code, answer.headers["location"]) == (308, f"https://{here}/login")


def test_each_sees_only_what_it_needs(controller: Composed) -> None:
    short = len(controller.name) + 1
    networks = {
        name: {one[short:] for one in container["NetworkSettings"]["Networks"]}
        for name, container in controller.containers().items()
    }
    assert networks["proxy"] == {"pages"}
    assert networks["database"] == {"database"}
    assert networks["broker"] == {"broker", "nodes"}
    assert "pages" in networks["web"]
    assert {name for name, of in networks.items() if "database" in of} == {
        "database",
        "schema",
        "web",
        "scheduler",
        "plays",
    }
    reach = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
    controller("exec", "-T", "web", "python", "-c", reach, "database", "3306")
    # Neither network of a service leads out of the machine, nor from the front door to the database.
    proxy = controller.containers()["proxy"]["Id"]
    assert docker("exec", proxy, "getent", "hosts", "web") != ""
    assert docker("exec", proxy, "getent", "hosts", "database", check=False) == ""


@pytest.mark.parametrize("service", READ_ONLY_USERS)
def test_each_runs_closed(controller: Composed, service: str) -> None:
    container = controller.containers()[service]
    assert container["Config"]["User"].split(":")[0] == READ_ONLY_USERS[service]
    host = container["HostConfig"]
    assert (host["ReadonlyRootfs"], host["Privileged"]) == (True, False)
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    # Of the process as the kernel has it.
    status = docker("exec", container["Id"], "cat", "/proc/1/status")
    told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(told["CapEff"], 16) == 0
    assert int(told["CapBnd"], 16) == 0
    assert told["NoNewPrivs"] == "1"
    assert set(told["Uid"].split()) == {READ_ONLY_USERS[service]}
    refused = docker("exec", container["Id"], "sh", "-c", "touch /etc/x /usr/x /x 2>&1; true")
    assert refused.count("Read-only file system") == 3


def test_no_secret_stands_in_an_argument_or_a_variable(controller: Composed) -> None:
    secrets = [controller.secret(name) for name in ("broker-password", "database-password", "admin-password")]
    for name, container in controller.containers().items():
        told = json.dumps(container)
        assert [one for one in secrets if one in told] == [], name
        log = subprocess.run(["docker", "logs", container["Id"]], capture_output=True, text=True, check=True)
        assert [one for one in secrets if one in log.stdout + log.stderr] == [], name
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                seen = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            assert not any(one.encode() in seen for one in secrets), entry


def test_database_and_broker_have_the_platforms_user_alone(controller: Composed) -> None:
    database = controller.containers()["database"]["Id"]
    ask = "SELECT CONCAT(user, '@', host) FROM mysql.user WHERE user <> 'mariadb.sys' ORDER BY 1"
    users = docker("exec", database, "mariadb", "--no-defaults", "-BN", "-e", ask).split()
    assert users == ["mysql@localhost", "root@localhost", "skerry@%"]
    grants = docker("exec", database, "mariadb", "--no-defaults", "-BN", "-e", "SHOW GRANTS FOR 'skerry'@'%'")
    assert [line.split(" TO ")[0] for line in grants.splitlines()] == [
        "GRANT USAGE ON *.*",
        "GRANT ALL PRIVILEGES ON `skerry`.*",
    ]
    settings = "SELECT @@transaction_isolation, @@innodb_flush_log_at_trx_commit, @@character_set_server"
    assert docker("exec", database, "mariadb", "--no-defaults", "-BN", "-e", settings).split() == [
        "READ-COMMITTED",
        "1",
        "utf8mb4",
    ]
    listing = (
        "import base64, json, os, urllib.request; "
        "w = open('/run/secrets/broker-password').read().strip(); "
        "r = urllib.request.Request('http://broker:15672/api/users'); "
        "r.add_header('Authorization', 'Basic ' + base64.b64encode(f'skerry:{w}'.encode()).decode()); "
        "print(*[u['name'] for u in json.load(urllib.request.urlopen(r))])"
    )
    assert controller("exec", "-T", "web", "python", "-c", listing).split() == ["skerry"]


def test_a_job_runs_before_and_after_it_went_down(
    controller: Composed, machine: dict[str, Any], key: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "digits.zip", "w") as archive:
        for name in ("app.yml", "model.npz", "predict.py", "requirements.txt"):
            archive.write(DIGITS / name, name)
    with controller.api() as api:
        wish = {
            "name": "edge",
            "connection": "ssh",
            "address": machine["address"],
            "ssh_port": machine["port"],
            "ssh_user": machine["user"],
            "host_key": machine["host_key"],
            "private_key": key.read_text(),
        }
        play = api.post("/nodes", json=wish).raise_for_status().json()["play"]
        registered = ended(api, f"/plays/{play['id']}", "play", 240)
        assert registered["state"] == "succeeded", registered
        with (tmp_path / "digits.zip").open("rb") as file:
            api.post("/apps", files={"file": ("digits.zip", file)}).raise_for_status()
        first, found = predictions(api)
        assert len(found.splitlines()) > 10

    # Docker removes no network that somebody is on; a machine elsewhere would not notice.
    network = f"{controller.name}_nodes"
    docker("network", "disconnect", network, machine["name"])
    controller("down")
    assert controller.containers() == {}
    controller.up()
    docker("network", "connect", network, machine["name"])

    with controller.api() as api:
        assert api.get(f"/jobs/{first}/outputs/predictions.csv").raise_for_status().text == found
        # The node has come back by itself: its machine knew the broker by its name.
        second, again = predictions(api)
        assert second != first
        assert again == found


def test_the_front_door_finds_another_web_front(controller: Composed) -> None:
    # Another container of the web front has another address.
    controller("rm", "--stop", "--force", "web")
    controller("up", "--detach", "--no-deps", "web")
    until = time.monotonic() + 60
    while True:
        try:
            with controller.api() as api:
                if api.get("/health").status_code == 200:
                    break
        except (AssertionError, httpx.HTTPError):
            assert time.monotonic() < until, "the front door does not find the new web front"
        time.sleep(0.5)


def test_preparing_again_keeps_the_secrets_and_a_changed_password_is_taken(controller: Composed) -> None:
    before = {file.name: file.read_text() for file in (controller.home / "secrets").iterdir()}
    certificate = (controller.home / "tls/tls.pem").read_text()
    controller.prepare()
    assert {file.name: file.read_text() for file in (controller.home / "secrets").iterdir()} == before
    assert (controller.home / "tls/tls.pem").read_text() == certificate

    for name in ("broker-password", "database-password"):
        file = controller.home / "secrets" / name
        file.write_text("another" + file.read_text())
    controller("up", "--detach", "--force-recreate")
    controller.wait_until_well()
    with controller.api() as api:
        assert api.get("/health").json()["status"] == "ok"
