"""A part of a file, read like a file of its own: an upload inside its form, the range of a result."""

from __future__ import annotations

import io
import os
from typing import IO, Any


class Window(io.RawIOBase):
    """The `length` bytes of `file` from `begin` on. Reading moves the file's own place; closing leaves it open."""

    def __init__(self, file: IO[bytes], begin: int, length: int) -> None:
        super().__init__()
        self.file = file
        self.begin = begin
        self.length = length
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self.length - self._at))
        self.file.seek(self.begin + self._at)
        found = self.file.read(wanted)
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.length}[whence]
        if place < 0:
            raise ValueError("a place before the beginning")
        self._at = place
        return place

    def tell(self) -> int:
        return self._at


class OwnWindow(Window):
    """One that closes the file with itself."""

    def close(self) -> None:
        self.file.close()
        super().close()
