"""Reading an uploaded zip with suspicion: what it holds is known and bounded before anything is unpacked."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from webfront.errors import InvalidInput, TooLarge

MOST_FILES: Final = 2000
_LARGEST_DIRECTORY: Final = 2 * 1024 * 1024
_LONGEST_PATH: Final = 200
_CHUNK: Final = 256 * 1024
_END: Final = b"PK\x05\x06"
_END64_LOCATOR: Final = b"PK\x06\x07"
_IGNORED: Final = frozenset({"__MACOSX", ".DS_Store", "__pycache__"})


class Archive:
    """The files of a zip, by their relative paths; a single folder around them all is taken off.

    Raises InvalidInput for what is no zip, or not a decent one, and TooLarge past the limits.
    """

    def __init__(self, stream: BinaryIO, *, most_bytes: int) -> None:
        """`most_bytes` bounds what the files unpack to, together."""
        self._most_bytes = most_bytes
        _check_directory(stream)
        try:
            self._zip = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, UnicodeError) as error:
            raise InvalidInput(f"This zip cannot be read: {error}.") from error
        members: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            path = _safe_path(info)
            if path is None:
                continue
            if path in members:
                raise InvalidInput(f"The zip holds {path} twice.")
            members[path] = info
        if not members:
            raise InvalidInput("The zip holds no file.")
        if len(members) > MOST_FILES:
            raise TooLarge(f"The zip holds {len(members)} files; the most is {MOST_FILES}.")
        unpacked = sum(info.file_size for info in members.values())
        if unpacked > most_bytes:
            raise TooLarge(f"The zip unpacks to {unpacked // 2**20} MiB; the most is {most_bytes // 2**20} MiB.")
        self._members = _without_top_folder(members)
        _check_no_file_is_a_folder(self._members)

    def paths(self) -> tuple[str, ...]:
        """The files' relative paths, sorted."""
        return tuple(sorted(self._members))

    def read(self, path: str, largest: int) -> bytes:
        """A small file. TooLarge past `largest` bytes."""
        data = b""
        for chunk in self.chunks(path):
            data += chunk
            if len(data) > largest:
                raise TooLarge(f"{path} is larger than {largest // 1024} KiB.")
        return data

    def chunks(self, path: str) -> Iterator[bytes]:
        """A file's bytes. Never more than the directory promised: a zip that lies about a size is refused."""
        info = self._members[path]
        left = info.file_size
        try:
            with self._zip.open(info) as member:
                while chunk := member.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise InvalidInput(f"The zip is damaged: {path} is larger than it says.")
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise InvalidInput(f"The zip is damaged: {path} cannot be read ({error}).") from error
        if left:
            raise InvalidInput(f"The zip is damaged: {path} is shorter than it says.")


def _check_directory(stream: BinaryIO) -> None:
    """Refuse a huge table of contents before `zipfile` reads it into memory whole.

    Finds the end record as `zipfile` does, so that both look at the same one.
    """
    size = stream.seek(0, 2)
    tail_size = min(size, 22 + 65535 + 20)
    stream.seek(size - tail_size)
    tail = stream.read(tail_size)
    stream.seek(0)
    at = len(tail) - 22 if tail[-22:-18] == _END and tail[-2:] == b"\0\0" else tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise InvalidInput("This is not a zip file, or it was cut off.")
    entries, directory_size = struct.unpack_from("<HL", tail, at + 10)
    if tail[max(0, at - 20) : at].startswith(_END64_LOCATOR):
        raise TooLarge("This zip is in the format for more than 4 GiB or 65,535 files, which no app needs.")
    if entries > 2 * MOST_FILES or directory_size > _LARGEST_DIRECTORY:
        raise TooLarge(f"The zip holds too many files; the most is {MOST_FILES}.")


def _safe_path(info: zipfile.ZipInfo) -> str | None:
    """The member's path, None for what is not wanted: folders, and what operating systems leave behind."""
    name = info.orig_filename
    shown = name.encode("unicode_escape").decode()[:80]
    if not name or len(name) > _LONGEST_PATH:
        raise InvalidInput(f"A path in the zip is empty or longer than {_LONGEST_PATH} characters: {shown}")
    if "\\" in name or not name.isprintable():
        raise InvalidInput(f"A path in the zip has a backslash or an unprintable character: {shown}")
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or (len(name) > 1 and name[1] == ":") or any(part in {"", ".", ".."} for part in parts):
        raise InvalidInput(f"A path in the zip leads out of it: {shown}")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidInput(f"{shown} in the zip is a link or a device; an app holds plain files only.")
    if info.is_dir() or _IGNORED.intersection(parts):
        return None
    if info.flag_bits & 0x1:
        raise InvalidInput("The zip is encrypted. Upload it without a password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidInput(f"{shown} is compressed in a way that is not supported. Use the usual one (deflate).")
    return name


def _without_top_folder(members: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    tops = {path.partition("/")[0] for path in members}
    if len(tops) != 1 or any("/" not in path for path in members):
        return members
    return {path.partition("/")[2]: info for path, info in members.items()}


def _check_no_file_is_a_folder(members: dict[str, zipfile.ZipInfo]) -> None:
    for path in members:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            if "/".join(parts[:depth]) in members:
                raise InvalidInput(f"The zip holds {'/'.join(parts[:depth])} as a file and as a folder.")
