"""Make the secrets that do not exist yet.

    make_secrets.py DIRECTORY NAME...

Each is a file that only its owner reads. It is written beside and renamed, so that a killed run leaves a whole secret
or none; one that exists is never replaced. Prints the names of those it made.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path


def make(directory: Path, names: list[str]) -> list[str]:
    """The names of the secrets that were made."""
    os.umask(0o077)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    for name in names:
        path = directory / name
        if path.exists() and path.stat().st_size:
            continue
        beside = directory / f".{name}.{os.getpid()}"
        beside.write_text(secrets.token_urlsafe(24) + "\n", encoding="utf-8")
        beside.replace(path)
        made.append(name)
    return made


if __name__ == "__main__":
    print(*make(Path(sys.argv[1]), sys.argv[2:]), sep="\n", end="")
