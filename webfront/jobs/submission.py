"""Accepting a job. Once `submit` returns, the job is in the database and will end in one recorded outcome.

Order, so that a death on any line leaves nothing wrong: the input is written into `inputs/.<job>`, whole and on the
disk; the folder gets the job's id as its name; the row is committed; then the hint. A folder without a row is an input
that nobody asked for, and `sweep_inputs` removes it; a row without a hint is found by the scheduler's sweep.

With an idempotency key (`webfront.jobs.keys`) the key's row is committed with the job's. So a request that is sent
again finds the job if there is one, and becomes one if there is none. Where two come at once, the one that commits
second takes back its input and is answered with the first one's job. Where the database refuses the row, the input is
taken back too.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import peewee

from webfront.accounts.policy import Act, may
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.apps.manifest import PARAMETER, PARAMETER_RULE, Manifest
from webfront.apps.queries import FoundVersion, find_version
from webfront.clock import Clock, system_clock
from webfront.database.models import Job
from webfront.database.rows import shared, value
from webfront.errors import InvalidInput, Unavailable
from webfront.jobs.identifiers import PATTERN, Ulids
from webfront.jobs.inputs import Input, InputFile, check_input, put_input
from webfront.jobs.intake import Intake, NewJob
from webfront.jobs.keys import Key, job_of, key_of
from webfront.jobs.queries import get_job
from webfront.jobs.states import JobState
from webfront.jobs.views import JobView

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
        self._share = share_dir
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
        key: str | None = None,
    ) -> Accepted:
        """Accept a job: once this returns it is in the database and will end in one outcome.

        With a key that came before it is the job which that request became. InvalidInput, NotFound, KeyReused.
        """
        parameters = parameters or {}
        used = None
        if key is not None:
            used = key_of(
                account.id, key, app=app, version=version, parameters=parameters, priority=priority, given=input_file
            )
            if (earlier := self._earlier(account, used)) is not None:
                return earlier
        check_priority(account, priority)
        prepared = prepare_job(
            self._share,
            self._ulids.next(),
            account,
            app=app,
            version=version,
            parameters=parameters,
            given=input_file,
            clock=self._clock,
            priority=priority,
            key=used,
        )
        try:
            accepted = self._intake.accept(prepared.row)
        except peewee.PeeweeException:
            _discard_unless_accepted(self._share, prepared.row.id)
            raise
        if accepted:
            self._hint(prepared.row.id)
            return Accepted(_as_accepted(prepared, account))
        discard(self._share, prepared.row.id)
        if used is not None and (earlier := self._earlier(account, used)) is not None:
            return earlier
        raise Unavailable("Another request with this idempotency key has just come to its end. Send this one again.")

    def _earlier(self, account: Account, key: Key) -> Accepted | None:
        """The job that an earlier request with this key became. KeyReused."""
        job_id = job_of(key, self._clock())
        if job_id is None:
            return None
        job = get_job(account, job_id)
        deeds.told(Kind.JOB_SUBMIT)  # by that request: one job is one fact, however often it is asked for
        return Accepted(job, replayed=True)


class Accepted(NamedTuple):
    """What a submission is answered with."""

    job: JobView
    replayed: bool = False
    """An earlier request with the same key became this job, and this is how it stands now."""


class Prepared(NamedTuple):
    """A job that lacks nothing but its row."""

    row: NewJob
    version: FoundVersion


def prepare_job(
    share_dir: Path,
    job_id: str,
    account: Account,
    *,
    app: str,
    version: str | None,
    parameters: Mapping[str, str],
    given: Input | None,
    clock: Clock,
    priority: int = 0,
    schedule: str | None = None,
    key: Key | None = None,
) -> Prepared:
    """Check what the account asks a job to be, and put its input in place. InvalidInput, NotFound."""
    found = find_version(app, version)
    merged = check_parameters(found.manifest, parameters)
    name = check_input(found.manifest, given)
    path = None
    if given is not None and name is not None:
        put_input(share_dir / "inputs" / job_id, name, given)
        path = f"inputs/{job_id}/{name}"
    row = NewJob(
        *(job_id, found.id, account.id, priority, path, merged, clock()),
        user=account.name,
        app=found.app,
        controller=deeds.controller(),
        schedule=schedule,
        key=key,
    )
    return Prepared(row, found)


def discard(share_dir: Path, job_id: str) -> None:
    """Take back what `prepare_job` put in place, where no row follows."""
    shutil.rmtree(share_dir / "inputs" / job_id, ignore_errors=True)


def _discard_unless_accepted(share_dir: Path, job_id: str) -> None:
    """Take it back where the database failed, if it can be known that there is no row.

    A connection that breaks may hide that the commit came to its end. The row of one that is still under way is held,
    so that this waits for what becomes of it. What cannot be known now is left to `sweep_inputs`.
    """
    with contextlib.suppress(peewee.PeeweeException):
        if value(shared("SELECT 1 FROM job WHERE id = ?"), job_id) is None:
            discard(share_dir, job_id)


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


def check_priority(account: Account, priority: int) -> None:
    """InvalidInput unless the account may give a job this priority."""
    if priority not in PRIORITIES:
        raise InvalidInput(f"The priority is a whole number from {PRIORITIES[0]} to {PRIORITIES[-1]}.")
    if priority > 0 and not may(account, Act.PUT_JOB_FIRST):
        raise InvalidInput("Only an administrator may put a job before the others. Give a priority of 0 or less.")


def check_parameters(manifest: Manifest, given: Mapping[str, str]) -> dict[str, str]:
    """The parameters to pass on: those given, after the declared defaults. InvalidInput."""
    declared = manifest.parameters
    for name, text in given.items():
        if declared is not None and name not in declared:
            known = ", ".join(declared) or "none"
            raise InvalidInput(f"{manifest.name} has no parameter {name[:64]}; it has: {known}.")
        if not PARAMETER.fullmatch(name):
            raise InvalidInput(f"{name[:64]!r} cannot be a parameter: {PARAMETER_RULE}.")
        if len(text) > LONGEST_VALUE or "\0" in text:
            raise InvalidInput(f"The value of {name} is longer than {LONGEST_VALUE} characters, or holds a NUL.")
    if len(given) > MOST_PARAMETERS:
        raise InvalidInput(f"These are more than {MOST_PARAMETERS} parameters.")
    defaults = {name: one.default for name, one in (declared or {}).items() if one.default is not None}
    # In the manifest's order, so that the same wish gives the same command line.
    merged = defaults | dict(given)
    order = [name for name in declared or {} if name in merged]
    return {name: merged[name] for name in [*order, *(name for name in merged if name not in order)]}


def _as_accepted(prepared: Prepared, account: Account) -> JobView:
    """The job as it stands in the database, without asking it again."""
    row, version = prepared
    return JobView(
        id=row.id,
        app=version.app,
        version=version.hash,
        user=account.name,
        state=JobState.QUEUED,
        cause=None,
        message="",
        waiting_reason="",
        cancel_requested=False,
        submitted_at=row.submitted_at,
        finished_at=None,
        parameters=row.parameters,
        input=row.input.rpartition("/")[2] if row.input else None,
        priority=row.priority,
    )
