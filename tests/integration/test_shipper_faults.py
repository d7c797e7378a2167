"""Whatever is killed between a process that logs and Elasticsearch, each record is there, once.

One seed here; `./faults logs` has a hundred, or SKERRY_FAULTS="SEED,SEED...".
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.front import until
from support.shipping import Shipping, Writer, answered, publish

_GIVEN = os.environ.get("SKERRY_FAULTS", "1")
SEEDS = range(100) if _GIVEN == "all" else [int(seed) for seed in _GIVEN.split(",")]


class Campaign:
    """The faults of one seed, while a writer goes on."""

    def __init__(self, shipping: Shipping, writer: Writer, chance: random.Random) -> None:
        self.shipping, self.writer, self.chance = shipping, writer, chance
        self.shipper = shipping.start()
        self.poisonous = 0
        self.told: list[str] = []

    def go(self) -> None:
        faults: list[Callable[[], None]] = [
            self.shipper_dies, self.shipper_dies, self.shipper_dies, self.server_dies, self.broker_dies,
            self.rolls_over, self.rolls_over, self.has_no_room, self.is_poisoned,
        ]  # fmt: skip
        self.chance.shuffle(faults)
        for fault in faults:
            self.told.append(fault.__name__)
            self.writer.write(self.chance.randrange(50, 1500), older=self.chance.random() < 0.3)
            time.sleep(self.chance.choice((0.0, 0.0, 0.02, 0.05, 0.1, 0.3)))
            fault()
        self.writer.write(100)

    def shipper_dies(self) -> None:
        self.shipper.kill()
        self.shipper.wait()
        if self.chance.random() < 0.5:
            self.rolls_over()
        self.shipper = self.shipping.start()

    def server_dies(self) -> None:
        self.shipping.engine.kill()
        self.writer.write(300)
        self.shipping.engine.start()

    def broker_dies(self) -> None:
        self.shipping.broker.kill()
        self.writer.write(300)
        self.shipping.broker.start()

    def rolls_over(self) -> None:
        status, _ = self.shipping.engine.request("POST", f"/{self.shipping.stream}/_rollover")
        # Nothing may have been written yet.
        assert status in (200, 404, 400), status

    def has_no_room(self) -> None:
        """As with a full disk: it answers 429 for each record."""
        self._block(True)
        self.writer.write(200)
        time.sleep(self.chance.random())
        self._block(None)

    def _block(self, blocked: bool | None) -> None:
        body = {"index.blocks.read_only_allow_delete": blocked}
        self.shipping.engine.request("PUT", f"/{self.shipping.stream}/_settings", body)

    def is_poisoned(self) -> None:
        for body in (b"not JSON", b'{"event.id": "poison-%d", "@timestamp": "never"}' % self.chance.randrange(10**6)):
            publish(self.shipping, body)
            self.poisonous += 1
        number = b"%d" % self.chance.randrange(10**6)
        within = [b"no JSON " + number, b'{"event.id": "within-%s", "@timestamp": "never"}' % number]
        lines = [*within, *(self.writer.line() for _ in range(self.chance.randrange(20)))]
        self.chance.shuffle(lines)
        publish(self.shipping, b"\n".join([*lines, b""]))
        self.poisonous += len(within)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_record_arrives_once(shipping: Shipping, writer: Writer, seed: int, tmp_path: Path) -> None:
    begun = time.monotonic()
    campaign = Campaign(shipping, writer, random.Random(seed))
    # The stream is there before its first fault.
    writer.write(1)
    shipping.until_arrived(writer)
    campaign.go()
    try:
        shipping.until_arrived(writer, 180)
    except AssertionError as error:
        ended = campaign.shipper.poll()
        said = "it runs" if ended is None else f"it ended with {ended}"
        raise AssertionError(f"seed {seed}: {campaign.told}: {error}; of the last shipper: {said}") from error
    with sqlite3.connect(tmp_path / "skerry.sqlite") as database:
        until(lambda: database.execute("SELECT refused FROM log_loss").fetchone() == (campaign.poisonous,))
    resolved = answered(shipping.engine, "GET", f"/_resolve/index/{shipping.stream}")
    indices = resolved["data_streams"][0]["backing_indices"]
    print(f"seed {seed}: {len(writer.written)} records in {len(indices)} indices, {time.monotonic() - begun:.0f} s")
