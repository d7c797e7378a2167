"""A controller's machine runs the image of a registry, by `site.yml`, and then another version."""

from __future__ import annotations

import json
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
from support.checkouts import built, checked_out, of_version
from support.composed import docker
from support.machines import make_machine, remove_machine
from support.pipelines import read
from support.registry import PrivateRegistry

from wire import VERSION

pytestmark = pytest.mark.long

PROJECT = Path(__file__).resolve().parents[2]
OWNER = f"{PROJECT}:containers"
MACHINE = "skerry-machine:debian-13"
NEXT = "99.1.0"
PASSWORD = "the-registrys-own-password"
ADMIN = "the-first-users-password"
BROKER = "a-password-of-this-test-alone"


@dataclass(frozen=True)
class Lab:
    """A machine of its own in the groups `brokers` and `controllers` of an inventory."""

    name: str
    inventory: Path
    images: dict[str, str]
    """By version, the image's name in the registry."""

    def play(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ansible-playbook", "-i", str(self.inventory), "playbooks/site.yml", *words],
            cwd=PROJECT,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def run(self, command: str) -> str:
        """What a command prints on the machine, as root."""
        return docker("exec", self.name, "sh", "-c", command)

    def version(self) -> str:
        """What the web front says that it is."""
        ask = (
            "import json, urllib.request as u\n"
            "def call(path, **more):\n"
            "    r = u.Request('http://127.0.0.1:8460/api/v1' + path, **more)\n"
            "    r.add_header('Content-Type', 'application/json')\n"
            "    return json.load(u.urlopen(r, timeout=10))\n"
            f"body = json.dumps({{'user': 'admin', 'password': {ADMIN!r}}}).encode()\n"
            "token = call('/tokens', data=body)['token']\n"
            "print(call('/openapi.json', headers={'Authorization': 'Bearer ' + token})['info']['version'])\n"
        )
        return docker("exec", self.name, "python3", "-c", ask)


@pytest.fixture(scope="module")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRegistry]:
    """One that lets nobody in without a password, and that machines beside this one reach."""
    made = PrivateRegistry(tmp_path_factory.mktemp("closed"), listen="0.0.0.0", password=PASSWORD)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def images(
    closed_registry: PrivateRegistry, checkout: Path, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """This version and a later one, pushed."""
    later = of_version(checked_out(tmp_path_factory.mktemp("later")), NEXT)
    built(later)
    login = tmp_path_factory.mktemp("login")
    command = ["docker", "--config", str(login), "login", "--username", closed_registry.USER, "--password-stdin"]
    subprocess.run([*command, closed_registry.host], input=PASSWORD, text=True, check=True, capture_output=True)
    found = {}
    for version in (VERSION, NEXT):
        found[version] = f"{closed_registry.host}/skerry:{version}"
        if version == VERSION:
            docker("tag", image, found[version])
        else:
            wheel = f"--build-arg=WHEEL=dist/skerry-{version}-py3-none-any.whl"
            docker("build", f"--build-arg=BASE_IMAGE={MACHINE}", wheel, f"--tag={found[version]}", str(later))
        docker("--config", str(login), "push", "--quiet", found[version])
    shutil.rmtree(login)
    yield found
    docker("image", "rm", *found.values(), check=False)


@pytest.fixture(scope="module")
def lab(
    images: dict[str, str], closed_registry: PrivateRegistry, key: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    name = f"skerry-containers-controller-{os.getpid()}"
    # Docker's own files on a volume: an overlay cannot lie on another.
    machine = make_machine(name, OWNER, "--user=root", f"--authorized-key={key}.pub", "--share=/var/lib/docker")
    forward_registry(name, closed_registry.port)
    # Its Docker makes control groups, as on a machine of its own.
    groups = "awk '$3 ~ /^cgroup/ {print $2}' /proc/mounts | xargs -n 1 mount -o remount,bind,rw"
    docker("exec", name, "sh", "-c", groups)
    # As any installed Debian has them.
    docker("exec", name, "apt-get", "-q", "update")
    folder = tmp_path_factory.mktemp("inventory")
    (folder / "known_hosts").write_text(f"{machine['address']} {machine['host_key']}\n")
    variables = {
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={folder}/known_hosts -o IdentitiesOnly=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
        "rabbitmq_admin_password": BROKER,
        "webfront_broker_password": BROKER,
        "webfront_database_url": "sqlite:////var/lib/skerry/skerry.sqlite",
        "webfront_admin_password": ADMIN,
        "webfront_install_method": "image",
        "webfront_image": images[VERSION],
        "webfront_registry_user": closed_registry.USER,
        "webfront_registry_password": PASSWORD,
    }
    hosts = {name: {"ansible_host": machine["address"], "ansible_user": "root"}}
    children = {group: {"hosts": {name: None}} for group in ("brokers", "controllers")}
    inventory = {"all": {"hosts": hosts, "vars": variables, "children": children}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
    yield Lab(name, folder / "hosts.yml", images)
    print(docker("exec", name, "journalctl", "--no-pager", "--lines=80", check=False))
    remove_machine(name)


def forward_registry(name: str, port: int) -> None:
    """Lead a port of the machine's loopback address to the same port of this machine."""
    gateway = docker("inspect", "--format", "{{.NetworkSettings.Gateway}}", name)
    unit = {
        "registry.socket": f"[Socket]\nListenStream=127.0.0.1:{port}\n[Install]\nWantedBy=sockets.target\n",
        "registry.service": f"[Service]\nExecStart=/usr/lib/systemd/systemd-socket-proxyd {gateway}:{port}\n",
    }
    for file, content in unit.items():
        subprocess.run(
            ["docker", "exec", "--interactive", name, "tee", f"/etc/systemd/system/{file}"],
            input=content,
            text=True,
            check=True,
            capture_output=True,
        )
    docker("exec", name, "systemctl", "enable", "--now", "--quiet", "registry.socket")


def recap(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    [changed] = re.findall(r"ok=\d+ +changed=(\d+)", done.stdout)
    return str(changed)


def test_check_mode_works_before_there_is_docker(lab: Lab) -> None:
    assert recap(lab.play("--check")) != "0"
    assert lab.run("ls /usr/bin/docker 2>/dev/null; true") == ""


def test_the_image_runs_and_a_second_run_changes_nothing(lab: Lab) -> None:
    recap(lab.play())
    assert lab.version() == VERSION
    assert recap(lab.play()) == "0"
    assert recap(lab.play("--check")) == "0"


def test_each_process_runs_in_the_image_with_the_roles_own_user(lab: Lab) -> None:
    user = lab.run("id -u skerry")
    for process in ("web", "scheduler", "plays"):
        [told] = json.loads(lab.run(f"docker inspect skerry-{process}"))
        assert told["Config"]["User"].split(":")[0] == user
        assert told["HostConfig"]["ReadonlyRootfs"] is True
        assert told["HostConfig"]["CapDrop"] == ["ALL"]
        assert lab.run(
            f"systemctl is-active skerry-{process}.service; systemctl is-enabled skerry-{process}.service"
        ) == ("active\nenabled")
    # ssh knows who it runs as, which it asks of the machine's list.
    image = lab.run("docker inspect --format '{{.Image}}' skerry-plays")
    assert lab.run(f"/opt/skerry/run-image - {image} id -un </dev/null") == "skerry"


def test_no_secret_stands_in_an_argument_or_is_read_by_another_user(lab: Lab) -> None:
    seen = lab.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; docker inspect skerry-web skerry-scheduler skerry-plays")
    for secret in (PASSWORD, BROKER, ADMIN):
        assert secret not in seen
    assert lab.run("stat -c %a:%U /opt/skerry/registry /opt/skerry/registry/config.json").split() == [
        "700:root",
        "600:root",
    ]
    readable = (
        "su nobody -s /bin/sh -c 'find /etc/skerry /var/lib/skerry /opt/skerry/registry -readable -type f' 2>/dev/null"
    )
    assert lab.run(f"{readable}; true") == ""


def test_the_platforms_user_runs_the_command_and_not_docker(lab: Lab) -> None:
    # As the playbooks call it: without a terminal, words on standard input.
    asked = lab.run("su skerry -s /bin/sh -c 'skerry-admin migrate </dev/null'")
    assert json.loads(asked)["changed"] is False
    assert "denied" in lab.run("su skerry -s /bin/sh -c 'docker ps' 2>&1; true")


def test_a_killed_process_comes_back(lab: Lab) -> None:
    before = lab.run("docker inspect --format '{{.Id}}' skerry-web")
    lab.run("docker kill skerry-web")
    lab.run(
        "for i in $(seq 60); do now=$(docker inspect --format '{{.Id}}' skerry-web 2>/dev/null); "
        f'[ -n "$now" ] && [ "$now" != {before} ] && exit 0; sleep 0.5; done; exit 1'
    )


def test_the_static_files_are_there_for_a_proxy_on_the_machine(lab: Lab) -> None:
    assert "font-face" in lab.run("su www-data -s /bin/sh -c 'cat /opt/skerry/static/skerry.css'")


def test_check_mode_tells_another_version_and_changes_nothing(lab: Lab) -> None:
    told = lab.play("--check", "--diff", "--extra-vars", f"webfront_image={lab.images[NEXT]}")
    assert recap(told) != "0"
    assert lab.version() == VERSION


def test_the_pipelines_deployment_brings_another_version_and_the_first_again(
    lab: Lab, closed_registry: PrivateRegistry, key: Path, tmp_path: Path
) -> None:
    [command] = read(PROJECT / "Jenkinsfile").stages()["Deploy"].shells()
    (tmp_path / "vault").write_text("not asked for: the inventory has no vault")
    given = {
        "INVENTORY": str(lab.inventory),
        "REGISTRY": closed_registry.host,
        "REGISTRY_USER": closed_registry.USER,
        "REGISTRY_PASSWORD": PASSWORD,
        "ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "vault"),
        "ANSIBLE_PRIVATE_KEY_FILE": str(key),
    }
    for version in (NEXT, VERSION):
        environment = {**os.environ, **given, "VERSION": version}
        done = subprocess.run(
            ["sh", "-xe", "-c", command],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        recap(done)
        assert PASSWORD not in done.stdout + done.stderr
        assert lab.version() == version
