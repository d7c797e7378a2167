"""A large result on its way to whoever downloads it: a gigabyte here, ten by `./faults large`."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from msgspec import structs
from support.agents import AgentProcess, place
from support.crowds import Crowd, slowest
from support.front import PASSWORD, Front, until
from support.node import Controller, order
from support.node import until as soon
from support.results import have_result

from wire.messages import Cause, Resources

pytestmark = pytest.mark.stores("sqlite")

GIB = 2**30
GB = int(os.environ.get("SKERRY_LARGE_GB", "1"))
SIZE = GB * GIB
BLOCK = random.Random(1).randbytes(2**20)
"""What a result is made of: nothing that would be compressed away."""
MOST_MORE = 64 * 2**20
"""What a process may take more of memory than it had taken before."""


@pytest.fixture(autouse=True)
def _room_for_the_next(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is large goes at once, however many runs pytest keeps."""
    yield
    for file in tmp_path_factory.getbasetemp().rglob("*"):
        if file.is_file() and not file.is_symlink() and file.stat().st_size >= GIB // 4:
            file.unlink()


def peak(process: psutil.Process) -> int:
    """The most memory that it ever had (bytes)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def processes(front: Front) -> list[psutil.Process]:
    assert front.process is not None
    parent = psutil.Process(front.process.pid)
    return [parent, *parent.children(recursive=True)]


@pytest.fixture
def job(front: Front, ada: httpx.Client) -> str:
    """One of hers with a large result."""
    found: str = ada.post("jobs", json={"app": "noop"}).json()["job"]["id"]
    return found


class Command:
    """The `skerry` command, signed in."""

    def __init__(self, front: Front, folder: Path) -> None:
        folder.mkdir()
        (folder / "password").write_text(PASSWORD)
        self._environment = {**os.environ, "XDG_CONFIG_HOME": str(folder)}
        self("login", front.url, "--user", "ada", "--password-file", str(folder / "password")).wait(60)

    def __call__(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "webfront.cli", *words],
            env=self._environment,
            text=True,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )


@pytest.fixture
def command(front: Front, tmp_path: Path) -> Command:
    return Command(front, tmp_path / "ada")


def part_of(folder: Path) -> int:
    """How much of the result has come (bytes)."""
    return sum(file.stat().st_size for file in folder.glob(".result.bin.*.part"))


def test_a_download_goes_on_where_the_front_was_killed(
    front: Front, ada: httpx.Client, job: str, command: Command, tmp_path: Path
) -> None:
    sha256 = have_result(tmp_path / "share", job, "result.bin", BLOCK, SIZE // len(BLOCK))
    to = tmp_path / "here"
    before = {process: peak(process) for process in processes(front)}
    fetching = command("jobs", "download", job, "--to", str(to))
    until(lambda: part_of(to) > SIZE // 4, 120 * GB)
    grown = {process: peak(process) - had for process, had in before.items()}
    for process in reversed(list(before)):
        process.kill()
    until(lambda: not any(process.is_running() and process.status() != "zombie" for process in before))
    assert not (to / "result.bin").exists(), "a part is never there as the whole"
    came = part_of(to)
    front.start()
    before = {process: peak(process) for process in processes(front)}
    client = psutil.Process(fetching.pid)
    needed = 0
    while fetching.poll() is None:
        with contextlib.suppress(OSError, AssertionError, psutil.Error):
            needed = peak(client)
        assert slowest(front, ada, 0.5) < 5
    assert fetching.returncode == 0, fetching.stderr and fetching.stderr.read()
    grown |= {process: peak(process) - had for process, had in before.items()}
    with (to / "result.bin").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == sha256
    said = fetching.stderr.read() if fetching.stderr is not None else ""
    assert "It goes on in" in said
    sent = [one for one in front.records() if one.get("http.response.status_code") == 206]
    assert sent or came == 0, "it was not begun again"
    assert max(grown.values()) < MOST_MORE, grown
    assert needed < 2 * MOST_MORE, "Python, httpx and a few pieces"


def test_an_upload_is_taken_in_beside_everything_else(
    front: Front, ada: httpx.Client, command: Command, tmp_path: Path
) -> None:
    front.environment["SKERRY_MAX_UPLOAD_MB"] = str(SIZE // 2**20)
    front.restart()
    with (tmp_path / "input.bin").open("wb") as file:
        for _ in range(SIZE // len(BLOCK)):
            file.write(BLOCK)
    before = {process: peak(process) for process in processes(front)}
    sending = command("run", "noop", "--input", str(tmp_path / "input.bin"))
    worst = 0.0
    while sending.poll() is None:
        worst = max(worst, slowest(front, ada, 0.5))
    assert sending.returncode == 0, sending.stderr and sending.stderr.read()
    assert worst < 5
    grown = {process: peak(process) - had for process, had in before.items()}
    assert max(grown.values()) < MOST_MORE, grown
    [arrived] = [path for path in (tmp_path / "share" / "inputs").rglob("*") if path.is_file()]
    with arrived.open("rb") as one, (tmp_path / "input.bin").open("rb") as other:
        digests = [hashlib.file_digest(file, "sha256").hexdigest() for file in (one, other)]
    assert digests[0] == digests[1]
    assert not list((tmp_path / "state" / "uploads").iterdir())


def test_readers_that_take_nothing_hold_up_nobody(front: Front, ada: httpx.Client, job: str, tmp_path: Path) -> None:
    front.environment["SKERRY_WEB_PATIENCE_S"] = "4"
    front.restart()
    have_result(tmp_path / "share", job, "result.bin", BLOCK, 64)
    before = {process: peak(process) for process in processes(front)}
    bearer = ada.headers["Authorization"]
    ask = f"GET /api/v1/jobs/{job}/outputs/result.bin HTTP/1.1\r\nHost: skerry\r\nAuthorization: {bearer}\r\n\r\n"
    crowd = Crowd(front, 100, ask.encode(), b"")
    try:
        assert slowest(front, ada, 3) < 5
        grown = {process: peak(process) - had for process, had in before.items()}
        assert max(grown.values()) < MOST_MORE, grown
        worker = processes(front)[-1]
        until(lambda: len([one for one in worker.net_connections() if one.status == "ESTABLISHED"]) < 10, 30)
    finally:
        crowd.end()


WRITES = f"""
import argparse, pathlib, random
parser = argparse.ArgumentParser()
parser.add_argument("--output", type=pathlib.Path)
block = random.Random(1).randbytes(2**20)
with open(parser.parse_args().output / "result.bin", "wb") as file:
    for _ in range({SIZE // 2**20}):
        file.write(block)
"""


def test_an_agent_stores_a_result_and_goes_on_where_it_was_killed(controller: Controller, agent: AgentProcess) -> None:
    async def scenario() -> None:
        async with controller.working():
            first = psutil.Process(agent.start().pid)
            await soon(lambda: controller.heartbeats, timeout=60)
            had = peak(first)
            job = structs.replace(
                order(),
                app=structs.replace(place(controller, WRITES, "1" * 64), outputs=("result.bin",)),
                resources=Resources(disk_mb=2 * SIZE // 10**6, timeout_s=3600),
            )
            await controller.send(job)
            folder = controller.directory / "share" / "results" / job.job
            part = folder / ".1.partial" / "result.bin"
            await soon(lambda: part.exists() and part.stat().st_size > SIZE // 3, timeout=120 * GB)
            inode, grown = part.stat().st_ino, [peak(first) - had]
            agent.signal(signal.SIGKILL)
            second = psutil.Process(agent.start().pid)
            told = len(controller.heartbeats)
            await soon(lambda: len(controller.heartbeats) > told, timeout=60)
            had = peak(second)
            while not controller.ends()[job.job]:
                grown.append(peak(second) - had)
                await asyncio.sleep(0.1)
            [end] = controller.ends()[job.job]
            assert end.cause is Cause.OK, end
            stored = folder / "1" / "result.bin"
            assert stored.stat().st_ino == inode, "it was not begun anew"
            with stored.open("rb") as file:
                assert hashlib.file_digest(file, "sha256").hexdigest() == end.outputs[0].sha256
            assert end.outputs[0].size == SIZE
            assert max(grown) < MOST_MORE, grown

    asyncio.run(scenario())
