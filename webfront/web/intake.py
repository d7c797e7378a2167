"""Bodies on their way in: taken from the connection without a thread, bounded in size, in time and in place.

A body is taken in whole before its request gets a thread, so that one that comes slowly holds a connection and no more.
How much a sender may send is asked first: of one who is not known so little that it stays in memory, and never comes to
the disk. What is larger lies in a file without a name in the folder of uploads, which goes with the request and with
the process; where the disk has no room for it, it is not begun.

Each stretch of `STRETCH` bytes, and the rest after the last, must have come within the front's patience. So a body has
a deadline whatever its length, and a slow line that is steady may take hours.
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final, Protocol

from webfront.errors import SkerryError, TooSlow
from webfront.web.bodies import UNKNOWN, announced, too_large

STRETCH: Final = 32 * 1024
_AT_ONCE: Final = 256 * 1024
"""What is held in memory of a body until it is written."""
_WRITERS: Final = 2
_MOST_KEPT_FREE: Final = 256 * 2**20


class Source(Protocol):
    """A request's connection, as granian hands it over."""

    def __aiter__(self) -> Any: ...


class CutOff(Exception):
    """The client went away before the body's end."""


class Intake:
    """Takes bodies in. `may_send` says how many bytes the sender of a request may send; it is called in a thread."""

    def __init__(self, folder: Path, may_send: Callable[[dict[str, Any]], int], patience_s: float) -> None:
        self._folder = folder
        self._may_send = may_send
        self._patience_s = patience_s
        # Threads of their own: where the disk hangs, uploads wait and pages do not.
        self._writers = ThreadPoolExecutor(_WRITERS, "intake")
        self._promised = 0

    async def take(self, environ: dict[str, Any], source: Source, threads: ThreadPoolExecutor) -> IO[bytes]:
        """The body, at its beginning. CutOff; SkerryError and OSError are for the client, who may still be sending."""
        length = announced(environ)
        most = UNKNOWN
        if length is None or length > UNKNOWN:
            most = await asyncio.get_running_loop().run_in_executor(threads, self._may_send, environ)
        if length is not None and length > most:
            raise too_large(most)
        expected = length if length is not None and length > _AT_ONCE else 0
        self._find_room(expected)
        self._promised += expected
        try:
            return await self._read(source, length, most)
        finally:
            self._promised -= expected

    def _find_room(self, expected: int) -> None:
        """OSError where this and the other bodies under way would leave the disk too full."""
        if not expected:
            return
        disk = shutil.disk_usage(self._folder)
        kept_free = min(_MOST_KEPT_FREE, disk.total // 16)
        if disk.free - self._promised - kept_free < expected:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))

    async def _read(self, source: Source, length: int | None, most: int) -> IO[bytes]:
        loop = asyncio.get_running_loop()
        spool = _Spool(self._folder, self._writers)
        taken, stretch, until = 0, 0, loop.time() + self._patience_s
        try:
            chunks = aiter(source)
            while length is None or taken < length:
                try:
                    async with asyncio.timeout_at(until):
                        chunk: bytes = await chunks.__anext__()  # anext() cannot be cancelled with granian's futures
                except TimeoutError:
                    raise self._too_slow() from None
                except StopAsyncIteration:
                    break
                if not chunk:
                    break
                taken += len(chunk)
                if taken > most:
                    raise too_large(most)
                await spool.add(chunk)
                if taken - stretch >= STRETCH:
                    stretch, until = taken, loop.time() + self._patience_s
            if length is not None and taken < length:
                raise CutOff
            return await spool.whole()
        except BaseException:
            spool.close()
            raise

    def _too_slow(self) -> SkerryError:
        return TooSlow(
            f"The body of this request came too slowly: in {self._patience_s:.0f} s at least {STRETCH // 1024} KiB "
            "of it, or its end, must arrive."
        )


class _Spool:
    """A body as it grows: in memory while it is small, then in a file. Written by threads, never by the loop's own."""

    def __init__(self, folder: Path, writers: ThreadPoolExecutor) -> None:
        self._folder = folder
        self._writers = writers
        self._file: IO[bytes] | None = None
        self._held: list[bytes] = []
        self._size = 0

    async def add(self, chunk: bytes) -> None:
        self._held.append(chunk)
        self._size += len(chunk)
        if self._size >= _AT_ONCE:
            await self._write()

    async def whole(self) -> IO[bytes]:
        if self._file is None:
            return io.BytesIO(b"".join(self._held))
        await self._write()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    async def _write(self) -> None:
        data, self._held, self._size = b"".join(self._held), [], 0
        await asyncio.get_running_loop().run_in_executor(self._writers, self._append, data)

    def _append(self, data: bytes) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  # close() does
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
