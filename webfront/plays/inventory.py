"""The files of a play's private directory: the node as a host, its pinned host key, and the play's variables.

Everything a person typed is written as `!unsafe`: Ansible would otherwise run a `{{ ... }}` in it as a template, on the
controller.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from webfront.fleet.views import Secrets

AGENTLESS: Final = "agentless_nodes"
"""The group of nodes without an agent."""
NOT_REACHED: Final = "none"
"""The connection of nodes that have joined by themselves: their plays do their work on the controller."""
_CONTROL_PERSIST: Final = (
    "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=15 -o ServerAliveCountMax=3"
)


REMOTE_FOLDER: Final = "~/.ansible/skerry"
"""Where Ansible keeps its files on the machine while a step runs; `register.yml` and `remove.yml` tidy it up."""


class Machine(msgspec.Struct, frozen=True):
    """The node as a play needs it."""

    name: str
    connection: str
    address: str = ""
    port: int = 22
    user: str = ""
    group: str = "ssh_nodes"
    """Its group in the inventory, where it is reached over SSH."""


class SshAccess(msgspec.Struct, frozen=True):
    """How an ssh node lets the play in."""

    host_keys: str
    """One `type key` a line."""
    identity: Path | None = None
    """The platform's private key, or the public half of the one that ssh-agent holds."""
    tries_password: bool = False
    """Whether the password is for signing in too, where the key does not let it in; else it is for sudo alone."""


class Typed(str):
    """Text from a person: never a template."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(Typed, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value), style='"'))


def write_private(path: Path, content: str) -> Path:
    """Write a new file that only this user reads, from its first moment on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    return path


def write_yaml(path: Path, content: dict[str, Any]) -> Path:
    """Write a new private YAML file."""
    # Wide, so that nothing is folded over lines.
    return write_private(path, yaml.dump(content, Dumper=_Dumper, width=100_000, allow_unicode=True))


def write_hosts(folder: Path, machine: Machine, access: SshAccess | None, secrets: Secrets) -> Path:
    """The generated inventory file, `hosts.yml` in `folder`; for an ssh node its `known_hosts` too.

    A password stands in it, for this host alone: as an extra variable it would be used for the controller's sudo too.
    """
    if machine.connection == NOT_REACHED:
        # In the group of the others, for its variables. A task that would go there all the same finds nobody.
        host: dict[str, Any] = {"ansible_connection": "ssh", "ansible_host": "not-reached.invalid"}
        group = machine.group
    elif machine.connection == "local" or access is None:
        host = {"ansible_connection": "local"}
        group = "local_nodes"
    else:
        host = _over_ssh(folder, machine, access, secrets)
        group = machine.group
    if secrets.password and machine.user != "root":
        host["ansible_become_password"] = Typed(secrets.password)
    if group == AGENTLESS:
        # No node of `nodes`, which the playbooks for agents are about.
        return write_yaml(folder / "hosts.yml", {group: {"hosts": {machine.name: host}}})
    groups = {"nodes": {"hosts": {machine.name: host}}, group: {"hosts": {machine.name: None}}}
    return write_yaml(folder / "hosts.yml", groups)


def write_agentless(folder: Path, machines: Mapping[str, tuple[Machine, SshAccess, dict[str, Any]]]) -> Path:
    """The inventory file of plays about several nodes without an agent, with each one's own variables."""
    hosts = {}
    for name, (machine, access, variables) in machines.items():
        own = folder / name
        own.mkdir(mode=0o700)
        hosts[name] = {**_over_ssh(own, machine, access, Secrets()), **variables}
    return write_yaml(folder / "hosts.yml", {AGENTLESS: {"hosts": hosts}})


def known_hosts(name: str, host_keys: str) -> str:
    """A known_hosts file for the node, which is known by its name whatever its address and port."""
    return "".join(f"{name} {key}\n" for key in host_keys.splitlines())


def ssh_options(name: str, known_hosts_file: Path) -> list[str]:
    """How ssh is to reach the node: this host key or none, and no question asked of anybody."""
    return [
        f"UserKnownHostsFile={known_hosts_file}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        # The pinned key belongs to the node, whatever its address and port.
        f"HostKeyAlias={name}",
        "ConnectTimeout=15",
        "NumberOfPasswordPrompts=1",
    ]


def _over_ssh(folder: Path, machine: Machine, access: SshAccess, secrets: Secrets) -> dict[str, Any]:
    file = write_private(folder / "known_hosts", known_hosts(machine.name, access.host_keys))
    # `-F`: no configuration of the user this process runs as has a say in it.
    options = [*(f"-o {shlex.quote(one)}" for one in ssh_options(machine.name, file)), "-F /dev/null"]
    host: dict[str, Any] = {
        "ansible_connection": "ssh",
        "ansible_host": Typed(machine.address),
        "ansible_port": machine.port,
        "ansible_user": Typed(machine.user),
        "ansible_ssh_args": _CONTROL_PERSIST,
        "ansible_host_key_checking": True,
        # A folder of the platform's own: what a play that was cut off left in it, the next one may remove.
        "ansible_remote_tmp": REMOTE_FOLDER,
    }
    if access.identity is not None:
        # Only this key, not whatever else this user or an agent has: a wrong one must show as wrong.
        options.append("-o IdentitiesOnly=yes")
        host["ansible_ssh_private_key_file"] = str(access.identity)
    if access.tries_password:
        host["ansible_password"] = Typed(secrets.password)
        # Handed to ssh in shared memory that only this user reads; not in an argument, nor in the environment.
        host["ansible_ssh_password_mechanism"] = "ssh_askpass"  # noqa: S105 - the mechanism's name
    host["ansible_ssh_common_args"] = " ".join(options)
    return host
