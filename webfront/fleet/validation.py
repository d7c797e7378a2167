"""Checking what a registration asks for, so that no play is begun that cannot end well."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import Final

import msgspec

from webfront.errors import InvalidInput
from webfront.fleet.views import NewNode, Secrets
from wire.topology import NODE_NAME, NODE_NAME_RULE

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?")
_USER: Final = re.compile(r"(?:[A-Za-z0-9_.-]{1,31}\\)?[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
"""Also as directories name people: `CORP\\user`, `user@corp.example`."""
_LONGEST_USER: Final = 64
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")
_HOST_KEY: Final = re.compile(r"SHA256:[A-Za-z0-9+/=]{20,60}|(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]{40,}")
_LARGEST_KEY: Final = 16 * 1024
_MOST_SLOTS: Final = 256
_MOST_LABELS: Final = 20


def check_new_node(new: NewNode) -> NewNode:
    """What a form or a request asks for, in its stored form, with a way in. InvalidInput names the field."""
    new = check_machine(new)
    if new.connection == "local":
        return new
    secrets = check_secrets(new.secrets)
    if not secrets.private_key and not secrets.password and not new.has_platform_key:
        raise _refuse(
            "private_key",
            "Give a private key or a one-time password, so that the platform gets in, or add its own key first.",
        )
    return msgspec.structs.replace(new, secrets=secrets)


def check_machine(new: NewNode) -> NewNode:
    """The node's row without what is secret, in its stored form: the one set of rules for it. InvalidInput."""
    name = new.name.strip()
    if not NODE_NAME.fullmatch(name):
        raise _refuse("name", f"A node's name has {NODE_NAME_RULE}.")
    if not 1 <= new.slots <= _MOST_SLOTS:
        raise _refuse("slots", f"A node has 1 to {_MOST_SLOTS} slots: how many jobs it runs at once.")
    labels = tuple(dict.fromkeys(label.strip() for label in new.labels if label.strip()))
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise _refuse("labels", f"{label[:40]!r} is no label: up to 32 of a-z, 0-9, dot, hyphen, underscore.")
    if len(labels) > _MOST_LABELS:
        raise _refuse("labels", f"A node has at most {_MOST_LABELS} labels.")
    if new.agentless and new.connection != "ssh":
        raise _refuse("connection", "A machine without an agent is reached over SSH.")
    if new.connection == "local":
        return NewNode(name=name, connection="local", address="localhost", labels=labels, slots=new.slots)
    if new.connection != "ssh":
        raise _refuse("connection", "The connection is `ssh` or `local`.")
    if new.joined:
        # `ssh`, though nothing signs in there: an older release then finds nobody, and touches nothing.
        return NewNode(
            name=name, connection="ssh", address=new.address[:255], labels=labels, slots=new.slots, joined=True
        )
    return _check_ssh(msgspec.structs.replace(new, name=name, labels=labels))


def _check_ssh(new: NewNode) -> NewNode:
    address, user = new.address.strip(), new.ssh_user.strip()
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]  # as it stands in a URL
    if not _NAME.fullmatch(address) and not _is_ipv6(address):
        raise _refuse("address", "Give the machine's address: a host name or an IP address, without port or user.")
    if not 1 <= new.ssh_port <= 65535:
        raise _refuse("ssh_port", "A port is a number from 1 to 65535; SSH's is 22.")
    if len(user) > _LONGEST_USER or not _USER.fullmatch(user):
        raise _refuse("ssh_user", "Give the user to sign in as over SSH: root, or one that may use sudo.")
    host_key = "\n".join(line.strip() for line in new.host_key.splitlines() if line.strip())
    if len(host_key) > _LARGEST_KEY or any(not _HOST_KEY.search(line) for line in host_key.splitlines()):
        raise _refuse("host_key", "A host key is a line of known_hosts, `type key`, or a fingerprint (SHA256:...).")
    return msgspec.structs.replace(new, address=address, ssh_user=user, host_key=host_key)


def check_secrets(secrets: Secrets) -> Secrets:
    """The secrets in the form the plays need. The error never repeats them."""
    password = secrets.password
    if len(password) > 1000 or "\n" in password or "\0" in password:
        raise _refuse("password", "This cannot be a password: it is too long or has more than one line.")
    key = secrets.private_key.replace("\r\n", "\n").strip()
    if not key:
        return Secrets(password=password)
    if len(key) > _LARGEST_KEY:
        raise _refuse("private_key", f"A private key has at most {_LARGEST_KEY // 1024} KiB.")
    lines = key.split("\n")
    if not re.fullmatch(r"-----BEGIN [A-Z ]*PRIVATE KEY-----", lines[0]) or not lines[-1].startswith("-----END "):
        raise _refuse("private_key", "This is no private key: it begins with -----BEGIN ... PRIVATE KEY-----.")
    if _has_passphrase(lines):
        raise _refuse("private_key", "This key is locked with a passphrase. Give one without, or a password instead.")
    return Secrets(private_key=key + "\n", password=password)


def _has_passphrase(lines: list[str]) -> bool:
    if "ENCRYPTED" in lines[0] or any("ENCRYPTED" in line for line in lines[1:4]):
        return True
    if "OPENSSH" not in lines[0]:
        return False
    try:
        data = base64.b64decode("".join(lines[1:-1]), validate=True)
    except binascii.Error:
        raise _refuse("private_key", "This private key is damaged: copy it again, whole.") from None
    # openssh-key-v1: the magic, then the name of the cipher with its length.
    magic = b"openssh-key-v1\0"
    length = int.from_bytes(data[len(magic) : len(magic) + 4], "big")
    return data.startswith(magic) and data[len(magic) + 4 : len(magic) + 4 + length] != b"none"


def _is_ipv6(address: str) -> bool:
    """Also a link-local one with its zone, `fe80::1%eth0`."""
    plain, _, zone = address.partition("%")
    if zone and not _NAME.fullmatch(zone):
        return False
    try:
        ipaddress.IPv6Address(plain)
    except ValueError:
        return False
    return True


def _refuse(field: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, detail={"field": field})
