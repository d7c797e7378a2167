"""A web front that is killed on any line of its way to a job: sent again with its key, the request is one job."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
from support.deaths import dies_at
from support.submitting import DATA, submission, submit

from webfront.accounts.views import Account
from webfront.database.models import Fact, Job, SubmissionKey
from webfront.jobs.submission import sweep_inputs

LINES = ("jobs/submission.py", "jobs/keys.py", "jobs/intake.py", "jobs/inputs.py", "database/rows.py", "share.py")


@pytest.mark.usefixtures("hasty")
def test_exactly_one_job_whatever_line_it_dies_on(ada: Account, share: Path) -> None:
    number, dying, found_done = 0, True, 0
    while dying:
        number += 1
        key = f"key {number}"
        dying = dies_at(number, partial(submit, submission(share), ada, key), lines_of=LINES)
        known = list(SubmissionKey.select().where(SubmissionKey.key == key))
        assert Job.select().count() == number - 1 + len(known), number  # a key has a job, and a job its key
        accepted = submit(submission(share), ada, key)
        assert accepted.replayed == bool(known), number
        assert accepted.job.id == SubmissionKey.get(SubmissionKey.key == key).job, number
        assert (share / str(Job.get_by_id(accepted.job.id).input)).read_bytes() == DATA, number
        found_done += accepted.replayed
    assert number > 60
    assert 3 < found_done < number - 20
    assert Job.select().count() == Fact.select().where(Fact.kind == "job.submit").count() == number
    # What the dead left on the share belongs to no job, and goes.
    sweep_inputs(share, time.time() + 2 * 86400)
    assert {entry.name for entry in (share / "inputs").iterdir()} == {job.id for job in Job.select()}
