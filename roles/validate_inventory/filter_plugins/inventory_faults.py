"""What is wrong with an inventory, as far as the inventory alone can tell: all of it at once, with what to change.

Pure: groups and the hosts' variables in, sentences out. No sentence holds the value of a secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

GROUPS: Final = (
    "brokers",
    "controllers",
    "databases",
    "file_servers",
    "proxies",
    "logstash",
    "nodes",
    "local_nodes",
    "ssh_nodes",
    "agentless_nodes",
)
"""The groups that the playbooks know."""

NODE_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
"""As `wire.topology` has it, and the next three as `webfront.fleet.validation`: a test compares them."""
LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
MOST_SLOTS: Final = 256
MOST_LABELS: Final = 20

PLACEHOLDER: Final = "replace-with"
"""How the example's vault begins what is to be replaced."""
SECRETS: Final = {
    "rabbitmq_admin_password": ("brokers", 16),
    "webfront_broker_password": ("controllers", 16),
    "webfront_admin_password": ("controllers", 12),
    "webfront_database_password": ("controllers", 0),
}
"""Each with the group whose hosts need it, and its shortest length; 0 where it may be left out."""
_SOURCE: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\]):(?:/[A-Za-z0-9_.-]+)+")
"""What the role nfs_client mounts."""
_LOOPBACK: Final = re.compile(r"localhost|127\.[0-9.]+|::1")


class Inventory(NamedTuple):
    """Groups by name, each with its hosts; and each host's variables."""

    groups: Mapping[str, Sequence[str]]
    hosts: Mapping[str, Mapping[str, Any]]

    def group(self, name: str) -> list[str]:
        return list(self.groups.get(name, []))

    def value(self, host: str, name: str, default: Any = None) -> Any:
        """A host's variable; the default where it has none, or one that needs a variable that is not there."""
        try:
            found = self.hosts[host][name]
            # A variable that refers to a missing one may come as an object that raises when it is used.
            str(found)
        except Exception as error:
            # What looks at another host's variables is not resolved from here: its template stands for it.
            raw = getattr(self.hosts, "raw_get", None)
            return raw(host).get(name, default) if raw is not None and "hostvars" in str(error) else default
        # Older releases of ansible-core give the template itself back where a variable is missing.
        return default if isinstance(found, str) and "{{" in found else found

    def has(self, host: str, name: str) -> bool:
        return name in self.hosts[host]


