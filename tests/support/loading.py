"""Programs that are files of their own, with no package around them, as modules of the tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).resolve().parents[2]


def load(path: str) -> ModuleType:
    """The program at this path of the project, under the name of its file."""
    name = Path(path).stem
    specification = importlib.util.spec_from_file_location(name, PROJECT / path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # a dataclass looks its module up there
    specification.loader.exec_module(module)
    return module
