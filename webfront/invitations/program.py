"""The program that a machine runs to join: one file, made of this release's code, named by its SHA-256.

It holds all that it installs with, roles and agent among it, so that whoever compares the checksum of the file knows
all the code that will run. Only packages come beside it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import wire

_MAIN: Final = """import sys
from node_scripts.joining.command import main
sys.exit(main(sys.argv[1:]))
"""
_EPOCH: Final = (2020, 1, 1, 0, 0, 0)
_PROJECT: Final = (
    "ansible.cfg",
    "library",
    "playbooks",
    "requirements/join.txt",
    "requirements/node.txt",
    "roles/nfs_client",
    "roles/node_agent",
    "roles/process_manager",
    "roles/skerry_code",
)
_PACKAGES: Final = ("node_scripts", "wire")


class Program:
    def __init__(self, project_dir: Path) -> None:
        """`project_dir` has the playbooks and roles; the packages lie beside this one."""
        self._project = project_dir

    @functools.cached_property
    def body(self) -> bytes:
        """The file. The same code makes the same one."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_entry("__main__.py", 0o644), _MAIN)
            for name, path in sorted(self._files()):
                mode = 0o755 if os.access(path, os.X_OK) else 0o644
                archive.writestr(_entry(name, mode), path.read_bytes())
        return packed.getvalue()

    @functools.cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def _files(self) -> Iterator[tuple[str, Path]]:
        code = Path(wire.__file__).resolve().parents[1]
        for root, parts in ((self._project, _PROJECT), (code, _PACKAGES)):
            for part in parts:
                top = root / part
                for path in top.rglob("*") if top.is_dir() else [top]:
                    inside = path.relative_to(root)
                    if path.is_file() and "__pycache__" not in inside.parts and not path.name.startswith("."):
                        yield str(inside), path


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, _EPOCH)
    made.external_attr = mode << 16
    made.compress_type = zipfile.ZIP_DEFLATED
    return made
