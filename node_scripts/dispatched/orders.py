"""Orders put in place, results handed out, and what is no longer wanted taken away. Each may be asked for again."""

from __future__ import annotations

import os
import shutil
import tarfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from node_scripts.dispatched import host
from node_scripts.dispatched.places import Places, Staged
from node_scripts.running import files, trees
from node_scripts.running.removal import Remover
from node_scripts.running.rooms import FolderLock, is_locked, make_folder, plain_name, write_whole

KEPT_APPS: Final = 10
"""App versions whose files stay for the next job though none asks for them now."""
_LEFT_OVER_S: Final = 3600.0
_ENDS_S: Final = 3.0


class Refused(Exception):
    """It cannot be done; the message says why."""


def take(places: Places, node: str) -> bool:
    """Make the folders, for this node and no other. True if it had to. Raises `Refused`.

    Two nodes on one machine would each take away what the other has sent.
    """
    owner = places.root / "node"
    with suppress(FileNotFoundError):
        if (before := owner.read_text().strip()) != node:
            raise Refused(
                f"this machine is the node {before} already, without an agent. Remove that one first; if it is "
                f"nobody's any more, remove {places.root} on the machine"
            )
        return False
    places.make()
    write_whole(owner, node.encode())
    return True


def has(places: Places, key: str, version: str, serial: int) -> dict[str, bool]:
    """What need not be sent."""
    staged = places.order(key).staged()
    return {
        "app": version != "" and (places.apps / plain_name(version)).is_dir(),
        "order": staged is not None and staged.serial >= serial,
    }


def stage(places: Places, key: str, kit: Path) -> None:
    """Put in place what was sent: app, input, and the order last of all. Raises `Refused`, OSError.

    What stands here of an earlier sending of the same attempt is ended and taken away first: its preparation was given
    up, and nobody waits for it.
    """
    place = places.order(key)
    try:
        staged = msgspec.json.decode(place.incoming_order.read_bytes(), type=Staged)
    except FileNotFoundError:
        if place.staged() is None:
            raise Refused("nothing was sent for this attempt") from None
        return
    except msgspec.MsgspecError as error:
        raise Refused(f"the order that was sent cannot be read: {error}") from error
    if (staged.order.job, staged.order.attempt) != (place.job, place.attempt):
        raise Refused("the order that was sent is another attempt's")
    before = place.staged()
    if before is not None and before.serial < staged.serial:
        discard(places, key, staged.serial, kit)
        if place.folder.exists():
            raise Refused("an earlier sending of this attempt has not ended yet")
    elif before is not None:
        place.incoming_order.unlink(missing_ok=True)
        return
    _place_app(places, staged.order.app.version)
    if staged.order.input is not None:
        target = places.share / files.inside(staged.order.input)
        make_folder(target.parent, 0o700)
        if place.incoming_input.exists():
            place.incoming_input.rename(target)
        elif not target.exists():
            raise Refused("the job's input was not sent")
    make_folder(place.folder, 0o700)
    write_whole(place.order, place.incoming_order.read_bytes())
    place.incoming_order.unlink()


def _place_app(places: Places, version: str) -> None:
    final = places.apps / plain_name(version)
    archive = places.incoming / f"{version}.tar"
    if final.is_dir():
        os.utime(final)  # the order in which they are taken away
        archive.unlink(missing_ok=True)
        return
    beside = places.apps / f".{version}.{os.getpid()}"
    trees.remove(beside)
    beside.mkdir(mode=0o700)
    try:
        with tarfile.open(archive) as packed:
            for member in packed:
                target = beside / files.inside(member.name)
                if member.isdir():
                    target.mkdir(mode=0o700, parents=True, exist_ok=True)
                elif member.isreg():
                    source = packed.extractfile(member)
                    if source is None:
                        raise Refused(f"the app that was sent cannot be read: {member.name}")
                    with source, target.open("xb") as file:
                        shutil.copyfileobj(source, file)
                    target.chmod(0o700 if member.mode & 0o100 else 0o600)
                else:
                    raise Refused(f"the app that was sent has something that is no file: {member.name}")
        with suppress(FileExistsError, OSError):
            beside.rename(final)
    except FileNotFoundError:
        raise Refused("the app's files were not sent") from None
    finally:
        trees.remove(beside)
    if not final.is_dir():
        raise Refused("the app's files cannot be put in place")
    archive.unlink(missing_ok=True)


