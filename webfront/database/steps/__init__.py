"""The steps that take a database from one schema to the next, one module each, applied in the order of their numbers.

A module `NNNN_name` has:

- `OLDEST_CODE`: the number of the oldest code that can run on a database that has this step. Code's number is that of
  the last step it ships (release 0.1.0: 1). What only adds (a table, an index, a column that may be empty or has a
  default in the database) leaves it at its predecessor's, so that a release can be taken back. What takes something
  away comes a release after the code that no longer needs it, and names that code.
- `apply(change)`: each of its statements first asks the database whether it is done already, as everything in
  `webfront.database.change` does: MySQL commits each by itself, and a step may be cut off after any of them.

A step that was released never changes: what it did wrong, a later one mends.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Final, NamedTuple

from webfront.database.change import Change


class Step(NamedTuple):
    number: int
    name: str
    oldest_code: int
    apply: Callable[[Change], None]


def _shipped() -> tuple[Step, ...]:
    found = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        step = importlib.import_module(f"{__name__}.{module.name}")
        found.append(Step(int(module.name[:4]), module.name, step.OLDEST_CODE, step.apply))
    return tuple(found)


STEPS: Final = _shipped()
CODE: Final = STEPS[-1].number
"""This code's number."""
