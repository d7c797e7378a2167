"""Jobs that the share has files of and the database does not know.

After a restore these are the jobs that were accepted when the copy had been made: whoever sent one was told that it is
accepted, so it is named as long as the share tells of it. Otherwise they are submissions that were cut off before their
rows. Their inputs go by `submission.sweep_inputs`, their results by `sweep_results`, their logs by `sweep_logs`, all a
day old: a node that was cut off may store results yet, and nothing reads them.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from webfront.database.rows import rows
from webfront.jobs.identifiers import PATTERN, first_after
from webfront.jobs.logfiles import FOLDER as LOGS

_STALE_S: Final = 24 * 3600.0
_AT_ONCE: Final = 500

_KNOWN: Final = "SELECT id FROM job WHERE id IN (?*)"

_T = TypeVar("_T")


class _JobId(NamedTuple):
    id: str


def accepted_between(share_dir: Path, begin: float, end: float) -> list[str]:
    """The unknown jobs that were accepted between these moments, the oldest first."""
    first, last = first_after(begin), first_after(end)
    folders = [*(share_dir / "inputs").glob("*"), *(share_dir / "results").glob("*")]
    return sorted(_unknown({folder.name for folder in folders if first <= folder.name < last}))


def sweep_results(share_dir: Path, now: float) -> int:
    """Remove a day old results of unknown jobs. Returns of how many jobs."""
    return _sweep(share_dir / "results", now)


def sweep_logs(share_dir: Path, now: float) -> int:
    """Remove a day old logs of unknown jobs. Returns of how many jobs."""
    return _sweep(share_dir / LOGS, now)


def _sweep(of_jobs: Path, now: float) -> int:
    removed = 0
    for folders in _in_parts(of_jobs.glob("*")):
        unknown = _unknown([folder.name for folder in folders])
        for folder in folders:
            with contextlib.suppress(OSError):
                if folder.name in unknown and folder.stat().st_mtime <= now - _STALE_S:
                    shutil.rmtree(folder)
                    removed += 1
    return removed


def _unknown(names: Iterable[str]) -> set[str]:
    """Of these names those that are a job's and in no row."""
    asked = {name for name in names if PATTERN.fullmatch(name)}
    for part in _in_parts(sorted(asked)):
        asked.difference_update(row.id for row in rows(_JobId, _KNOWN, list(part)))
    return asked


def _in_parts(given: Iterable[_T]) -> Iterator[list[_T]]:
    left = iter(given)
    while part := list(islice(left, _AT_ONCE)):
        yield part
