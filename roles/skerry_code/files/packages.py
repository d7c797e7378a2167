"""Gather the packages of a list of requirements, as another machine's Python has them, into one archive.

    packages.py --output DIRECTORY --python 3.13 --arch x86_64 REQUIREMENTS

The archive holds what a virtual environment's site-packages is to hold, pip among it, and is named by what was asked
for; it is made once and written whole or not at all. Prints JSON: `path` and `why`; where the packages are not to be
had ready for that Python, or not at all from here, `path` is empty and `why` says so: the machine then loads them
itself. Uses uv where it is installed, else pip; the Python that runs this needs pip in either case.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

_GLIBC = ("2_17", "2_28", "2_31", "2_34")
_LIMIT_S = 120


def name_of(requirements: str, python: str, arch: str) -> str:
    """The archive's name: another one for anything that makes its content another."""
    asked = "\n".join((requirements, python, arch, importlib.metadata.version("pip"), "1"))
    return f"packages-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.tar.gz"


def command(list_file: Path, into: Path, python: str, arch: str) -> list[str]:
    """What installs the packages of the list for that Python into a folder, without running any of their code."""
    ours = ["--no-deps", "--only-binary", ":all:", "--target", str(into), "--python-version", python]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "-q", *ours, "--python-platform", f"{arch}-manylinux_2_34", "-r", str(list_file)]
    platforms = [f"--platform=manylinux_{glibc}_{arch}" for glibc in _GLIBC] + [f"--platform=manylinux2014_{arch}"]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check"]
    return [*pip, *ours, *platforms, "--implementation=cp", "-r", str(list_file)]


def gather(requirements: str, python: str, arch: str, output: Path) -> dict[str, str]:
    """Make the archive unless it is there."""
    try:
        path = output / name_of(requirements, python, arch)
    except importlib.metadata.PackageNotFoundError:
        return {"path": "", "why": "there is no pip here"}
    if path.exists():
        return {"path": str(path), "why": ""}
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=".packages-") as folder:
        list_file, into = Path(folder) / "list.txt", Path(folder) / "packages"
        list_file.write_text(f"{requirements}\npip=={importlib.metadata.version('pip')}\n", encoding="utf-8")
        try:
            done = subprocess.run(
                command(list_file, into, python, arch), capture_output=True, text=True, timeout=_LIMIT_S, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            return {"path": "", "why": f"{type(error).__name__}"}
        if done.returncode != 0:
            return {"path": "", "why": " ".join(done.stderr.split())[-300:]}
        # They name this machine's interpreter; nothing on a node calls them.
        shutil.rmtree(into / "bin", ignore_errors=True)
        half = Path(folder) / "half"
        with tarfile.open(half, "w:gz", compresslevel=6) as archive:
            archive.add(into, arcname=".", filter=_anonymous)
        half.chmod(0o644)
        os.replace(half, path)  # noqa: PTH105 - one call, whatever is there
    return {"path": str(path), "why": ""}


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Nobody's file, readable by all; what Python compiled here is made anew there."""
    if "__pycache__" in Path(entry.name).parts:
        return None
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def main() -> None:
    parser = argparse.ArgumentParser(description="Gather packages for another machine's Python.")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--arch", required=True)
    parser.add_argument("requirements", type=Path)
    given = parser.parse_args()
    requirements = given.requirements.read_text(encoding="utf-8")
    print(json.dumps(gather(requirements, given.python, given.arch, given.output)))


if __name__ == "__main__":
    main()
