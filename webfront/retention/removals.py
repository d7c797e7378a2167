"""What is to go from the share: written with the change that gives it up, removed a moment later.

    with transaction():
        ...                                       # the row that named it goes, or is marked
        give_up(f"results/{job}", "results", now)

Row first: from the commit on nobody is led to the files, and the row of the removal says that they are still there.
Then the chore removes them, counts what that freed, and removes that row. Killed anywhere, the next run finds the row
and goes on; a path that is not there is done with. So nothing that was given up stays, and no sweep must look for it.

A version's folder is named by its content, so the same upload may want it again. Who is to remove it **claims** it
first, in a transaction that makes sure that nothing names it; who wants it again takes the row away, or is refused
while it is claimed. It is put aside before it is removed, and brought back if another scheduler leads by then: that one
may have removed it long ago, and what stands there now is a new upload. The other paths are never used twice.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from webfront.activity.term import Deposed, Term
from webfront.database.rows import change, locked, many, rows
from webfront.errors import Unavailable
from webfront.retention.runs import add_to_run, freed_words, go_on, record_freed
from webfront.share import settle

_log = logging.getLogger(__name__)

AT_ONCE: Final = 200
ASIDE: Final = ".removed-"
AGAIN_S: Final = 300.0
"""When what could not be removed is tried again."""

_GIVE_UP: Final = "INSERT INTO removal (path, what, due_at, claimed, run) VALUES (?, ?, ?, 0, ?)"
_DUE: Final = "SELECT id, path, what, run FROM removal WHERE due_at <= ? ORDER BY due_at, id LIMIT ?"
_FIND: Final = "SELECT id, claimed FROM removal WHERE path = ?"
_HELD: Final = "SELECT id, claimed FROM removal WHERE id IN (?*)"
_CLAIM: Final = "UPDATE removal SET claimed = 1 WHERE id IN (?*)"
_POSTPONE: Final = "UPDATE removal SET due_at = ? WHERE id IN (?*)"
_DONE: Final = "DELETE FROM removal WHERE id IN (?*)"

Wanted = Callable[[str], str]
"""What is said of a path, in the transaction that claims it: `KEEP`, `LATER` or `GO`."""
KEEP: Final = "keep"
LATER: Final = "later"
GO: Final = "go"


class _Due(NamedTuple):
    id: int
    path: str
    what: str
    run: int | None


class _Found(NamedTuple):
    id: int
    claimed: int


def give_up(paths: Iterable[str], what: str, due_at: float, run: int | None = None) -> None:
    """Have these go from the share, from `due_at` on, within the transaction of the change that needs them no more."""
    many(_GIVE_UP, [(path, what, due_at, run) for path in paths])


def take_back(path: str) -> None:
    """Somebody needs it again, within the transaction that says so. Unavailable while it is being removed."""
    found = rows(_Found, locked(_FIND), path)
    if any(one.claimed for one in found):
        raise Unavailable("The same content is being deleted just now. Try again in a minute.")
    if found:
        change(_DONE, [one.id for one in found])


class Removing:
    """The chore. `wanted` says of a path that others may want again whether it may go; asked for those of `shared`."""

    def __init__(self, share: Path, shared: str, wanted: Wanted) -> None:
        self._share = share
        self._shared = shared
        self._wanted = wanted

    def run(self, term: Term) -> str:
        """Remove what is due. Raises `Deposed`, and at the end what kept it from some: they are tried again."""
        freed: dict[str, list[int]] = {}
        trouble: OSError | None = None
        while due := rows(_Due, _DUE, term.now(), AT_ONCE):
            gone: list[tuple[_Due, int | None]] = []
            left: list[_Due] = []
            for one in self._claimed(term, due):
                try:
                    gone.append((one, self._remove(term, one)))
                except OSError as error:
                    _log.warning("%s cannot be removed: %s", one.path, error, extra={"event.action": "space.free"})
                    left.append(one)
                    trouble = error
            _note(term, gone, left)
            for one, size in gone:
                if size is not None:
                    freed.setdefault(one.what, []).append(size)
            if not go_on(term):
                break
        if freed:
            with term.transaction():
                for what, sizes in freed.items():
                    record_freed(what, len(sizes), sum(sizes), term.now())
        if trouble is not None:
            raise trouble
        return ", ".join(freed_words(what, len(sizes), sum(sizes)) for what, sizes in freed.items())

    def _claimed(self, term: Term, due: list[_Due]) -> list[_Due]:
        """Those of these that nothing names, and that nobody can get back any more."""
        with term.transaction():
            # Those that somebody took back meanwhile are not there any more.
            there = {one.id for one in rows(_Found, locked(_HELD), [one.id for one in due])}
            said = {one.id: self._said(one.path) for one in due if one.id in there}
            for answer, statement, *more in ((GO, _CLAIM), (KEEP, _DONE), (LATER, _POSTPONE, term.now() + AGAIN_S)):
                if chosen := [number for number, about in said.items() if about == answer]:
                    change(statement, *more, chosen)
        return [one for one in due if said.get(one.id) == GO]

    def _remove(self, term: Term, one: _Due) -> int | None:
        path = self._share / one.path
        if not one.path.startswith(self._shared):
            return remove(path)
        aside = path.with_name(f"{ASIDE}{one.id}")
        before = remove(aside)  # of a run that was cut off
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
        try:
            with term.transaction():
                pass
        except Deposed:
            settle(aside, path)
            raise
        size = remove(aside)
        return before if size is None else size

    def _said(self, path: str) -> str:
        return self._wanted(path) if path.startswith(self._shared) else GO


def _note(term: Term, gone: list[tuple[_Due, int | None]], left: list[_Due]) -> None:
    """What has gone is done with, what could not go is tried again later."""
    with term.transaction():
        for one, size in gone:
            if size is not None and one.run is not None:
                add_to_run(one.run, 0, size)
        if gone:
            change(_DONE, [one.id for one, _ in gone])
        if left:
            change(_POSTPONE, term.now() + AGAIN_S, [one.id for one in left])


def remove(path: Path) -> int | None:
    """Remove a file or folder; links are removed and never followed. The bytes that freed; None when it was not there.

    What has another name elsewhere (an input that is a schedule's too) frees nothing.
    """
    try:
        if path.is_symlink() or not path.is_dir():
            size = _freed(path)
            path.unlink()
        else:
            size = sum(map(_freed, _below(path)))
            shutil.rmtree(path)
    except FileNotFoundError:
        if os.path.lexists(path):
            raise
        return None
    return size


def _below(path: Path) -> Iterator[Path]:
    """The files in a folder and those below it."""
    for folder, _, names in os.walk(path):
        yield from (Path(folder) / name for name in names)


def _freed(path: Path) -> int:
    found = path.lstat()
    return 0 if found.st_nlink > 1 else found.st_size
