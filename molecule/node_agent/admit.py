"""Admits a node the way the platform does: its exchanges and queues, and the node's own broker user.

BROKER_HOST=... BROKER_PASSWORD=... admit.py NODE < the node's password
"""

from __future__ import annotations

import asyncio
import os
import sys

from webfront.broker.admission import admit
from webfront.broker.management import Management
from webfront.broker.topology import declare_platform
from wire.broker import Broker, BrokerAddress

PLATFORM = "skerry"


async def declare(address: BrokerAddress) -> None:
    """Declare what every platform has. A broker that refuses it is tried again until the time is over."""

    async def begin() -> None:
        await declare_platform(broker)
        done.set()

    done = asyncio.Event()
    broker = Broker(address, name="molecule", on_connected=begin)
    running = asyncio.create_task(broker.run())
    await asyncio.wait_for(done.wait(), 60)
    await broker.stop()
    await running


def main() -> None:
    host, password = os.environ["BROKER_HOST"], os.environ["BROKER_PASSWORD"]
    asyncio.run(declare(BrokerAddress(host, 5672, PLATFORM, PLATFORM, password)))
    admit(Management(f"http://{host}:15672", PLATFORM, password, PLATFORM), sys.argv[1], sys.stdin.read().strip())


if __name__ == "__main__":
    main()