def collect(places: Places, key: str, owner: int) -> list[dict[str, str]]:
    """Make the results the signed-in user's to fetch; their names and where they lie. Raises `Refused`."""
    place = places.order(key)
    ended = place.ended()
    if ended is None:
        raise Refused("the attempt has not ended")
    if ended.outputs and not place.outgoing.is_dir():
        place.results.rename(place.outgoing)
        for found in trees.walk(place.outgoing):
            os.chown(found.path, owner, -1, follow_symlinks=False)
        os.chown(place.outgoing, owner, -1)
    return [{"name": one.name, "path": str(place.outgoing / files.inside(one.name))} for one in ended.outputs]


def discard(places: Places, key: str, serial: int, kit: Path, *, wait_s: float = _ENDS_S) -> bool:
    """Take an attempt away, ending it first if it runs. False if it still ends; nothing if it was sent anew since.

    The order goes last: a death before that leaves something to take away again. What is in `incoming` may be of a
    later sending, and stays.
    """
    place = places.order(key)
    staged = place.staged()
    if staged is not None and staged.serial > serial:
        return True
    if staged is not None and not place.end.exists():
        with suppress(FileNotFoundError):
            place.cancel.touch()
        if is_locked(place.room.keeper):
            host.start(places, place, kit)  # only who attends to it can end it
        until = time.monotonic() + wait_s
        while (is_locked(place.host) or is_locked(place.room.keeper)) and time.monotonic() < until:
            time.sleep(0.05)
    lock = FolderLock.try_take(place.host) if place.folder.is_dir() else None
    if place.folder.is_dir() and lock is None:
        return False
    try:
        if is_locked(place.room.keeper):
            return False
        place.room.remove()
        for folder in (place.outgoing, place.results):
            trees.remove(folder)
        with suppress(OSError):
            place.results.parent.rmdir()
        if staged is not None and staged.order.input is not None:
            given = places.share / files.inside(staged.order.input)
            given.unlink(missing_ok=True)
            with suppress(OSError):
                given.parent.rmdir()
        place.order.unlink(missing_ok=True)
        trees.remove(place.folder)
    finally:
        if lock is not None:
            lock.close()
    return True


def sweep(places: Places, held: Collection[str], serial: int, kit: Path) -> int:
    """Take away every attempt that the controller does not hold, of those sent before `serial`; how many still end."""
    left = 0
    for place in places.all_orders():
        if place.key not in held:
            left += not discard(places, place.key, serial, kit)
    wanted = {staged.order.app.version for place in places.all_orders() if (staged := place.staged()) is not None}
    free = [path for path in places.apps.iterdir() if path.name not in wanted and not path.name.startswith(".")]
    for path in sorted(free, key=lambda one: one.stat().st_mtime, reverse=True)[KEPT_APPS:]:
        trees.remove(path)
    old = time.time() - _LEFT_OVER_S
    for folder in (places.incoming, places.apps):
        for path in folder.iterdir():
            if (folder is places.incoming or path.name.startswith(".")) and path.stat().st_mtime < old:
                trees.remove(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in places.kit.iterdir():
        # What attends to an attempt has long read its own.
        if path != kit and path.stat().st_mtime < old:
            path.unlink(missing_ok=True)
    Remover(places.state / "attempts").try_again()
    return left


def leave(places: Places, kit: Path) -> bool:
    """End everything, and take the root away. False if something still runs."""
    with suppress(FileNotFoundError):
        for place in places.all_orders():
            with suppress(OSError):
                place.cancel.touch()
        if not all(discard(places, one.key, 2**63, kit, wait_s=10.0) for one in places.all_orders()):
            return False
    trees.remove(places.root)
    return True
