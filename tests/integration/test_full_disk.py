"""A controller whose disk is full: it says so, breaks nothing, and comes back by itself."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.front import PASSWORD, Front, until
from support.rabbitmq import PrivateRabbit
from support.stores import SQLITE, Store, migrated

from webfront.accounts.users import create_user
from webfront.database.schema import open_database

pytestmark = pytest.mark.stores("sqlite")

MIB = 2**20
INPUT = {"input": ("readings.csv", b"1,2\n" * (MIB // 4))}


class SmallDisk:
    """A file system of a few megabytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", path], check=True)

    def fill(self) -> None:
        for file in self.path.glob("*.sqlite"):
            # What lies free in its log of writes would still take some.
            with sqlite3.connect(file) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.close()
        with (self.path / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"x" * 4096):
                pass

    def make_room(self) -> None:
        (self.path / "filler").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "small")
    yield made
    subprocess.run(["umount", "--lazy", made.path], check=True)


@pytest.fixture
def share(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "small-share")
    yield made
    subprocess.run(["umount", "--lazy", made.path], check=True)


@pytest.fixture
def front(tmp_path: Path, broker: PrivateRabbit, disk: SmallDisk, share: SmallDisk) -> Iterator[Front]:
    """Its state and database on one small disk, the share on another."""
    store = migrated(Store(SQLITE, f"sqlite:///{disk.path}/skerry.sqlite"))
    opened = open_database(store.url)
    create_user("ada", PASSWORD, is_admin=True)
    opened.close()
    (disk.path / "state").mkdir()
    made = Front(tmp_path, broker, store)
    made.environment |= {"SKERRY_STATE_DIR": str(disk.path / "state"), "SKERRY_SHARE_DIR": str(share.path)}
    made.start()
    yield made
    made.end(signal.SIGTERM)


def inputs(share: SmallDisk) -> list[Path]:
    return [path for path in (share.path / "inputs").rglob("*") if path.is_file()]


WRITES: dict[str, Callable[[httpx.Client], httpx.Response]] = {
    "a sign-in": lambda client: client.post("tokens", json={"user": "ada", "password": PASSWORD}),
    "a job": lambda client: client.post("jobs", data={"app": "noop"}, files=INPUT),
    "a job with a key": lambda client: client.post(
        "jobs", data={"app": "noop"}, files=INPUT, headers={"Idempotency-Key": "once"}
    ),
    "an app": lambda client: client.post("apps", files={"file": ("other.py", b"print()")}),
    "a schedule": lambda client: client.post(
        "schedules", json={"app": "noop", "name": "nightly", "cron": "0 3 * * *", "zone": "UTC"}
    ),
    "a refusal": lambda client: client.get("jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
    "the list of jobs": lambda client: client.get("jobs"),
    "a page": lambda client: client.get("../../login"),
}


def told(answer: httpx.Response) -> Any:
    return answer.json()["error"]["message"]


def test_nothing_breaks_where_the_controllers_disk_is_full(
    front: Front, ada: httpx.Client, disk: SmallDisk, share: SmallDisk
) -> None:
    disk.fill()
    answers = {name: write(ada) for name, write in WRITES.items()}
    codes = {name: answer.status_code for name, answer in answers.items()}
    assert 500 not in codes.values(), codes
    refused = ("a sign-in", "a job", "a job with a key", "an app", "a schedule")
    assert {codes[name] for name in refused} == {503}, codes
    assert {told(answers[name]) for name in refused} == {
        "The controller's disk is full: nothing can be saved until an administrator has made room."
    }
    assert not inputs(share), "a refused submission leaves nothing on the share"
    until(lambda: front.health().get("database") == "down", 5)

    disk.make_room()
    until(lambda: front.health().get("status") == "ok", 10)
    codes = {name: write(ada).status_code for name, write in WRITES.items()}
    assert set(codes.values()) <= {200, 201, 202, 303, 404}, codes
    assert len(inputs(share)) == 2


def test_an_upload_for_which_there_is_no_room_is_refused_and_leaves_nothing(
    front: Front, ada: httpx.Client, disk: SmallDisk, share: SmallDisk
) -> None:
    disk.fill()
    with (disk.path / "filler").open("r+b") as filler:
        filler.truncate(filler.seek(0, 2) - 3 * MIB)
    free = shutil.disk_usage(disk.path).free
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.py"\r\n\r\n'
    form = head + b"#" * 6 * MIB + b"\r\n--x--\r\n"
    for content in (form, iter([form[:MIB], form[MIB:]])):
        # With a length that is known before, and without: then the disk itself says so.
        answer = ada.post("apps", content=content, headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert answer.status_code == 503
        assert told(answer).startswith("The controller's disk is full")
        assert not list((disk.path / "state" / "uploads").iterdir())
    assert shutil.disk_usage(disk.path).free > free - MIB
    assert ada.get("jobs").status_code == 200


def test_a_job_is_refused_where_the_share_is_full(front: Front, ada: httpx.Client, share: SmallDisk) -> None:
    share.fill()
    answer = WRITES["a job"](ada)
    assert answer.status_code == 503
    assert "No space left" in told(answer)
    assert list((share.path / "inputs").iterdir()) == []
    share.make_room()
    assert WRITES["a job"](ada).status_code == 202
