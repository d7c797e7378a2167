"""Copies of this project as a checkout has it, and wheels of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def checked_out(folder: Path) -> Path:
    """The files of this project, without what is not kept in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (PROJECT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)
    return folder


def of_version(checkout: Path, version: str) -> Path:
    """The same checkout, of another version."""
    file = checkout / "wire/__init__.py"
    lines = [
        f'VERSION: Final = "{version}"' if "VERSION: Final" in line else line for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines) + "\n")
    return checkout


def built(checkout: Path) -> Path:
    """The wheel of a checkout, the only one in its dist/."""
    shutil.rmtree(checkout / "dist", ignore_errors=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", "."],
        cwd=checkout,
        check=True,
        timeout=120,
    )
    [wheel] = (checkout / "dist").glob("*.whl")
    return wheel
