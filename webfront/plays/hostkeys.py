"""A machine's SSH host keys: read from it, compared with the pinned ones, and named by their fingerprints.

Keys are text, one `type key` a line, as in known_hosts without the host. A person may also pin a fingerprint
(`SHA256:...`, as `ssh-keygen -l` prints it) or paste a whole known_hosts line; what is stored afterwards are keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import socket
import subprocess
from typing import Final

from webfront.plays.outcome import Failure, PlayFailed

_CONNECT_TIMEOUT_S: Final = 8.0
_SCAN_TIMEOUT_S: Final = 10
_KEY_TYPES: Final = "ed25519,ecdsa,rsa"
_ADDRESS: Final = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,254}")

_CHECK_ADDRESS: Final = (
    "Check the address and the port, that an SSH server runs there, and that no firewall is in the way."
)


def read_host_keys(address: str, port: int) -> str:
    """The keys the machine shows now, one `type key` a line, ed25519 first. Raises `PlayFailed`."""
    if not _ADDRESS.fullmatch(address):
        raise PlayFailed(Failure(f"{address!r} is not an address", "Give a host name or an IP address."))
    _try_to_connect(address, port)
    try:
        done = subprocess.run(
            ["ssh-keyscan", "-T", str(_SCAN_TIMEOUT_S), "-t", _KEY_TYPES, "-p", str(port), "--", address],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SCAN_TIMEOUT_S * 4,
            check=False,
        )
    except FileNotFoundError:
        raise PlayFailed(
            Failure("`ssh-keyscan` is not installed on the controller", "Install the package openssh-client there.")
        ) from None
    except subprocess.TimeoutExpired:
        done = None
    keys = set()
    for line in done.stdout.splitlines() if done else ():
        if not line.startswith("#") and len(parts := line.split()) == 3:
            keys.add(f"{parts[1]} {parts[2]}")
    if not keys:
        advice = (
            "Check the port. If it is right, the SSH server may have blocked this controller for a while after failed "
            "sign-ins: wait some minutes, then run it again."
        )
        raise PlayFailed(Failure(f"{address} answers on port {port}, but not as an SSH server does", advice))
    return "\n".join(sorted(keys, key=lambda key: (not key.startswith("ssh-ed25519"), key)))


def _try_to_connect(address: str, port: int) -> None:
    try:
        socket.create_connection((address, port), timeout=_CONNECT_TIMEOUT_S).close()
    except socket.gaierror:
        raise PlayFailed(
            Failure(
                f"The name {address} does not resolve to an address",
                "Check the spelling, or give the machine's IP address; the controller's name server does not know it.",
            )
        ) from None
    except ConnectionRefusedError:
        raise PlayFailed(
            Failure(f"{address} refuses connections on port {port}: no SSH server listens there", _CHECK_ADDRESS)
        ) from None
    except TimeoutError:
        raise PlayFailed(
            Failure(
                f"{address} does not answer on port {port} within {_CONNECT_TIMEOUT_S:.0f} seconds",
                "Is the machine on and in the same network? " + _CHECK_ADDRESS,
            )
        ) from None
    except OSError as error:
        raise PlayFailed(
            Failure(f"{address} cannot be reached: {(error.strerror or str(error)).lower()}", _CHECK_ADDRESS)
        ) from None


def fingerprint(key: str) -> str:
    """The fingerprint of one `type key`, as `ssh-keygen -l` prints it. Raises `ValueError` if it is no key."""
    try:
        digest = hashlib.sha256(base64.b64decode(key.split()[1], validate=True)).digest()
    except (IndexError, binascii.Error):
        raise ValueError(f"{key!r} is not a host key") from None
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def as_listed(pinned: str) -> list[str]:
    """What is pinned, each as its fingerprint and its type, in the words of `ssh-keygen -lf`.

    A fingerprint that a person has pinned has no type; what cannot be read stands as it was given.
    """
    listed = []
    for line in filter(None, map(str.strip, pinned.splitlines())):
        try:
            pin = _read_pin(line)
        except PlayFailed:
            listed.append(line)
        else:
            listed.append(pin if pin.startswith("SHA256:") else f"{fingerprint(pin)} ({_type(pin)})")
    return listed


def _type(key: str) -> str:
    name = key.split()[0]
    return "ECDSA" if "ecdsa" in name else name.removeprefix("sk-").removeprefix("ssh-").partition("@")[0].upper()


def describe(keys: str) -> str:
    """The keys for a person: each one's type and fingerprint."""
    return ", ".join(f"{key.split()[0]} {fingerprint(key)}" for key in keys.splitlines())


def check(pinned: str, shown: str, node: str) -> str:
    """The keys to go on with, given what is pinned (may be empty) and what the machine shows.

    Nothing pinned: all that it shows. Keys pinned: those of them that it shows. A fingerprint pinned: the key it names.
    Raises `PlayFailed` when the machine shows another key of a pinned type, or none that is pinned.
    """
    shown_keys = shown.splitlines()
    wanted = [_read_pin(line) for line in pinned.splitlines() if line.strip()]
    if not wanted:
        return shown
    prints = {fingerprint(key): key for key in shown_keys}
    kept = [key for pin in wanted if (key := prints.get(pin) if pin.startswith("SHA256:") else pin) in shown_keys]
    kept_types = {key.split()[0] for key in kept if key}
    pinned_types = {pin.split()[0] for pin in wanted if not pin.startswith("SHA256:")}
    contradicted = {key.split()[0] for key in shown_keys} & (pinned_types - kept_types)
    if kept and not contradicted:
        return "\n".join(dict.fromkeys(key for key in kept if key))
    raise PlayFailed(mismatch(node, shown))


def only_keys(pinned: str) -> str:
    """What is pinned without fingerprints, which ssh cannot check by."""
    return "\n".join(pin for line in pinned.splitlines() if line.strip() and " " in (pin := _read_pin(line)))


def mismatch(node: str, shown: str = "") -> Failure:
    """What it means that the key is another one, and what to do."""
    now = f" It shows {describe(shown)}." if shown else ""
    return Failure(
        f"The machine at {node}'s address does not show the host key that was pinned for it.{now}",
        "Either it was reinstalled, or another machine answers in its place: nothing was sent to it. Compare the "
        "fingerprint on the machine itself (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`). If it is the right "
        "one, put it in as the node's host key (Change, on its page); if not, find out who answers at this address.",
    )


def _read_pin(line: str) -> str:
    """`SHA256:...` or `type key` out of what a person may have pasted."""
    parts = line.split()
    for place, part in enumerate(parts):
        if part.startswith("SHA256:"):
            return part.rstrip("=")
        if part.startswith(("ssh-", "ecdsa-", "sk-")) and place + 1 < len(parts):
            key = f"{part} {parts[place + 1]}"
            try:
                fingerprint(key)
            except ValueError:
                break
            return key
    raise PlayFailed(
        Failure(
            "The host key that was given cannot be read",
            "Give a line of known_hosts, `type key`, or a fingerprint that begins with SHA256:.",
        )
    )
