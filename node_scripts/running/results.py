"""Committing an attempt's results to the share: whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from node_scripts.running import files, trees
from node_scripts.running.limits import MB
from node_scripts.running.rooms import make_folder
from wire.messages import OutputFile

_FOLDER: Final = 0o750


class ResultsRefused(Exception):
    """The app did not leave the results it declared, or left something that is not taken."""


def commit(
    outputs: Path,
    names: Iterable[str],
    results: Path,
    attempt: int,
    *,
    owner: int | None,
    limit_mb: int,
    reached: files.Reached = nullcontext,
) -> tuple[OutputFile, ...]:
    """Copy the declared outputs to `results/<attempt>/` (`results` being the job's folder) and describe them.

    The outputs are read by the caller, the results made by whom `reached` says.

    The app is gone when this runs, so nothing changes under our hands. A death at any line is repaired by calling it
    again: what is beside is written anew, what was renamed is only described. `owner` is the user whose files are
    taken, and nobody else's: a hard link to another's file is none of the app's results.

    Raises `ResultsRefused`, and `OSError` for the share's troubles.
    """
    names = tuple(dict.fromkeys(names))
    if not names:
        return ()
    final = results / str(attempt)
    with reached():
        if final.is_dir():
            return tuple(_described(final, name) for name in names)
    _check(outputs, names, owner, limit_mb)
    beside = results / f".{attempt}.partial"
    with reached():
        make_folder(results, _FOLDER)
        trees.remove(beside)
        make_folder(beside, _FOLDER)
    committed = tuple(_copied(outputs, name, beside, reached) for name in names)
    with reached():
        for folder in {(beside / name).parent for name in names} | {beside}:
            files.sync_folder(folder)
        beside.rename(final)
        files.sync_folder(results)
    return committed


def _check(outputs: Path, names: tuple[str, ...], owner: int | None, limit_mb: int) -> None:
    total = 0
    for name in names:
        try:
            with files.opened(outputs, name) as fd:
                status = os.fstat(fd)
        except FileNotFoundError:
            found = [_shown(entry.name) for entry in sorted(outputs.iterdir())[:10]]
            there = f"it wrote {', '.join(found)}" if found else "it wrote nothing there"
            raise ResultsRefused(
                f"the app ended well but did not write {name} into the folder given as --output ({there})"
            ) from None
        except files.UnsafePath as error:
            raise ResultsRefused(f"the app's output is not taken: {error}") from error
        if owner is not None and status.st_uid != owner:
            raise ResultsRefused(f"the app's output is not taken: {name} belongs to somebody else")
        total += status.st_size
    if total > limit_mb * MB:
        raise ResultsRefused(
            f"the app's outputs have {total / MB:,.0f} MB, more than the {limit_mb:,} MB of disk it asked for"
        )


def _shown(name: str) -> str:
    """A name that is no text, as text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _copied(outputs: Path, name: str, beside: Path, reached: files.Reached) -> OutputFile:
    target = beside / files.inside(name)
    with files.opened(outputs, name) as fd, reached():
        for folder in reversed(target.relative_to(beside).parents[:-1]):
            make_folder(beside / folder, _FOLDER)
        size, digest = files.copy(fd, target, mode=0o640, sync=True)
    return OutputFile(name, size, digest)


def _described(final: Path, name: str) -> OutputFile:
    return OutputFile(name, *files.describe(final / files.inside(name)))
