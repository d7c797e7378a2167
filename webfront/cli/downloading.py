"""Fetching a result: what has come of it lies beside its name, which it gets once it is whole and its checksum right.

The part beside is named after the checksum. A download that is cut off goes on where it was, by itself a few times and
by the next call after that; whatever ends this program, a file with the result's own name is the result.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from webfront.cli.client import AGAIN_AFTER_S, Client
from webfront.cli.errors import UNREACHABLE, CliError, Unanswered
from webfront.cli.tables import size as in_words

_CHUNK: Final = 2**20


def fetch(
    client: Client,
    job_id: str,
    output: dict[str, Any],
    folder: Path,
    *,
    tell: Callable[[str], None],
    sleep: Callable[[float], None],
) -> Path:
    """Fetch a result into `folder`. Returns the file; CliError."""
    target = _target(str(output["name"]), folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target, output)
    try:
        if part.size:
            tell(f"{output['name']} goes on at {in_words(part.size)} of {in_words(part.whole)}.")
        pauses = iter(AGAIN_AFTER_S)
        while part.size < part.whole:
            had = part.size
            try:
                part.receive(client, f"jobs/{job_id}/outputs/{quote(output['name'])}")
                break
            except Unanswered as error:
                if part.size > had:
                    pauses = iter(AGAIN_AFTER_S)
                if (pause := next(pauses, None)) is None:
                    raise CliError(f"{error} Start the download again: it goes on where it was.", error.code) from error
                tell(f"{error} It goes on in {pause:.0f} s.")
                sleep(pause)
        part.settle(target)
    finally:
        part.close()
    return target


def _target(name: str, folder: Path) -> Path:
    parts = name.split("/")
    if any(part in {"", ".", ".."} or "\\" in part for part in parts):
        raise CliError(f"The server names an output {name!r}, which is no file name.")
    return folder.joinpath(*parts)


class _Part:
    """What has come of a result. One program at a time writes it."""

    def __init__(self, target: Path, output: dict[str, Any]) -> None:
        self.whole = int(output["size"])
        self._name = output["name"]
        self._sha256 = str(output["sha256"])
        self._path = target.with_name(f".{target.name}.{self._sha256[:16]}.part")
        self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise CliError(f"{output['name']} is being fetched to {target.parent} already.") from error
        self.size = 0
        self._digest = hashlib.sha256()
        while chunk := self._file.read(_CHUNK):
            self._digest.update(chunk)
            self.size += len(chunk)
        if self.size > self.whole:
            self._restart()

    def receive(self, client: Client, path: str) -> None:
        """Take what is left of it, to the answer's end. CliError."""
        headers = {"Accept-Encoding": "identity"}
        if self.size:
            headers |= {"Range": f"bytes={self.size}-", "If-Range": f'"{self._sha256}"'}
        with client.receiving(path, headers) as answer:
            goes_on = answer.headers.get("Content-Range", "").startswith(f"bytes {self.size}-")
            if self.size and not (answer.status_code == HTTPStatus.PARTIAL_CONTENT and goes_on):
                self._restart()  # a server that knows no ranges sends all of it
            for chunk in answer.iter_bytes():
                self._digest.update(chunk)
                self.size += self._file.write(chunk)

    def settle(self, target: Path) -> None:
        """Give it its name. CliError when it is not what the job's page says it is."""
        if self.size != self.whole or self._digest.hexdigest() != self._sha256:
            self._path.unlink()
            raise CliError(f"{self._name} arrived damaged: its checksum is another one. Try again.", UNREACHABLE)
        os.fsync(self._file.fileno())
        self._path.replace(target)

    def close(self) -> None:
        """Leave nothing where nothing has come."""
        if not self.size:
            self._path.unlink(missing_ok=True)
        self._file.close()

    def _restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._digest, self.size = hashlib.sha256(), 0
