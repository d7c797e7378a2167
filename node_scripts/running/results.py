"""Committing an attempt's results to the share: whole, or not at all, and what is large without beginning anew."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

import msgspec

from node_scripts.running import files, trees
from node_scripts.running.limits import MB
from node_scripts.running.rooms import make_folder, read_record, write_record
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
    noted: Path | None = None,
) -> tuple[OutputFile, ...]:
    """Copy the declared outputs to `results/<attempt>/` (`results` being the job's folder) and describe them.

    The outputs are read by the caller, the results made by whom `reached` says.

    The app is gone when this runs, so nothing changes under our hands. A death at any line is repaired by calling it
    again: what was renamed is only described, and what is beside goes on where `noted` says, a file of the caller's
    own. That is written after what it tells of is on the share's disk; without it all is written anew. `owner` is the
    user whose files are taken, and nobody else's: a hard link to another's file is none of the app's results.

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
    notes = _Notes(noted)
    with reached():
        make_folder(results, _FOLDER)
        if not notes.sizes:
            trees.remove(beside)
        make_folder(beside, _FOLDER)
    committed = tuple(_copied(outputs, name, beside, reached, notes) for name in names)
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


class _Sizes(msgspec.Struct, frozen=True):
    """How much of each result is on the share's disk (bytes)."""

    sizes: dict[str, int]


class _Notes:
    """What is on the share's disk already, as an earlier call has noted it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        before = read_record(path, _Sizes) if path is not None else None
        self.sizes = dict(before.sizes) if before is not None else {}

    def note(self, name: str, size: int) -> None:
        self.sizes[name] = size
        if self._path is not None:
            with suppress(OSError):  # of a disk that the app has filled: then there is more to do again
                write_record(self._path, _Sizes(self.sizes), sync=False)


def _copied(outputs: Path, name: str, beside: Path, reached: files.Reached, notes: _Notes) -> OutputFile:
    target = beside / files.inside(name)
    with files.opened(outputs, name) as fd:
        with reached():
            for folder in reversed(target.relative_to(beside).parents[:-1]):
                make_folder(beside / folder, _FOLDER)
            out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                begin = min(notes.sizes.get(name, 0), os.fstat(out).st_size)
                os.ftruncate(out, begin)
                os.fchmod(out, 0o640)
            except BaseException:
                os.close(out)
                raise
        # What was opened as the share's owner is written as whoever this is.
        try:
            size, digest = files.copy_on(fd, out, begin, functools.partial(notes.note, name))
        finally:
            os.close(out)
    return OutputFile(name, size, digest)


def _described(final: Path, name: str) -> OutputFile:
    return OutputFile(name, *files.describe(final / files.inside(name)))
