"""Small disks: a file system of its own below a folder, so that a test can fill it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def small_disk(folder: Path, image: Path) -> Iterator[None]:
    """An ext4 of 8 MiB in the file `image`, mounted on `folder`, which is made. Its users end within the block."""
    folder.mkdir(parents=True)
    image.write_bytes(b"")
    with image.open("r+b") as file:
        file.truncate(8 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
