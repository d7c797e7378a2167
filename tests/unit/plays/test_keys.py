"""The line that lets the platform's key in, run by the shells that people have."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from webfront.plays.keys import line_to_paste

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Tz5vQqZ0p0cV8b6f1o0c5mXlq0w1m2n3o4p5q6r7s skerry"


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("before", [None, "", "ssh-rsa AAAA of another", "ssh-rsa AAAA of another\n"])
def test_it_adds_the_key_once(tmp_path: Path, shell: str, before: str | None) -> None:
    home = tmp_path / "CORP\\ann lee"
    home.mkdir()
    file = home / ".ssh/authorized_keys"
    if before is not None:
        file.parent.mkdir(mode=0o755)
        file.write_text(before)
        file.chmod(0o664)
    for _ in range(2):
        subprocess.run([shell, "-c", line_to_paste(KEY)], env={**os.environ, "HOME": str(home)}, check=True)
    kept = [] if not before else ["ssh-rsa AAAA of another"]
    assert file.read_text() == "".join(f"{line}\n" for line in [*kept, KEY])
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
