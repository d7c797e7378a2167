"""Making one file of an app's folder, for `skerry apps push`."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from webfront.cli.errors import USAGE, CliError

LEFT_OUT: Final = frozenset({"__pycache__", ".git", ".hg", ".venv", "venv", ".mypy_cache", ".ruff_cache", ".DS_Store"})


@contextlib.contextmanager
def packed(source: Path) -> Iterator[tuple[str, BinaryIO]]:
    """The file's name and its bytes: a zip or .py as it is, a folder zipped. CliError for anything else."""
    if source.is_dir():
        with tempfile.TemporaryFile() as file:
            count = _zip_folder(source, file)
            if not count:
                raise CliError(f"{source} holds no file.", USAGE)
            file.seek(0)
            yield f"{source.resolve().name}.zip", file
    elif source.is_file():
        with source.open("rb") as file:
            yield source.name, file
    else:
        raise CliError(f"There is no file or folder {source}.", USAGE)


def _zip_folder(folder: Path, out: BinaryIO) -> int:
    count = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if LEFT_OUT.intersection(relative.parts) or not path.is_file():
                continue
            if path.is_symlink():
                raise CliError(f"{relative} is a link. An app holds plain files only: copy what it points to.", USAGE)
            # A date before 1980, which a checkout may have, has no place in a zip; the version does not depend on it.
            info = zipfile.ZipInfo(str(relative), date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            with path.open("rb") as source, archive.open(info, "w") as target:
                while chunk := source.read(1024 * 1024):
                    target.write(chunk)
            count += 1
    return count
