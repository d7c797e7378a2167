#!/usr/bin/python3
"""Says who may mount the share: the one command that changes its exports.

    skerry-exports add NAME ADDRESS...   these are the addresses of the node NAME, and no others
    skerry-exports remove NAME           the node NAME has none any more
    skerry-exports list                  who has which
    skerry-exports apply                 writes what is in force anew, as the role does

`--check` beside a verb says what it would change, and changes nothing. An answer is one JSON object; a refusal is one
sentence on standard error, with exit code 2 when the words that were given are wrong and 1 when the machine is.

Whoever may run it may hand the share to any single address, and to nothing wider. So every word is checked here, by
whatever way it came: `--from-ssh LINE` takes them from a key that is held to this command.

Crash order: the list of nodes is written whole, then the file of exports is made from it, then the server is told. What
is cut off between any two of these is made up for by the next call, whatever it is for. Calls wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

SETTINGS: Final = Path("/etc/skerry-exports/settings.json")
NODE_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
"""As `wire.topology` has it: a test compares them."""
MOST_ADDRESSES: Final = 8
KERNEL, GANESHA = "kernel", "ganesha"
"""The servers: what one is told is written in its own language."""
LONGEST_LINE: Final = 1024
WAIT_S: Final = 30.0


class Refused(Exception):
    """The words that were given are wrong."""


class Broken(Exception):
    """The machine cannot do it."""


def main(words: list[str], settings_file: Path = SETTINGS) -> int:
    try:
        if words[:1] == ["--from-ssh"]:
            words = from_ssh(words[1:])
        print(json.dumps(answer(words, Settings(settings_file)), sort_keys=True))
    except Refused as refusal:
        print(f"skerry-exports: {refusal}", file=sys.stderr)
        return 2
    except (Broken, OSError) as error:
        print(f"skerry-exports: {error}", file=sys.stderr)
        return 1
    return 0


def from_ssh(given: list[str]) -> list[str]:
    """The words of a line that came over SSH. No shell reads it; what is not plain is refused."""
    line = given[0] if len(given) == 1 else ""
    if len(line) > LONGEST_LINE or not re.fullmatch(r"[a-z0-9A-F:. -]+", line):
        raise Refused("Say add NAME ADDRESS..., remove NAME or list.")
    words = line.split()
    if words[:1] not in (["add"], ["remove"], ["list"]):
        raise Refused("This key may say add, remove and list alone.")
    return words


def answer(words: list[str], settings: Settings) -> dict[str, Any]:
    check = "--check" in words
    match [word for word in words if word != "--check"]:
        case ["add", name, *given] if given:
            change = {node_name(name): addresses(given)}
        case ["remove", name]:
            change = {node_name(name): []}
        case ["apply"]:
            change = {}
        case ["list"]:
            return {"changed": False, "nodes": settings.nodes(), "always": settings.always}
        case _:
            raise Refused("Say add NAME ADDRESS..., remove NAME, list or apply.")
    with contextlib.nullcontext() if check else settings.locked():
        before = settings.nodes()
        after = {name: found for name, found in (before | change).items() if found}
        wanted = exports(settings, after)
        changed = after != before or settings.written() != wanted
        if not check:
            if after != before:
                write_whole(settings.state, json.dumps(after, indent=1, sort_keys=True) + "\n")
            if settings.written() != wanted:
                write_whole(settings.exports, wanted)
            # Always: a call that was cut off before this left the server with what was.
            settings.tell_server()
    return {"changed": changed, "nodes": after, "always": settings.always}


def node_name(name: str) -> str:
    if not NODE_NAME.fullmatch(name):
        raise Refused("A node's name has up to 32 of a-z, 0-9 and hyphen, with no hyphen at its ends.")
    return name


def addresses(given: list[str]) -> list[str]:
    """Addresses of single machines, each in the one form the server compares with."""
    if len(given) > MOST_ADDRESSES:
        raise Refused(f"A node has at most {MOST_ADDRESSES} addresses.")
    return sorted({single_address(one) for one in given})


def single_address(given: str) -> str:
    try:
        # Neither a network (10.0.0.0/8) nor a name, which somebody else may answer for.
        found = ipaddress.ip_address(given)
    except ValueError:
        raise Refused(f"{given[:64]!r} is not the IP address of a machine.") from None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local:
        raise Refused(f"{found} is not an address by which another machine reaches this one.")
    if found.is_reserved or str(found) == "255.255.255.255":
        raise Refused(f"{found} is reserved, and no machine's.")
    return str(found)


def exports(settings: Settings, nodes: dict[str, list[str]]) -> str:
    """The file of exports. Without a client nothing is exported: for either server, that would be to everybody."""
    clients = sorted({*settings.always, *(one for found in nodes.values() for one in found)})
    lines = ["# Written by skerry-exports, which is the way to change it."]
    if clients and settings.server == KERNEL:
        lines.append(" ".join([f'"{settings.path}"', *(f"{client}({settings.options})" for client in clients)]))
    elif clients:
        lines += export_block(settings.path, settings.options, clients)
    return "\n".join(lines) + "\n"


def export_block(path: str, options: str, clients: list[str]) -> list[str]:
    """What nfs-ganesha reads: nobody may do anything, but for these clients, who have the options."""
    return [
        "EXPORT {",
        "    Export_Id = 1;",
        f'    Path = "{path}";',
        f'    Pseudo = "{path}";',
        "    Access_Type = None;",
        f"    {options}",
        "    FSAL { Name = VFS; }",
        "    CLIENT {",
        "        Access_Type = RW;",
        f"        {options}",
        f"        Clients = {', '.join(clients)};",
        "    }",
        "}",
    ]


class Settings:
    """What the role has written, and the files that this program keeps."""

    def __init__(self, file: Path) -> None:
        try:
            given = json.loads(file.read_text(encoding="utf-8"))
            self.server: str = given["server"]
            self.path: str = given["path"]
            self.options: str = given["options"]
            self.always: list[str] = given["always"]
            self.state = Path(given["state"])
            self.exports = Path(given["exports"])
            self.lock = Path(given["lock"])
            self._tell: list[str] = given["tell"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Broken(f"{file} cannot be used: {error!r}. Run site.yml again.") from error

    def nodes(self) -> dict[str, list[str]]:
        try:
            found: dict[str, list[str]] = json.loads(self.state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise Broken(f"{self.state} is damaged: {error}. Remove it, then register the nodes again.") from error
        return found

    def written(self) -> str:
        try:
            return self.exports.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One call at a time; who waits too long says so."""
        until = time.monotonic() + WAIT_S
        with self.lock.open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise Broken(f"Another call has been busy for {WAIT_S:.0f} s. Try again.") from None
                    time.sleep(0.05)
            # What a call that was killed in the middle of writing has left.
            for whole in (self.state, self.exports):
                for left in whole.parent.glob(f".{whole.name}.*"):
                    left.unlink(missing_ok=True)
            yield

    def tell_server(self) -> None:
        if not self._tell:
            return
        done = subprocess.run(self._tell, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise Broken(f"{self._tell[0]} failed: {done.stderr.strip()[-300:]}")


def write_whole(path: Path, content: str) -> None:
    """On the disk beside its place, then renamed into it: it is the old one or the new one, never a part."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fchmod(handle, 0o644)
            os.fsync(handle)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
