"""Publishing from the web front's threads: a broker connection on a thread and an event loop of its own.

Nothing here waits or fails for a request. A hint that gets lost, because the broker is away or this process dies, costs
a second: the job's row is committed before, and the scheduler's sweep finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import Final

from webfront.broker.topology import declare_platform
from webfront.errors import BrokerUnavailable
from wire import topology
from wire.broker import Broker, BrokerAddress, BrokerError
from wire.logs import LogShipper
from wire.messages import RunBenchmark, Submitted, encode

_log = logging.getLogger(__name__)

_CONTROL_S: Final = 5.0
_STOP_S: Final = 3.0


class Publisher:
    """Start it once; then `hint` and `benchmark` may be called from any thread."""

    def __init__(self, address: BrokerAddress, *, name: str = "webfront", ship_logs: bool = True) -> None:
        self._address = address
        self._name = name
        self._ship_logs = ship_logs
        self._loop = asyncio.new_event_loop()
        self._broker: Broker | None = None
        self._shipper: LogShipper | None = None
        self._ending: asyncio.Task[None] | None = None
        self._waiting: list[str] = []
        self._hinting: asyncio.Future[None] | None = None
        """The last hint, which the broker may not have confirmed yet."""
        self._lock = threading.Lock()
        self._stopping = asyncio.Event()
        self._begun = 0
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send what is under way, for a few seconds at most, and end the thread."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_STOP_S)

    @property
    def connected(self) -> bool:
        """Whether publishing works: connected, and the exchanges are known to be there."""
        broker = self._broker
        return broker is not None and broker.connected and broker.connects == self._begun

    def hint(self, job_id: str) -> None:
        """Tell the scheduler that this job waits or is no longer wanted.

        The scheduler looks at all jobs on any hint. So while one is on its way to the broker, those that follow are
        gathered, and the last of them speaks for all once the broker has confirmed it.
        """
        if not self.connected:
            return
        with self._lock:
            self._waiting.append(job_id)
            first = len(self._waiting) == 1
        if first:
            with contextlib.suppress(RuntimeError):  # the loop has ended: the process is going down
                self._loop.call_soon_threadsafe(self._send_hints)

    def benchmark(self, node: str) -> None:
        """Ask a node to measure itself, and wait until the broker has the message. BrokerUnavailable."""
        broker = self._broker
        if broker is None or not self.connected:
            raise BrokerUnavailable("The message broker does not answer. Try again in a moment.")

        async def send() -> None:
            await broker.publish(topology.CONTROL, node, encode(RunBenchmark()), persistent=False, mandatory=True)

        try:
            asyncio.run_coroutine_threadsafe(send(), self._loop).result(_CONTROL_S)
        except (BrokerError, TimeoutError) as error:
            raise BrokerUnavailable(f"The node {node} could not be asked: {error or 'no answer'}.") from error

    def _send_hints(self) -> None:
        if self._hinting is not None and not self._hinting.done():
            return  # its end looks here again
        with self._lock:
            waiting, self._waiting = self._waiting, []
        broker = self._broker
        if not waiting or broker is None or not self.connected:
            return
        # A hint that fails is not repeated: the sweep finds the job.
        self._hinting = broker.publish(topology.SUBMITTED, "", encode(Submitted(job=waiting[-1])))
        self._hinting.add_done_callback(lambda _: self._send_hints())

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._keep_up())
        except Exception:
            _log.exception("the publisher ended; jobs are still accepted and found by the scheduler's sweep")
        finally:
            self._loop.close()

    async def _keep_up(self) -> None:
        # Made here, since a broker lives on one loop.
        broker = Broker(self._address, name=self._name, on_connected=lambda: self._begin(broker))
        if self._ship_logs:
            self._shipper = LogShipper(broker, self._loop)
            self._shipper.attach()
        self._broker = broker
        running = asyncio.create_task(broker.run())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._shipper is not None:
            self._shipper.finish()
        await broker.stop()
        await running

    async def _begin(self, broker: Broker) -> None:
        # Publishing to an exchange that is not there would break the connection; the web front may be the first one up.
        await declare_platform(broker)
        self._begun = broker.connects
        if self._shipper is not None:
            self._shipper.flush_waiting()
