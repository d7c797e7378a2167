"""What pip is at, read from what it writes and from what stands in the environment already.

Both are a stranger's: a package that is built may write anything. So a look takes a bounded time, and what is told of
it are names of packages and numbers alone.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

_LOOK_S: Final = 0.5
_MOST_READ: Final = 256 * 1024
_MOST_ENTRIES: Final = 5000
_INSTALLED: Final = ".dist-info"

_NAME: Final = rb"([A-Za-z0-9][A-Za-z0-9._-]{0,63})"
_FETCHING: Final = re.compile(rb"Collecting " + _NAME)
_BUILDING: Final = re.compile(rb"\s*Building wheel for " + _NAME)
_INSTALLING: Final = re.compile(rb"Installing collected packages: ([A-Za-z0-9._, -]+)")


class Progress:
    """What the lines so far come to."""

    def __init__(self) -> None:
        self._words = ""
        self._to_install: tuple[str, ...] = ()

    def read(self, line: bytes) -> None:
        """Take in one line of pip's output; one that says nothing of the kind changes nothing."""
        if found := _FETCHING.match(line):
            self._words = f"fetching {found[1].decode()}"
        elif found := _BUILDING.match(line):
            self._words = f"building {found[1].decode()}"
        elif found := _INSTALLING.match(line):
            self._to_install = tuple(name.strip() for name in found[1].decode().split(",") if name.strip())

    def words(self, installed: Iterable[str]) -> str:
        """What is under way, where these packages stand in the environment. pip installs in the order it has told."""
        if not self._to_install:
            return self._words
        there = {_plain(name) for name in installed}
        left = [name for name in self._to_install if _plain(name) not in there]
        # The last one's record stands before pip has ended.
        name, count = left[0] if left else self._to_install[-1], len(self._to_install)
        place = f" ({min(count - len(left) + 1, count)} of {count})" if count > 1 else ""
        return f"installing {name}{place}"


async def follow(log: Path, environment: Path, tell: Callable[[str], None]) -> None:
    """Tell what pip is at, each time that changes, until cancelled."""
    progress, offset, rest = Progress(), 0, b""
    told = ""
    while True:
        await asyncio.sleep(_LOOK_S)
        said = await asyncio.to_thread(_read, log, offset)
        offset += len(said)
        *lines, rest = (rest + said).split(b"\n")
        rest = rest[:_MOST_READ]
        for line in lines:
            progress.read(line)
        words = progress.words(await asyncio.to_thread(_installed, environment))
        if words and words != told:
            told = words
            tell(words)


def _read(log: Path, offset: int) -> bytes:
    try:
        with log.open("rb") as file:
            file.seek(offset)
            return file.read(_MOST_READ)
    except OSError:
        return b""


def _installed(environment: Path) -> list[str]:
    """The names of the packages that stand in the environment."""
    found = []
    for folder in environment.glob("lib/python3*/site-packages"):
        try:
            with os.scandir(folder) as entries:
                for entry in itertools.islice(entries, _MOST_ENTRIES):
                    if entry.name.endswith(_INSTALLED):
                        found.append(entry.name.removesuffix(_INSTALLED).partition("-")[0])
        except OSError:
            continue
    return found


def _plain(name: str) -> str:
    """A package's name as every spelling of it is compared."""
    return re.sub(r"[-_.]+", "_", name).lower()
