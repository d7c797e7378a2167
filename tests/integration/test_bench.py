"""./bench on a fresh clone: what it installs, the platform's packages and its peers', fits together."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_what_the_bench_installs_fits_together() -> None:
    found = re.search(r"bin/pip (install .+)$", (PROJECT / "bench").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    command = [sys.executable, "-m", "pip", *shlex.split(found[1]), "--dry-run"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
