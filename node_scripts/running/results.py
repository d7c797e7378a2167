"""Committing an attempt's results to the share: whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from node_scripts.running import files, trees
from node_scripts.running.limits import MB
from node_scripts.running.rooms import make_folder
from wire.messages import OutputFile


class ResultsRefused(Exception):
    """The app did not leave the results it declared, or left something that is not taken."""


def commit(
    outputs: Path, names: Iterable[str], results: Path, attempt: int, *, owner: int | None, limit_mb: int
) -> tuple[OutputFile, ...]:
    """Copy the declared outputs to `results/<attempt>/` (`results` being the job's folder) and describe them.

    The app is gone when this runs, so nothing changes under our hands. A death at any line is repaired by calling it
    again: what is beside is written anew, what was renamed is only described. `owner` is the user whose files are
    taken, and nobody else's: a hard link to another's file is none of the app's results.

    Raises `ResultsRefused`, and `OSError` for the share's troubles.
    """
    names = tuple(dict.fromkeys(names))
    if not names:
        return ()
    final = results / str(attempt)
    if final.is_dir():
        return tuple(_described(final, name) for name in names)
    _check(outputs, names, owner, limit_mb)
    _make_folder(results)
    beside = results / f".{attempt}.partial"
    trees.remove(beside)
    _make_folder(beside)
    committed = tuple(_copied(outputs, name, beside) for name in names)
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


def _copied(outputs: Path, name: str, beside: Path) -> OutputFile:
    target = beside / files.inside(name)
    for folder in reversed(target.relative_to(beside).parents[:-1]):
        _make_folder(beside / folder)
    with files.opened(outputs, name) as fd:
        size, digest = files.copy(fd, target, mode=0o640, sync=True)
    _give_like(target, beside)
    return OutputFile(name, size, digest)


def _described(final: Path, name: str) -> OutputFile:
    return OutputFile(name, *files.describe(final / files.inside(name)))


def _make_folder(folder: Path) -> None:
    make_folder(folder, 0o750)
    _give_like(folder, folder.parent)


def _give_like(path: Path, model: Path) -> None:
    """The share's owner (the web front's user, say) owns what is put there; nothing where we may not give away."""
    if os.geteuid() == 0:
        status = model.stat()
        with suppress(OSError):
            os.chown(path, status.st_uid, status.st_gid)
