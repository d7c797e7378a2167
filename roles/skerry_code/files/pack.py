"""Pack parts of this project into one archive whose bytes depend on nothing but the files' content.

    pack.py --name NAME --output DIRECTORY PROJECT PART...

The archive is `NAME-<first 16 digits of its SHA-256>.tar.gz`, written whole or not at all; several runs at once make
the same file. Prints JSON: `path`, `version` (those digits) and `changed` (whether the file was not there before).
Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path

_LEFT_OUT_FOLDERS = {"__pycache__", ".git", ".skerry", ".venv", ".cache", "node_modules", "artifacts"}
_LEFT_OUT_SUFFIXES = {".pyc", ".pyo"}


def files_of(project: Path, parts: list[str]) -> list[Path]:
    """Every file of the parts, relative to the project, sorted. Raises FileNotFoundError for a missing part."""
    found: set[Path] = set()
    for part in parts:
        top = project / part
        if top.is_file():
            found.add(top.relative_to(project))
            continue
        if not top.is_dir():
            raise FileNotFoundError(f"{top} is not there: skerry_code_source_dir must name the whole project")
        for folder, names, files in os.walk(top):
            names[:] = [name for name in names if name not in _LEFT_OUT_FOLDERS]
            found.update(
                (Path(folder) / name).relative_to(project)
                for name in files
                if Path(name).suffix not in _LEFT_OUT_SUFFIXES and not name.startswith(".")
            )
    return sorted(found)


def pack(project: Path, parts: list[str]) -> bytes:
    """The archive's bytes: names, content and whether a file may be executed; no times, owners or machine's order."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in files_of(project, parts):
            content = (project / path).read_bytes()
            entry = tarfile.TarInfo(str(path))
            entry.size = len(content)
            entry.mode = 0o755 if os.access(project / path, os.X_OK) else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(body.getvalue(), compresslevel=6, mtime=0)


def write(directory: Path, name: str, body: bytes) -> dict[str, object]:
    """Put the archive into the directory, unless it is there. Renamed when whole: a killed run leaves no half one."""
    version = hashlib.sha256(body).hexdigest()[:16]
    path = directory / f"{name}-{version}.tar.gz"
    changed = not path.exists()
    if changed:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".", delete=False) as half:
            half.write(body)
        Path(half.name).chmod(0o644)
        Path(half.name).replace(path)
    return {"path": str(path), "version": version, "changed": changed}


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack parts of this project into one archive.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("project", type=Path)
    parser.add_argument("parts", nargs="+")
    given = parser.parse_args()
    print(json.dumps(write(given.output, given.name, pack(given.project.resolve(), given.parts))))


if __name__ == "__main__":
    main()
