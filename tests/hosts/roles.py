"""Prints the folders of a role and of the roles it uses, a line each: `roles.py NAME`. Standard library only."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROLES = Path(__file__).resolve().parents[2] / "roles"
_USE = re.compile(r"(?:import_role|include_role):\s+name: (\w+)|- role: (\w+)")


def used_by(role: str) -> set[str]:
    """The role and, by its tasks and meta, every role it uses."""
    found: set[str] = set()
    waiting = [role]
    while waiting:
        name = waiting.pop()
        if name in found or not (ROLES / name).is_dir():
            continue
        found.add(name)
        for file in (ROLES / name).rglob("*.yml"):
            waiting += [one or other for one, other in _USE.findall(file.read_text(encoding="utf-8"))]
    return found


if __name__ == "__main__":
    print("\n".join(f"roles/{name}" for name in sorted(used_by(sys.argv[1]))))
