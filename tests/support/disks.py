"""Small disks: a file system of its own below a folder, so that a test can fill it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def small_disk(folder: Path, image: Path, *, mib: int = 8) -> Iterator[None]:
    """An ext4 of this size in the file `image`, mounted on `folder`, which is made. Its users end within the block."""
    folder.mkdir(parents=True)
    image.write_bytes(b"")
    with image.open("r+b") as file:
        file.truncate(mib * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> Path:
    """Take all the room there is on the folder's disk; the file that has it."""
    filling = folder / "filling"
    with filling.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        for size in (2**20, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return filling
