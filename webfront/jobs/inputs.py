"""Inputs on the share: checked against a manifest, and put there whole.

An input lies in a folder of its own, which gets its name once the file in it is whole and on the disk: a folder with
that name is complete, whatever died. What a crash leaves besides begins with a dot.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from webfront.apps.manifest import Manifest
from webfront.errors import InvalidInput
from webfront.share import chunks_of, open_inside, settle, share_errors, sync_folder, write_file


class Input(Protocol):
    """A file that is to become an input."""

    @property
    def name(self) -> str: ...

    def write(self, path: Path) -> None:
        """Write it as a new file, onto the disk."""


class InputFile(NamedTuple):
    """An input on its way in: the name the user gave it, and its bytes as a stream."""

    name: str
    stream: BinaryIO

    def write(self, path: Path) -> None:
        write_file(path, chunks_of(self.stream))

    def sha256(self) -> str:
        """Of its bytes, in hexadecimal. It can be written as before."""
        begin, digest = self.stream.tell(), hashlib.sha256()
        for chunk in chunks_of(self.stream):
            digest.update(chunk)
        self.stream.seek(begin)
        return digest.hexdigest()


class SharedInput(NamedTuple):
    """An input that is on the share already, by its path there. It is never written to, so that it may be linked."""

    share: Path
    relative: str

    @property
    def name(self) -> str:
        return self.relative.rpartition("/")[2]

    def write(self, path: Path) -> None:
        """Link it, or copy it where the file system knows no links. NotFound when it is gone."""
        try:
            os.link(self.share / self.relative, path, follow_symlinks=False)
        except OSError:
            with open_inside(self.share, *self.relative.split("/")) as file:
                write_file(path, chunks_of(file))


def check_input(manifest: Manifest, given: Input | None) -> str | None:
    """The name that the input gets on the share, None without one. InvalidInput when the manifest does not take it."""
    if given is None:
        if manifest.inputs.required:
            raise InvalidInput(f"{manifest.name} needs an input file{_endings(manifest)}.")
        return None
    name = clean_file_name(given.name)
    if manifest.inputs.accept and not name.lower().endswith(manifest.inputs.accept):
        raise InvalidInput(f"{manifest.name} does not accept {name}; it takes a file{_endings(manifest)}.")
    return name


def put_input(folder: Path, name: str, given: Input) -> None:
    """Make `folder` with the input in it by this name. Unavailable when the share cannot be written."""
    beside = folder.with_name(f".{folder.name}")
    with share_errors():
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.mkdir(mode=0o700)
        try:
            given.write(beside / name)
            sync_folder(beside)
            settle(beside, folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def clean_file_name(name: str) -> str:
    """A file name for the share made of what a user's machine called it: harmless, its ending kept."""
    base = name.replace("\\", "/").rpartition("/")[2]
    base = re.sub(r"[^A-Za-z0-9._-]+", "_", base).lstrip(".-")
    if len(base) > 100:
        stem, dot, ending = base.rpartition(".")
        base = f"{stem[: 99 - len(ending)]}{dot}{ending}" if dot and len(ending) < 50 else base[:100]
    return base or "input"


def _endings(manifest: Manifest) -> str:
    return f" ending in {' or '.join(manifest.inputs.accept)}" if manifest.inputs.accept else ""
