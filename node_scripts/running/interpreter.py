"""The Python interpreter that apps run with, and bare virtual environments made from it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ASK: Final = (
    "import json, sys; print(json.dumps([getattr(sys, '_base_executable', None) or sys.executable, "
    "sys.base_prefix, '%d.%d' % sys.version_info[:2], '%d.%d.%d' % sys.version_info[:3]]))"
)


class InterpreterUnusable(RuntimeError):
    """The configured interpreter does not run."""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter that is no virtual environment itself."""

    executable: Path
    prefix: Path
    series: str
    """As in `3.13`."""
    version: str

    @classmethod
    def ask(cls, python: Path) -> Interpreter:
        """Ask the interpreter about itself; of a virtual environment's, the one it was made from."""
        try:
            done = subprocess.run(
                [python, "-I", "-S", "-c", _ASK], capture_output=True, check=True, timeout=30, stdin=subprocess.DEVNULL
            )
            executable, prefix, series, version = json.loads(done.stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise InterpreterUnusable(f"{python} does not run ({error}); set SKERRY_NODE_PYTHON") from error
        return cls(Path(executable).resolve(), Path(prefix).resolve(), series, version)

    @property
    def identity(self) -> str:
        """Changes when environments made earlier can no longer be used."""
        return f"{self.executable} {self.version}"

    def make_environment(self, folder: Path) -> None:
        """A virtual environment without anything installed, as PEP 405 lays it out.

        Written by hand rather than by `python -m venv`, which takes some 50 ms to make the same few files.
        """
        packages = folder / "lib" / f"python{self.series}" / "site-packages"
        packages.mkdir(parents=True)
        (folder / "bin").mkdir()
        (folder / "lib64").symlink_to("lib")
        (folder / "bin" / "python").symlink_to(self.executable)
        for name in ("python3", f"python{self.series}"):
            (folder / "bin" / name).symlink_to("python")
        (folder / "pyvenv.cfg").write_text(
            f"home = {self.executable.parent}\ninclude-system-site-packages = false\nversion = {self.version}\n"
        )


def clean_environment(environment: Path, *, home: Path, temporary: Path) -> dict[str, str]:
    """The variables a process in this virtual environment starts with; nothing of the agent's own."""
    return {
        "PATH": os.pathsep.join((str(environment / "bin"), "/usr/local/bin", "/usr/bin", "/bin")),
        "VIRTUAL_ENV": str(environment),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "USER": "skerry",
        "LOGNAME": "skerry",
        "PYTHONUNBUFFERED": "1",
    }
