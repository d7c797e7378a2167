"""What pyproject.toml cannot say: the wheel brings the playbooks and their roles to `share/skerry` of its environment.

Everything else about the package stands in pyproject.toml.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup

PROJECT = Path(__file__).resolve().parent
PARTS = ("ansible.cfg", "requirements.yml", "library", "playbooks", "requirements", "roles")
"""Beside the packages themselves, what the plays of a controller read (`_webfront_parts` of roles/webfront)."""
LEFT_OUT = {"__pycache__", ".cache"}


def data_files() -> list[tuple[str, list[str]]]:
    """Each folder below `share/skerry`, with its files."""
    folders: dict[str, list[str]] = {}
    for part in PARTS:
        top = PROJECT / part
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            inside = path.relative_to(PROJECT)
            if path.is_file() and not LEFT_OUT & set(inside.parts) and path.suffix != ".pyc":
                folders.setdefault(f"share/skerry/{inside.parent}".removesuffix("/."), []).append(str(inside))
    return sorted(folders.items())


setup(data_files=data_files())
