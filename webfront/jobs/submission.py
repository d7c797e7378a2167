"""Accepting a job. Once `submit` returns, the job is in the database and will end in one recorded outcome.

Order, so that a death on any line leaves nothing wrong: the input is written into `inputs/.<job>`, whole and on the
disk; the folder gets the job's id as its name; the row is committed; then the hint. A folder without a row is an input
that nobody asked for, and `sweep_inputs` removes it; a row without a hint is found by the scheduler's sweep.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from webfront.accounts.policy import Act, may
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.apps.manifest import PARAMETER, PARAMETER_RULE, Manifest
from webfront.apps.queries import FoundVersion, find_version
from webfront.clock import Clock, system_clock
from webfront.database.models import Job
from webfront.errors import InvalidInput
from webfront.jobs.identifiers import PATTERN, Ulids
from webfront.jobs.intake import Intake, NewJob
from webfront.jobs.states import JobState
from webfront.jobs.views import InputFile, JobView
from webfront.share import chunks_of, settle, share_errors, sync_folder, write_file

MOST_PARAMETERS: Final = 50
LONGEST_VALUE: Final = 4000
PRIORITIES: Final = range(-10, 11)
_STALE_S: Final = 24 * 3600.0


class Submission:
    def __init__(
        self,
        share_dir: Path,
        hint: Callable[[str], None],
        *,
        clock: Clock = system_clock,
        ulids: Ulids | None = None,
    ) -> None:
        """`hint` tells the scheduler of a job; it neither waits nor fails."""
        self._inputs = share_dir / "inputs"
        self._hint = hint
        self._clock = clock
        self._ulids = ulids or Ulids(clock)
        self._intake = Intake()

    def submit(
        self,
        account: Account,
        *,
        app: str,
        version: str | None = None,
        parameters: Mapping[str, str] | None = None,
        input_file: InputFile | None = None,
        priority: int = 0,
    ) -> JobView:
        """Accept a job: once this returns it is in the database and will end in one outcome. InvalidInput, NotFound."""
        row = find_version(app, version)
        manifest = row.manifest
        given = check_parameters(manifest, parameters or {})
        if priority not in PRIORITIES:
            raise InvalidInput(f"The priority is a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}.")
        if priority > 0 and not may(account, Act.PUT_JOB_FIRST):
            raise InvalidInput("Only an administrator may put a job before the others. Give a priority of 0 or less.")
        job_id = self._ulids.next()
        input_path = self._take_input(job_id, manifest, input_file)
        now = self._clock()
        new = NewJob(
            *(job_id, row.id, account.id, priority, input_path, given, now),
            user=account.name,
            app=row.app,
            controller=deeds.controller(),
        )
        self._intake.accept(new)
        self._hint(job_id)
        return _accepted(job_id, account, row, given, input_path, priority, now)

    def _take_input(self, job_id: str, manifest: Manifest, input_file: InputFile | None) -> str | None:
        if input_file is None:
            if manifest.inputs.required:
                raise InvalidInput(f"{manifest.name} needs an input file{_endings(manifest)}.")
            return None
        name = clean_file_name(input_file.name)
        if manifest.inputs.accept and not name.lower().endswith(manifest.inputs.accept):
            raise InvalidInput(f"{manifest.name} does not accept {name}; it takes a file{_endings(manifest)}.")
        beside, final = self._inputs / f".{job_id}", self._inputs / job_id
        with share_errors():
            self._inputs.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.mkdir(mode=0o700)
            try:
                write_file(beside / name, chunks_of(input_file.stream))
                sync_folder(beside)
                settle(beside, final)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        return f"inputs/{job_id}/{name}"


def sweep_inputs(share_dir: Path, now: float) -> int:
    """Remove inputs that belong to no job, a day old: submissions that were cut off. Returns how many."""
    removed = 0
    for folder in (share_dir / "inputs").glob("*"):
        with contextlib.suppress(OSError):
            job_id = folder.name.removeprefix(".")
            if not PATTERN.fullmatch(job_id) or folder.stat().st_mtime > now - _STALE_S:
                continue
            if folder.name.startswith(".") or not Job.select().where(Job.id == job_id).exists():
                shutil.rmtree(folder)
                removed += 1
    return removed


def check_parameters(manifest: Manifest, given: Mapping[str, str]) -> dict[str, str]:
    """The parameters to pass on: those given, after the declared defaults. InvalidInput."""
    declared = manifest.parameters
    for name, value in given.items():
        if declared is not None and name not in declared:
            known = ", ".join(declared) or "none"
            raise InvalidInput(f"{manifest.name} has no parameter {name[:64]}; it has: {known}.")
        if not PARAMETER.fullmatch(name):
            raise InvalidInput(f"{name[:64]!r} cannot be a parameter: {PARAMETER_RULE}.")
        if len(value) > LONGEST_VALUE or "\0" in value:
            raise InvalidInput(f"The value of {name} is longer than {LONGEST_VALUE} characters, or holds a NUL.")
    if len(given) > MOST_PARAMETERS:
        raise InvalidInput(f"These are more than {MOST_PARAMETERS} parameters.")
    defaults = {name: one.default for name, one in (declared or {}).items() if one.default is not None}
    # In the manifest's order, so that the same wish gives the same command line.
    merged = defaults | dict(given)
    order = [name for name in declared or {} if name in merged]
    return {name: merged[name] for name in [*order, *(name for name in merged if name not in order)]}


def clean_file_name(name: str) -> str:
    """A file name for the share made of what a user's machine called it: harmless, its ending kept."""
    base = name.replace("\\", "/").rpartition("/")[2]
    base = re.sub(r"[^A-Za-z0-9._-]+", "_", base).lstrip(".-")
    if len(base) > 100:
        stem, dot, ending = base.rpartition(".")
        base = f"{stem[: 99 - len(ending)]}{dot}{ending}" if dot and len(ending) < 50 else base[:100]
    return base or "input"


def _endings(manifest: Manifest) -> str:
    return f" ending in {' or '.join(manifest.inputs.accept)}" if manifest.inputs.accept else ""


def _accepted(
    job_id: str,
    account: Account,
    version: FoundVersion,
    parameters: dict[str, str],
    input_path: str | None,
    priority: int,
    now: float,
) -> JobView:
    """The job as it stands in the database, without asking it again."""
    return JobView(
        id=job_id,
        app=version.app,
        version=version.hash,
        user=account.name,
        state=JobState.QUEUED,
        cause=None,
        message="",
        waiting_reason="",
        cancel_requested=False,
        submitted_at=now,
        finished_at=None,
        parameters=parameters,
        input=input_path.rpartition("/")[2] if input_path else None,
        priority=priority,
    )
