"""What an agent tells of an attempt's stages, and what pip's output says of an installation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from node_scripts import stages
from node_scripts.running import progress
from node_scripts.running.progress import Progress, follow
from node_scripts.stages import Stages
from wire.messages import Preparing

LINES = b"""Looking in links: /wheels
Collecting scikit_learn>=1.5 (from -r requirements.txt (line 1))
  Downloading scikit_learn-1.5.2-cp311-cp311.whl (13.3 MB)
Collecting numpy (from scikit_learn)
Building wheels for collected packages: tiny
  Building wheel for tiny (pyproject.toml): started
Installing collected packages: numpy, scikit-learn, tiny
Successfully installed numpy-2.1 scikit-learn-1.5.2 tiny-1
""".splitlines()
SAID = (
    "",
    "fetching scikit_learn",
    "fetching scikit_learn",
    "fetching numpy",
    "fetching numpy",
    "building tiny",
    "installing numpy (1 of 3)",
    "installing numpy (1 of 3)",
)


def test_each_line_of_pips_says_what_it_is_at() -> None:
    found, said = Progress(), []
    for line in LINES:
        found.read(line)
        said.append(found.words([]))
    assert tuple(said) == SAID


@pytest.mark.parametrize(
    ("installed", "words"),
    [
        (["numpy"], "installing scikit-learn (2 of 3)"),
        (["NumPy", "scikit_learn"], "installing tiny (3 of 3)"),
        (["numpy", "scikit_learn", "tiny"], "installing tiny (3 of 3)"),
    ],
)
def test_what_stands_in_the_environment_says_how_far_it_is(installed: list[str], words: str) -> None:
    found = Progress()
    for line in LINES:
        found.read(line)
    assert found.words(installed) == words


def test_a_stranger_who_writes_like_pip_gets_no_words_of_its_own_in() -> None:
    found = Progress()
    for line in (b"Collecting <b>evil</b>", b"Collecting \xff\xfe", b"Collecting " + b"a" * 9000, b"Collecting"):
        found.read(line)
    assert len(found.words([])) <= len("fetching ") + 64
    assert found.words([]) == f"fetching {'a' * 64}"


def test_an_installation_is_followed_by_its_log_and_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LOOK_S", 0.01)
    log, told = tmp_path / "log", list[str]()

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.01)

    async def scenario() -> None:
        task = asyncio.create_task(follow(log, tmp_path / "env", told.append))
        log.write_bytes(b"Collecting num")  # a line that is not whole says nothing yet
        await asyncio.sleep(0.1)
        assert told == []
        with log.open("ab") as file:
            file.write(b"py\n")
        await until(lambda: told == ["fetching numpy"])
        with log.open("ab") as file:
            file.write(b"Installing collected packages: numpy, tiny\n")
        await until(lambda: told[-1] == "installing numpy (1 of 2)")
        (tmp_path / "env/lib/python3.11/site-packages/numpy-2.1.dist-info").mkdir(parents=True)
        await until(lambda: told[-1] == "installing tiny (2 of 2)")
        task.cancel()

    asyncio.run(scenario())


def told_of(
    monkeypatch: pytest.MonkeyPatch, steps: Callable[[Stages], None], *, again: bool = False
) -> list[Preparing]:
    """What is told of these steps, which take no time; with `again`, the steps come once more after the first word."""
    monkeypatch.setattr(stages, "PAUSE_S", 0.02)
    told: list[Preparing] = []

    async def scenario() -> None:
        times = iter(range(1000, 2000))
        with Stages(("J", 1), told.append, lambda: float(next(times)), within_s=60) as one:
            await asyncio.to_thread(steps, one)
            while not told:
                await asyncio.sleep(0.01)
            if again:
                steps(one)
                await asyncio.sleep(0.1)
        one("after its end")
        await asyncio.sleep(0.05)

    asyncio.run(scenario())
    return told


def test_the_newest_stage_is_told_with_when_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps(one: Stages) -> None:
        one("fetching the app")
        one("building the environment")
        one("building the environment", "fetching scipy")
        one("building the environment", "installing scipy")

    (only,) = told_of(monkeypatch, steps)
    # The clock was asked for: the beginning, one for each stage, and the telling.
    assert only == Preparing("J", 1, 1003.0, "building the environment", "installing scipy", 1002.0, 1060.0)


def test_what_is_said_again_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(told_of(monkeypatch, lambda one: one("fetching the input"), again=True)) == 1


def test_an_attempt_that_is_ready_at_once_tells_nothing() -> None:
    told: list[Preparing] = []

    async def scenario() -> None:
        with Stages(("J", 1), told.append, lambda: 0.0) as one:
            one("fetching the app")
        await asyncio.sleep(stages.PAUSE_S + 0.1)

    asyncio.run(scenario())
    assert told == []
