"""A process that is stopped while it writes to SQLite: it is ended, and nobody waits for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from support.front import Front, until
from support.stores import Store

from webfront.database.connection import transaction
from webfront.database.models import Probe
from webfront.web.health import HealthService

pytestmark = pytest.mark.stores("sqlite")

PROJECT = Path(__file__).resolve().parents[2]
LONGEST_S = 10.0

BEGIN = {
    "in its turn": """
from webfront.database.schema import open_database
from webfront.database.connection import transaction
from webfront.database.models import Probe
open_database("sqlite:///{file}")
with transaction():
    Probe.insert(controller="other", at=1.0).execute()
    {hold}
""",
    "without a turn": """
import sqlite3
database = sqlite3.connect("{file}", isolation_level=None)
database.execute("BEGIN IMMEDIATE")
database.execute("INSERT INTO probe (controller, at) VALUES ('other', 1.0)")
{hold}
database.execute("COMMIT")
""",
    "with nothing but the file": """
import sqlite3
database = sqlite3.connect("{file}", isolation_level=None)
database.execute("SELECT * FROM probe").fetchall()
{hold}
""",
}
STOP = "open('{file}.held', 'w').close(); import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
TAKE_LONG = "open('{file}.held', 'w').close(); import time; time.sleep(7)"

Other = Callable[[str, str], subprocess.Popen[bytes]]


@pytest.fixture
def other(tmp_path: Path, store: Store, request: pytest.FixtureRequest) -> Other:
    """Another process that begins as named and then holds on, until it does."""
    file = tmp_path / "skerry.sqlite"
    held = tmp_path / "skerry.sqlite.held"

    def begin(how: str, hold: str) -> subprocess.Popen[bytes]:
        script = BEGIN[how].format(file=file, hold=hold.format(file=file))
        process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(PROJECT)})
        request.addfinalizer(process.wait)
        request.addfinalizer(process.kill)
        until(held.exists)
        held.unlink()
        return process

    return begin


@pytest.mark.parametrize("how", ["in its turn", "without a turn"])
def test_one_that_is_stopped_while_it_writes_is_ended(database: object, other: Other, how: str) -> None:
    stopped = other(how, STOP)
    begun = time.monotonic()
    with transaction():
        Probe.insert(controller="this", at=2.0).execute()
    assert time.monotonic() - begun < LONGEST_S
    assert stopped.wait(5) == -signal.SIGKILL
    assert [row.controller for row in Probe.select()] == ["this"], "what it had begun is undone"


def test_one_that_takes_long_is_waited_for(database: object, other: Other) -> None:
    slow = other("in its turn", TAKE_LONG)
    with transaction():
        Probe.insert(controller="this", at=2.0).execute()
    assert slow.wait(5) == 0
    assert {row.controller for row in Probe.select()} == {"other", "this"}


def test_one_that_is_stopped_and_in_nobodys_way_is_left_alone(database: object, other: Other) -> None:
    idle = other("with nothing but the file", STOP)
    slow = other("in its turn", TAKE_LONG)
    with transaction():
        Probe.insert(controller="this", at=2.0).execute()
    assert slow.wait(5) == 0
    assert idle.poll() is None


def test_health_does_not_wait_for_what_hangs(database: object, other: Other) -> None:
    health = HealthService("this", lambda: True)
    assert health().status == "ok"
    slow = other("in its turn", TAKE_LONG)
    time.sleep(1.1)  # what was found before is old by now
    begun = time.monotonic()
    assert health().database == "down"
    assert time.monotonic() - begun < LONGEST_S / 2
    assert slow.wait(10) == 0
    until(lambda: health().status == "ok", 5)


def test_a_front_answers_while_another_process_is_stopped(front: Front, ada: httpx.Client, other: Other) -> None:
    stopped = other("in its turn", STOP)
    begun = time.monotonic()
    assert ada.post("jobs", json={"app": "noop"}).status_code == 202
    assert time.monotonic() - begun < LONGEST_S
    assert stopped.wait(5) == -signal.SIGKILL
    until(lambda: front.health().get("status") == "ok", 5)
    assert any("was stopped while it wrote" in record["message"] for record in front.records())
