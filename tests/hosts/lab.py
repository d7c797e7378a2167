"""What `./lab` does once its tools are there: see its head.

The machines are those of the other tests (machines.py), the inventory is `inventories/lab` with a second one beside it
that says where the machines are and how they are reached, and the playbooks are the fleet's own. Killed anywhere, `up`
goes on from what it finds; a machine that is there is kept.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import ipaddress
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ansible_mitogen
import yaml
from hosts.machines import Machine, MachineError, address, create, destroy, docker, host_key

PROJECT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("SKERRY_LAB_HOME", PROJECT / ".lab"))
KEY = HOME / "id_ed25519"
OWNER = f"lab:{HOME}"
PREFIX = "skerry-lab-"
"""How the machines' names in the inventory begin."""
SUFFIX = "-" + hashlib.sha256(str(HOME).encode()).hexdigest()[:8]
"""How the names of their containers end: two labs may stand side by side."""
NETWORK = PREFIX + "network" + SUFFIX
SERVICES = ("database", "controller")
PLACES = {"broker": 10, "database": 20, "controller": 30, "node": 40}
"""Where in the lab's network the addresses of each kind begin."""
SHARING = ("controller", "node")
"""Machines whose names begin so see the share: one directory of this machine, since their kernel has no NFS."""
SECRETS = ("rabbitmq_admin", "webfront_admin", "mysql_webfront")


class LabError(Exception):
    """Something is wrong with the lab; the words say what to do."""


def up(nodes: int, brokers: int = 1) -> None:
    """Make what is missing, provision it, register the nodes, and say where it is."""
    begun = time.monotonic()
    make_home()
    wanted = ["broker", *(f"broker-{number}" for number in range(2, brokers + 1)), *SERVICES]
    wanted += [f"node-{number}" for number in range(1, nodes + 1)]
    there = running()
    machines = []
    for name in wanted:
        step(f"machine {name}")
        machines.append(there[name] if name in there else make(name))
    destroy([PREFIX + name + SUFFIX for name in set(there) - set(wanted)])
    write_inventory(machines)
    play("site.yml", *(["register.yml"] if nodes else []))
    print(f"\nThe lab is up after {time.monotonic() - begun:.0f} s.\n")
    status()


def down() -> None:
    """Remove the machines, and what was kept of them."""
    destroy(docker("ps", "--all", "--quiet", "--filter", f"label=skerry.owner={OWNER}").split())
    if networks := docker("network", "ls", "--quiet", "--filter", f"label=skerry.owner={OWNER}").split():
        docker("network", "rm", *networks)
    shutil.rmtree(HOME, ignore_errors=True)


def status() -> int:
    """Print what is there. 0 when all of it runs."""
    inventory = HOME / "inventory/hosts.yml"
    if not inventory.exists():
        print("There is no lab: ./lab up makes one.")
        return 1
    known = yaml.safe_load(inventory.read_text())["all"]["hosts"]
    there = running()
    for host, variables in known.items():
        short = host.removeprefix(PREFIX)
        state = "running" if short in there else "gone"
        print(f"  {short:<12} {state:<8} {variables['ansible_host']:<16} ./lab ssh {short}")
    controller = known[f"{PREFIX}controller"]["ansible_host"]
    print(f"\nThe web front: https://{controller}/")
    print("Its authority: ./lab ssh controller cat /etc/nginx/skerry/ca.crt")
    print(f"Sign in as:    admin, with the password in {HOME}/secrets/webfront_admin")
    return 0 if len(there) == len(known) else 1


def ssh(name: str, command: list[str]) -> int:
    """Sign in to a machine; the exit code of what ran there."""
    machine = running().get(name)
    if machine is None:
        raise LabError(f"There is no machine {name} that runs; ./lab status lists them.")
    options = [
        "-i",
        str(KEY),
        "-o",
        f"UserKnownHostsFile={HOME}/known_hosts",
        "-o",
        "IdentitiesOnly=yes",
    ]
    return subprocess.run(["ssh", *options, f"root@{machine.address}", *command], check=False).returncode


def make_home() -> None:
    for folder in (HOME, HOME / "secrets", HOME / "inventory", HOME / "share"):
        folder.mkdir(mode=0o700, exist_ok=True)
    (HOME / "share").chmod(0o755)
    if not KEY.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "skerry-lab", "-f", str(KEY)], check=True)
    for name in SECRETS:
        file = HOME / "secrets" / name
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24))


