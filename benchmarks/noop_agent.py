"""The real agent with a runner that only notes the start: what remains is the cost of dispatching."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable

from benchmarks.lanes.lane import note_start
from node_scripts.agent import Agent
from node_scripts.running.interface import Ended, Prepared, Recovered, Refused
from node_scripts.settings import NodeSettings
from wire.logs import configure_logging
from wire.messages import Cause, Order


class _Ready(Prepared):
    def __init__(self, order: Order) -> None:
        self.order = order


class _Done:
    """An attempt that is over as soon as it begins, with an empty log and no results."""

    def __init__(self, order: Order) -> None:
        self.job = order.job
        self.attempt = order.attempt

    @property
    def never_ran(self) -> bool:
        return False

    async def wait(self) -> None:
        return

    def cancel(self) -> None:
        return

    def read_log(self, after: int, limit: int = 500) -> list[str]:
        return []

    def pass_over(self, after: int) -> bool:
        return False

    def dropped_after(self, number: int) -> int:
        return 0

    def live_log(self) -> None:
        return None

    async def finish(self) -> Ended:
        return Ended(Cause.OK, exit_code=0)

    def discard(self) -> None:
        return


class NoopRunner:
    """Implements `node_scripts.running.interface.Runner`."""

    def __init__(self, starts: str) -> None:
        self._starts = starts

    async def prepare(self, order: Order, slot: int, preparing: Callable[[str], None]) -> Prepared:
        return _Ready(order)

    async def launch(self, prepared: Prepared) -> _Done:
        assert isinstance(prepared, _Ready)
        note_start(self._starts)
        return _Done(prepared.order)

    def recover(self, order: Order, slot: int) -> Recovered:
        return Recovered.NOT_LAUNCHED

    def clear(self, held: Iterable[Order]) -> None:
        return

    def refusals(self, besides: Order | None = None, *, thorough: bool = False) -> tuple[Refused, ...]:
        return ()

    def tidy(self) -> None:
        return

    def forget(self, order: Order) -> None:
        return


async def main() -> None:
    """Run until SIGTERM."""
    settings = NodeSettings.from_environment()
    configure_logging("agent", level=settings.log_level, node=settings.node_id)
    agent = Agent(settings, NoopRunner(os.environ["BENCH_STARTS"]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, agent.stop)
    await agent.run()


if __name__ == "__main__":
    asyncio.run(main())
