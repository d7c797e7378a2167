"""The kit: what runs on a machine without an agent, packed into one file that is named by its content.

As a program, `python kit.py FOLDER`, it makes the file in that folder and prints its path. It stands alone: plays run
it with whatever Python runs them.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).resolve().parents[1]
_MAIN: Final = """import sys
from pathlib import Path
from node_scripts.dispatched.command import main
sys.exit(main(Path(sys.argv[0]), sys.argv[1:]))
"""
_EPOCH: Final = (2020, 1, 1, 0, 0, 0)


def make(folder: Path, source: Path = _SOURCE) -> Path:
    """The kit in this folder, made if it is not there: `HASH.pyz`. The same code makes the same file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(_contents(source).items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    body = packed.getvalue()
    kit = folder / f"{hashlib.sha256(body).hexdigest()[:16]}.pyz"
    if not kit.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = kit.with_suffix(".new")
        beside.write_bytes(body)
        beside.rename(kit)
    return kit


def _contents(source: Path) -> dict[str, bytes]:
    agent = source / "node_scripts"
    found = {"__main__.py": _MAIN.encode(), "msgspec.py": (agent / "dispatched" / "records.py").read_bytes()}
    shipped = [
        agent / "__init__.py",
        agent / "benchmark.py",
        *agent.glob("running/*.py"),
        *agent.glob("dispatched/*.py"),
    ]
    shipped += [source / "wire" / "__init__.py", source / "wire" / "messages.py", source / "wire" / "refusals.py"]
    return found | {str(path.relative_to(source)): path.read_bytes() for path in shipped}


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