def inventory_faults(groups: Mapping[str, Sequence[str]], hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The faults of an inventory, in the order in which one would mend them. Empty when there is none."""
    inventory = Inventory(groups, hosts)
    return [fault for check in CHECKS for fault in check(inventory)]


def _unknown_groups(inventory: Inventory) -> Iterator[str]:
    for name in sorted(inventory.groups):
        if name in GROUPS or not inventory.group(name):
            continue
        for known in difflib.get_close_matches(name, GROUPS, 1, 0.8):
            if not inventory.group(known):
                yield f"The group {name} is unknown to the playbooks, and {known} is empty. Rename it to {known}."


def _needed_groups(inventory: Inventory) -> Iterator[str]:
    for name in ("brokers", "controllers"):
        if not inventory.group(name):
            yield f"The group {name} is empty. Put at least one host into it."
    brokers = len(inventory.group("brokers"))
    if brokers > 1 and brokers % 2 == 0:
        yield (
            f"There are {brokers} brokers. A cluster of an even number stops as easily as one of {brokers - 1}: "
            f"use {brokers - 1} or {brokers + 1}."
        )
    if len(inventory.group("databases")) > 1:
        yield "There are several hosts in the group databases, and a platform has one database. Leave one."


def _secrets(inventory: Inventory) -> Iterator[str]:
    for name, (group, shortest) in SECRETS.items():
        for host in inventory.group(group):
            value = inventory.value(host, name)
            if value is None:
                if inventory.has(host, name):
                    yield f"{name} of {host} refers to a variable that is not there. Set that, best in the vault."
                elif shortest:
                    yield f"{name} of {host} is not set. Set it, best in the vault."
            elif str(value).startswith(PLACEHOLDER):
                yield f"{name} of {host} is still the example's. Put one of your own into the vault."
            elif len(str(value)) < shortest:
                yield f"{name} of {host} is too short. Give it at least {shortest} characters."


def _brokers(inventory: Inventory) -> Iterator[str]:
    """Whether those who connect to the brokers do it as the brokers have it."""
    brokers = inventory.group("brokers")
    managed = [host for host in brokers if inventory.value(host, "rabbitmq_manager", "systemd") == "systemd"]
    encrypted = [
        host
        for host in managed
        if inventory.value(host, "rabbitmq_tls", True) is True
        and _LOOPBACK.fullmatch(str(inventory.value(host, "rabbitmq_plain_address", "127.0.0.1")))
    ]
    for host, where, variables in _told(inventory):
        for role in ("webfront", "node_agent"):
            named = [one.strip() for one in str(variables.value(host, f"{role}_broker_host", "")).split(",")]
            if not named[0] or "{{" in named[0] or all(_LOOPBACK.fullmatch(one) for one in named):
                continue
            if encrypted and variables.value(host, f"{role}_broker_tls", False) is False:
                yield (
                    f"{encrypted[0]} speaks TLS alone (rabbitmq_tls), and {where}{role}_broker_tls of {host} is false. "
                    "Set it to true."
                )
            if len(brokers) in (3, 5, 7) and len(named) != len(brokers):
                yield (
                    f"{where}{role}_broker_host of {host} names {len(named)} of the {len(brokers)} brokers. Name all, "
                    "with commas between, so that any of them can be away."
                )


def _told(inventory: Inventory) -> Iterator[tuple[str, str, Inventory]]:
    """Who connects to the brokers: each with where that is said, and what."""
    for host in [*inventory.group("controllers"), *inventory.group("ssh_nodes")]:
        yield host, "", inventory
    for host in inventory.group("controllers"):
        given = inventory.value(host, "webfront_plays_variables", {})
        if isinstance(given, Mapping):
            yield host, "webfront_plays_variables.", Inventory({}, {host: given})


def _database(inventory: Inventory) -> Iterator[str]:
    controllers = inventory.group("controllers")
    for host in controllers:
        url = str(inventory.value(host, "webfront_database_url", ""))
        if url.startswith("mysql://"):
            continue
        if len(controllers) > 1:
            yield (
                f"{host} would keep its rows in a file of its own, and there are {len(controllers)} controllers. Set "
                "webfront_database_url to mysql://USER@HOST:3306/NAME for all of them."
            )
        elif inventory.group("databases"):
            yield (
                f"There is a host in databases, and {host} does not use it. Set webfront_database_url to "
                "mysql://USER@HOST:3306/NAME."
            )
        elif not url and inventory.value(host, "webfront_manager", "systemd") == "systemd":
            yield (
                f"{host} would keep its rows in an SQLite file. Put a host into databases and set "
                "webfront_database_url to mysql://USER@HOST:3306/NAME; or, for a small platform, set it to "
                "sqlite:////var/lib/skerry/skerry.sqlite yourself."
            )


def _share(inventory: Inventory) -> Iterator[str]:
    servers, controllers = inventory.group("file_servers"), inventory.group("controllers")
    if len(servers) > 1:
        yield "There are several hosts in the group file_servers, and a platform has one share. Leave one."
    for host in controllers:
        if inventory.value(host, "webfront_manager", "systemd") != "systemd" or host in servers:
            continue
        mounts = bool(inventory.value(host, "nfs_client_source", ""))
        if servers and not mounts:
            yield (
                f"There is a host in file_servers, and {host} does not mount its share. Set nfs_client_source to "
                "HOST:/PATH."
            )
        elif mounts and not inventory.value(host, "webfront_share_unit", ""):
            yield f"{host} mounts the share and does not wait for it. Set webfront_share_unit to skerry-share.service."
        elif not mounts and inventory.value(host, "validate_inventory_share_elsewhere", False) is not True:
            yield (
                f"Nothing makes the share that {host} and the nodes need. Put a host into file_servers and set "
                "nfs_client_source to HOST:/PATH; or, where it is there already, say "
                "validate_inventory_share_elsewhere: true."
            )
    for server in servers[:1]:
        for host in controllers:
            for mine, its in (("webfront_uid", "nfs_server_uid"), ("webfront_gid", "nfs_server_gid")):
                there, here = inventory.value(server, its, 60590), inventory.value(host, mine, "")
                if str(there) != str(here):
                    yield (
                        f"{mine} of {host} is {here!r}, and {its} of {server} is {there}. NFS knows users by their "
                        "numbers: give both the same."
                    )
        if (
            inventory.value(server, "nfs_server_uid", 60590) == 0
            or inventory.value(server, "nfs_server_gid", 60590) == 0
        ):
            yield f"The share of {server} would belong to root, who is squashed. Give nfs_server_uid and _gid above 0."


def _front_door(inventory: Inventory) -> Iterator[str]:
    for host in inventory.group("controllers"):
        listens = str(inventory.value(host, "webfront_host", "127.0.0.1"))
        elsewhere = inventory.value(host, "validate_inventory_proxy_elsewhere", False) is True
        if inventory.group("proxies") or elsewhere or not _LOOPBACK.fullmatch(listens):
            continue
        if inventory.value(host, "webfront_secure_cookies", False) is True:
            yield (
                f"{host} asks for HTTPS (webfront_secure_cookies) and nothing speaks it: nobody could sign in. Put a "
                "host into proxies, or say validate_inventory_proxy_elsewhere: true where you have your own."
            )


def _several_controllers(inventory: Inventory) -> Iterator[str]:
    """What one front door needs to reach several web fronts."""
    controllers = inventory.group("controllers")
    if len(controllers) < 2:
        return
    for host in controllers:
        listens = str(inventory.value(host, "webfront_host", "127.0.0.1"))
        if _LOOPBACK.fullmatch(listens):
            yield (
                f"The web front of {host} listens on {listens} alone, and there are {len(controllers)} controllers: "
                "the front door reaches one of them at most. Set webfront_host to the host's address in their network."
            )
        if not inventory.value(host, "webfront_proxy_networks", []):
            yield (
                f"{host} does not know from where the front door speaks to it, and would take it for the client. Set "
                "webfront_proxy_networks to the addresses of the hosts in proxies."
            )
    for host in inventory.group("proxies"):
        fronts = inventory.value(host, "nginx_fronts", ["127.0.0.1:8460"])
        if isinstance(fronts, Sequence) and not isinstance(fronts, str) and len(fronts) < len(controllers):
            yield (
                f"nginx_fronts of {host} names {len(fronts)} of the {len(controllers)} web fronts. Name each, as "
                "HOST:PORT."
            )


def _nodes(inventory: Inventory) -> Iterator[str]:
    reached: dict[tuple[str, int], str] = {}
    for host in (*inventory.group("nodes"), *inventory.group("agentless_nodes")):
        if not NODE_NAME.fullmatch(host):
            yield f"{host} cannot be a node's name. Use up to 32 of a-z, 0-9 and hyphen, with no hyphen at its ends."
        slots = inventory.value(host, "node_slots", 1)
        if not str(slots).isdecimal() or not 1 <= int(slots) <= MOST_SLOTS:
            yield f"node_slots of {host} is {slots!r}. Give a whole number from 1 to {MOST_SLOTS}."
        labels = inventory.value(host, "node_labels", [])
        if isinstance(labels, str) or not isinstance(labels, Sequence):
            yield f"node_labels of {host} is no list. Write it as [one, another]."
        else:
            if len(labels) > MOST_LABELS:
                yield f"{host} has {len(labels)} labels. Leave {MOST_LABELS} at most."
            for label in labels:
                if not LABEL.fullmatch(str(label)):
                    yield f"{label!r} of {host} is no label. Use up to 32 of a-z, 0-9, dot, hyphen and underscore."
        if host in inventory.group("local_nodes"):
            continue
        address = str(inventory.value(host, "ansible_host", host)), int(inventory.value(host, "ansible_port", 22))
        if address in reached:
            yield f"{reached[address]} and {host} are the same machine ({address[0]}). Leave one of them."
        reached.setdefault(address, host)


def _what_nodes_are_told(inventory: Inventory) -> Iterator[str]:
    told = [(host, "", inventory.hosts[host]) for host in inventory.group("ssh_nodes")]
    for host in inventory.group("controllers"):
        given = inventory.value(host, "webfront_plays_variables", {})
        if isinstance(given, Mapping):
            told.append((host, "webfront_plays_variables.", given))
    for host, where, variables in told:
        one = Inventory({}, {host: variables})
        named = str(one.value(host, "node_agent_broker_host", "")).split(",")
        if any(_LOOPBACK.fullmatch(broker.strip()) for broker in named):
            yield (
                f"{where}node_agent_broker_host of {host} is this machine's own loopback address, which other machines "
                "cannot reach. Give the broker's address in their network."
            )
        source = str(one.value(host, "nfs_client_source", ""))
        if source and "{{" not in source and not _SOURCE.fullmatch(source):
            yield f"{where}nfs_client_source of {host} is {source!r}. Name the share to mount as HOST:/PATH."
        elif _LOOPBACK.fullmatch(source.partition(":/")[0].strip("[]")):
            yield (
                f"{where}nfs_client_source of {host} is on this machine's own loopback address, which other machines "
                "cannot reach. Give the file server's address in their network."
            )


CHECKS: Final[tuple[Callable[[Inventory], Iterator[str]], ...]] = (
    _unknown_groups,
    _needed_groups,
    _secrets,
    _brokers,
    _database,
    _share,
    _front_door,
    _several_controllers,
    _nodes,
    _what_nodes_are_told,
)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        return {"inventory_faults": inventory_faults}
