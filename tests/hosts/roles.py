"""Prints the folders of a scenario's role and of the roles it uses, a line each: `roles.py NAME`.

A scenario has its role's name, or begins with it: `rabbitmq_cluster`. Standard library only.
"""

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


def role_of(scenario: str) -> str:
    """The role with the longest name that the scenario's begins with; the scenario's own name where there is none."""
    named = [one.name for one in ROLES.iterdir() if f"{scenario}_".startswith(f"{one.name}_")]
    return max(named, key=len, default=scenario)


if __name__ == "__main__":
    print("\n".join(f"roles/{name}" for name in sorted(used_by(role_of(sys.argv[1])))))
