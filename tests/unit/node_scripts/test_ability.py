"""When a node says that it can take no attempt, and how often it looks whether it can again."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest

from node_scripts import ability
from node_scripts.ability import Ability
from node_scripts.running.interface import Ended, Refused
from wire.messages import AppRef, Cause, Order
from wire.refusals import Refusal

ORDER = Order(job="J", attempt=1, app=AppRef("noop", "0" * 64))
REJECTED = Ended(Cause.REJECTED, "the node could not prepare it")
FULL = Refused(Refusal.NO_SPACE, "3 MB are free")


class Machine:
    """Of a runner, what is asked here."""

    def __init__(self) -> None:
        self.found: tuple[Refused, ...] = ()
        self.asked: list[tuple[Order | None, bool]] = []
        self.hangs_s = 0.0

    def refusals(self, besides: Order | None = None, *, thorough: bool = False) -> tuple[Refused, ...]:
        self.asked.append((besides, thorough))
        if self.hangs_s:
            time.sleep(self.hangs_s)
        return self.found


def made(machine: Any, told: list[int]) -> Ability:
    clock = itertools.count(100)
    return Ability(machine, lambda: float(next(clock)), lambda: told.append(1))


def test_a_rejection_is_the_nodes_own_where_a_look_finds_what_is_wrong_with_it() -> None:
    async def scenario() -> None:
        machine, told = Machine(), list[int]()
        node = made(machine, told)
        await node.begin()
        assert not node.unable
        assert (told, machine.asked) == ([], [(None, True)])
        assert await node.judged(ORDER, REJECTED) == REJECTED
        assert not node.unable
        machine.found = (FULL,)
        ended = await node.judged(ORDER, REJECTED)
        assert (ended.cause, ended.refusal) == (Cause.REJECTED, "no_space")
        assert ended.message == (
            "the node has no space left on its disk (3 MB are free): the node could not prepare it"
        )
        assert machine.asked[-1] == (ORDER, True)
        ((kind, since),) = [(one.kind, one.since) for one in node.unable]
        assert (kind, len(told)) == ("no_space", 1)
        # The same once more is no news, and began when it began.
        await node.judged(ORDER, REJECTED)
        assert (node.unable[0].since, len(told)) == (since, 1)
        # What ran elsewhere was judged there.
        far = Ended(Cause.REJECTED, "x", refusal="no_user")
        assert await node.judged(ORDER, far) is far
        assert [one.kind for one in node.unable] == ["no_user"]

    asyncio.run(scenario())


def test_a_start_on_a_node_that_cannot_says_so_with_its_first_heartbeat() -> None:
    async def scenario() -> None:
        machine = Machine()
        machine.found = (FULL,)
        node = made(machine, [])
        await node.begin()
        assert node.unable[0].words == "3 MB are free"

    asyncio.run(scenario())


def test_looks_come_ever_more_rarely_and_the_first_that_finds_nothing_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ability, "EVERY_S", 0.05)
    monkeypatch.setattr(ability, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(ability, "LONGEST_PAUSE_S", 0.4)

    async def scenario() -> None:
        machine, told = Machine(), list[int]()
        node = made(machine, told)
        working = asyncio.create_task(node.run())
        machine.found = (FULL,)
        async with asyncio.timeout(20):
            while not node.unable:
                await asyncio.sleep(0.01)
            before = len(machine.asked)
            await asyncio.sleep(1.1)  # 0.1, 0.2, 0.4, 0.4
            assert 2 <= len(machine.asked) - before <= 4
            assert machine.asked[-1] == (None, True)
            machine.found = ()
            while node.unable:
                await asyncio.sleep(0.01)
        assert len(told) == 2
        # Unable again so soon: it is not looked at often again.
        machine.found = (FULL,)
        async with asyncio.timeout(20):
            while not node.unable:
                await asyncio.sleep(0.01)
            before = len(machine.asked)
            await asyncio.sleep(0.3)
            assert len(machine.asked) == before
        working.cancel()

    asyncio.run(scenario())


def test_a_share_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ability, "PATIENCE_S", 0.1)

    async def scenario() -> None:
        machine = Machine()
        machine.hangs_s = 1.0
        node = made(machine, [])
        began = time.monotonic()
        ended = await node.judged(ORDER, REJECTED)
        assert ended.refusal == "no_share"
        await node.judged(ORDER, REJECTED)
        assert time.monotonic() - began < 0.9
        assert len(machine.asked) == 1, "one thread waits for it, not one for each look"
        await asyncio.sleep(1.0)
        assert await node.judged(ORDER, REJECTED) == REJECTED

    asyncio.run(scenario())


def test_checks_that_fail_speak_against_nothing() -> None:
    class Broken(Machine):
        def refusals(self, besides: Order | None = None, *, thorough: bool = False) -> tuple[Refused, ...]:
            raise RuntimeError("no")

    async def scenario() -> None:
        assert await made(Broken(), []).judged(ORDER, REJECTED) == REJECTED

    asyncio.run(scenario())