def make(name: str) -> Machine:
    return create(
        PREFIX + name + SUFFIX,
        release="debian-13",
        owner=OWNER,
        user="root",
        authorized_key=KEY.with_suffix(".pub"),
        password=None,
        shares=[f"{HOME / 'share'}:/srv/skerry"] if name.startswith(SHARING) else [],
        place=(NETWORK, place(name)),
    )


def place(name: str) -> str:
    """The machine's address, which it keeps when it is switched off and on."""
    kind, _, number = name.partition("-")
    return str(network()[PLACES[kind] + int(number or 1) - 1])


@functools.cache
def network() -> ipaddress.IPv4Network:
    """The addresses of the lab's network, which is made if it is not there."""
    inspect = ("network", "inspect", NETWORK, "--format", "{{(index .IPAM.Config 0).Subnet}}")
    if not docker("network", "ls", "--quiet", "--filter", f"name=^{NETWORK}$"):
        # Docker knows which addresses are free, and lets machines choose theirs where the addresses were chosen.
        docker("network", "create", NETWORK)
        free = docker(*inspect)
        docker("network", "rm", NETWORK)
        docker("network", "create", f"--subnet={free}", f"--label=skerry.owner={OWNER}", NETWORK)
    return ipaddress.IPv4Network(docker(*inspect))


def running() -> dict[str, Machine]:
    """The machines that run, by their names without the prefix, where Docker says they are now."""
    found = {}
    names = docker("ps", "--format", "{{.Names}}", "--filter", f"label=skerry.owner={OWNER}").split()
    for full in names:
        found[full.removeprefix(PREFIX).removesuffix(SUFFIX)] = Machine(full, address(full), 22, "root", host_key(full))
    return found


def write_inventory(machines: list[Machine]) -> None:
    """Where the machines are, and the secrets, beside `inventories/lab`."""
    (HOME / "known_hosts").write_text("".join(f"{one.address} {one.host_key}\n" for one in machines))
    hosts = {one.name.removesuffix(SUFFIX): {"ansible_host": one.address} for one in machines}
    nodes = {name: None for name in hosts if name.startswith(f"{PREFIX}node-")}
    brokers = {name: None for name in hosts if name.startswith(f"{PREFIX}broker")}
    variables: dict[str, Any] = {
        "ansible_ssh_private_key_file": str(KEY),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={HOME}/known_hosts -o IdentitiesOnly=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    for name in SECRETS:
        variables[f"vault_{name}_password"] = (HOME / "secrets" / name).read_text()
    inventory = {"all": {"hosts": hosts, "vars": variables, "children": {"ssh_nodes": {"hosts": nodes}}}}
    inventory["all"]["children"]["brokers"] = {"hosts": brokers}
    file = HOME / "inventory/hosts.yml"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(inventory))


def play(*playbooks: str) -> None:
    """In one process. Mitogen keeps a Python on each machine, where Ansible starts one for each task."""
    step(", ".join(playbooks))
    command = ["ansible-playbook", "-i", "inventories/lab", "-i", str(HOME / "inventory")]
    command += [f"playbooks/{playbook}" for playbook in playbooks]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment["ANSIBLE_STRATEGY_PLUGINS"] = str(Path(ansible_mitogen.__file__).parent / "plugins/strategy")
    environment["ANSIBLE_STRATEGY"] = "mitogen_linear"
    if subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode:
        raise LabError("A playbook failed; the lines above say where. Run ./lab up again when it is mended.")


def step(words: str) -> None:
    print(f"-- {words}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./lab", description="A fleet on this machine, on containers.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    rising = verbs.add_parser("up", help="make, provision and register what is missing")
    rising.add_argument("--nodes", type=int, default=2, choices=range(10), metavar="N")
    rising.add_argument("--brokers", type=int, default=1, choices=(1, 3), metavar="N")
    verbs.add_parser("down", help="remove all of it")
    verbs.add_parser("status", help="say what is there")
    signing = verbs.add_parser("ssh", help="sign in to a machine")
    signing.add_argument("name")
    signing.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    try:
        match asked.verb:
            case "up":
                up(asked.nodes, asked.brokers)
            case "down":
                down()
            case "status":
                return status()
            case "ssh":
                return ssh(asked.name, asked.command)
    except (LabError, MachineError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
