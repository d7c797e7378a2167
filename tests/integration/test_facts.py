"""Facts on real databases: none is passed over, and a consumer that is killed repeats a batch at most."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from webfront.activity.consumers import Consumer, begin, feed
from webfront.activity.facts import Fact, Kind, NewFact, record, record_many
from webfront.activity.numbering import LARGEST, number
from webfront.activity.term import Deposed
from webfront.database import models
from webfront.database.connection import transaction
from webfront.scheduling.leadership import Leadership

if TYPE_CHECKING:
    from support.stores import Store

PROJECT = Path(__file__).resolve().parent.parent.parent


class Writer(threading.Thread):
    """Records a fact on a connection of its own, and commits when it is told to."""

    def __init__(self, job: str) -> None:
        super().__init__()
        self._job = job
        self.written, self.may_commit = threading.Event(), threading.Event()
        self.start()
        assert self.written.wait(10)

    def run(self) -> None:
        with models.database.obj.connection_context(), transaction():
            record(NewFact(Kind.JOB_END, job=self._job))
            self.written.set()
            self.may_commit.wait(30)

    def commit(self) -> None:
        self.may_commit.set()
        self.join(10)


@pytest.mark.stores("mariadb")  # SQLite lets one writer in at a time
def test_a_fact_with_a_lower_id_that_is_committed_last_is_not_passed_over(database: object) -> None:
    term = Leadership("the test").take_over(1.0)
    had: list[Fact] = []
    consumer = Consumer("x", had.extend)
    begin(consumer, term)
    first = Writer("first")
    second = Writer("second")
    second.commit()
    began = time.monotonic()
    assert number(term) == 1
    assert time.monotonic() - began < 5  # it waits for nobody's transaction
    assert feed(consumer, term)
    assert [fact.job for fact in had] == ["second"]
    first.commit()
    assert number(term) == 1
    assert feed(consumer, term)
    assert [fact.job for fact in had] == ["second", "first"]
    assert had[1].id < had[0].id
    assert not feed(consumer, term)


@pytest.mark.stores("mariadb")
def test_terms_transactions_do_not_wait_for_each_other_and_whoever_takes_over_waits_for_them(database: object) -> None:
    leadership = Leadership("the first")
    term = leadership.take_over(1.0)
    holding, release, taken = threading.Event(), threading.Event(), threading.Event()

    def chore() -> None:
        with models.database.obj.connection_context(), term.transaction():
            holding.set()
            release.wait(30)

    def successor() -> None:
        with models.database.obj.connection_context():
            Leadership("the second").take_over(2.0)
        taken.set()

    slow = threading.Thread(target=chore)
    slow.start()
    assert holding.wait(10)
    with transaction():
        leadership.check()  # a turn beside the chore's transaction
    other = threading.Thread(target=successor)
    other.start()
    assert not taken.wait(0.5)
    release.set()
    assert taken.wait(10)
    slow.join()
    other.join()
    with pytest.raises(Deposed), term.transaction():
        pass


KILLED = """
import sys, time
from pathlib import Path
from webfront.activity.consumers import Consumer, begin, feed
from webfront.database.schema import open_database
from webfront.scheduling.leadership import Leadership

url, password_file, told = sys.argv[1:]
open_database(url, Path(password_file) if password_file else None)
out = open(told, "a", buffering=1)

def handle(facts):
    out.write(f"batch {len(facts)}\\n")
    for fact in facts:
        out.write(f"{fact.id}\\n")
        time.sleep(0.0005)

consumer = Consumer("told in a file", handle, from_the_beginning=True)
term = Leadership("a process").take_over(time.time())
begin(consumer, term)
while feed(consumer, term):
    pass
out.write("end\\n")
"""


def test_a_consumer_that_is_killed_repeats_a_batch_at_most(database: object, store: Store, tmp_path: Path) -> None:
    term = Leadership("the test").take_over(1.0)
    with transaction():
        record_many(NewFact(Kind.JOB_END, job=str(n)) for n in range(6 * LARGEST))
    while number(term):
        pass
    told = tmp_path / "told"
    told.touch()
    command = [sys.executable, "-c", KILLED, store.url, str(store.password_file or ""), str(told)]

    def lines() -> list[str]:
        return told.read_text().splitlines()

    kills = 0
    for share in (0.3, 1.5, 3.2, 99):
        process = subprocess.Popen(command, cwd=PROJECT)
        before = len(lines())
        while process.poll() is None and len(lines()) - before < share * LARGEST:
            time.sleep(0.005)
        if process.poll() is None:
            process.kill()
            kills += 1
        process.wait()
    assert kills == 3
    assert lines()[-1] == "end"
    times = Counter(line for line in lines() if line.isdigit())
    assert sorted(map(int, times)) == [row.id for row in models.Fact.select().order_by(models.Fact.id)]
    repeated = sum(count - 1 for count in times.values())
    assert 0 < repeated <= kills * LARGEST
    batch = {str(row.id): row.batch for row in models.Fact.select()}
    assert len({batch[one] for one, count in times.items() if count > 1}) <= kills
