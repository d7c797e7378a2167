"""What a node measures about itself."""

from __future__ import annotations

import asyncio
import logging
from collections import namedtuple
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from node_scripts import benchmark
from node_scripts.collectors import COLLECTORS, Collection
from node_scripts.collectors.cpu import Cpu
from node_scripts.collectors.temperature import Temperature
from node_scripts.heartbeat import Heartbeats

Reading = namedtuple("Reading", "label current high critical")
Times = namedtuple("Times", "user system idle iowait guest guest_nice")


def test_this_machine_can_be_measured(tmp_path: Path) -> None:
    metrics = Collection(tmp_path).collect()
    assert metrics.cpu_count >= 1
    assert 0 < metrics.free_memory_gb < metrics.memory_gb
    assert 0 < metrics.free_memory_percent < 100
    assert metrics.free_disk_gb is not None
    assert metrics.load_1m is not None


def test_a_failing_collector_is_a_missing_figure_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def __init__(self, state_dir: Path) -> None:
            pass

        def collect(self) -> dict[str, float | None]:
            raise RuntimeError("no such sensor")

    def unmakeable(state_dir: Path) -> Broken:
        raise OSError("no such device")

    collection = Collection(tmp_path, {**COLLECTORS, "cpu": Broken, "disk": unmakeable})
    with caplog.at_level(logging.ERROR):
        metrics = [collection.collect() for _ in range(3)][-1]
    assert metrics.free_cpu_percent == 0.0  # what cannot be told must not look free
    assert metrics.free_disk_gb is None
    assert metrics.memory_gb > 0
    assert [record.message for record in caplog.records] == [
        "the figure disk cannot be measured on this machine",
        "the figure cpu cannot be measured now",
    ]


def test_free_cpu_is_that_of_the_time_since_the_measurement_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(psutil, "cpu_times", lambda: Times(10.0, 10.0, 80.0, 0.0, 5.0, 0.0))
    cpu = Cpu(tmp_path)
    # Of ten seconds more, six are idle and one waits for a disk; guests' time is in user already.
    now[0] = 105.0
    monkeypatch.setattr(psutil, "cpu_times", lambda: Times(12.0, 11.0, 86.0, 1.0, 6.0, 0.0))
    assert cpu.collect()["free_cpu_percent"] == 70.0
    now[0] = 105.1  # too soon to tell anew
    monkeypatch.setattr(psutil, "cpu_times", lambda: Times(12.1, 11.0, 86.0, 1.0, 6.0, 0.0))
    assert cpu.collect()["free_cpu_percent"] == 70.0


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({}, {}),
        ({"coretemp": [Reading("", 0.0, None, None)]}, {}),
        (
            {
                "nvme": [Reading("", 91.0, 80.0, 90.0)],
                "coretemp": [Reading("0", 50.0, 80.0, 100.0), Reading("1", 61.26, 80.0, 100.0)],
            },
            {"temperature_c": 61.3, "temperature_warning_c": 80.0, "temperature_critical_c": 100.0},
        ),
        (
            {"something": [Reading("", 44.0, 100.0, 100.0)]},
            {"temperature_c": 44.0, "temperature_warning_c": None, "temperature_critical_c": 100.0},
        ),
    ],
)
def test_the_processors_sensor_counts(
    sensors: dict[str, list[Reading]], expected: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: sensors, raising=False)
    assert Temperature(tmp_path).collect() == expected


def test_an_event_finds_the_primes() -> None:
    assert benchmark.primes_up_to(30) == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    assert len(benchmark.primes_up_to(benchmark.LIMIT)) == 1229


def test_the_benchmark_takes_the_best_round(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "primes_up_to", lambda limit: [])
    ticks = iter([0.0, 0.0, 0.25, 0.5, 1.0, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    assert benchmark.measure(rounds=2, round_s=0.5, clock=lambda: next(ticks)) == 10.0
    assert benchmark.load(tmp_path) is None
    benchmark.store(tmp_path, benchmark.Benchmark(10.0, 1.0))
    assert benchmark.load(tmp_path) == benchmark.Benchmark(10.0, 1.0)
    (tmp_path / "benchmark.json").write_text("{")
    assert benchmark.load(tmp_path) is None


class Confirming:
    """A broker, as far as heartbeats use one."""

    def __init__(self, *, cluster: bool = False, blocked: str = "", confirms: bool = True) -> None:
        self.sent: list[bytes] = []
        self.dropped: list[str] = []
        self.is_cluster = cluster
        self.blocked = blocked
        self._confirms = confirms

    def publish(self, exchange: str, key: str, body: bytes, *, persistent: bool) -> asyncio.Future[None]:
        self.sent.append(body)
        confirm = asyncio.get_running_loop().create_future()
        if self._confirms:
            confirm.set_result(None)
        return confirm

    def drop(self, reason: str) -> None:
        self.dropped.append(reason)


def beating(broker: Confirming, state_dir: Path) -> Heartbeats:
    return Heartbeats(
        broker=broker,  # type: ignore[arg-type]
        held=tuple,
        slots=1,
        every_s=0.05,
        state_dir=state_dir,
        now=lambda: 1.0,
        unable=tuple,
    )


@pytest.mark.parametrize(
    ("broker", "dropped"),
    [
        ({"cluster": True, "confirms": False}, True),
        ({"cluster": True, "confirms": True}, False),
        ({"cluster": True, "confirms": False, "blocked": "low on disk"}, False),
        ({"cluster": False, "confirms": False}, False),
    ],
    ids=["a host that is off", "one that answers", "one in need", "the only one"],
)
def test_a_clusters_host_that_confirms_no_heartbeat_is_left(
    tmp_path: Path, broker: dict[str, Any], dropped: bool
) -> None:
    made = Confirming(**broker)

    async def live() -> None:
        running = asyncio.create_task(beating(made, tmp_path).run())
        while len(made.sent) < 3:
            await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(live())
    assert bool(made.dropped) == dropped


def test_an_agent_that_ends_says_when_it_is_back(tmp_path: Path) -> None:
    made = Confirming()

    async def live() -> None:
        beats = beating(made, tmp_path)
        beats.send()
        beats.leave(60.0)
        beats.send()

    asyncio.run(live())
    assert [msgspec.json.decode(body).get("back_in_s") for body in made.sent] == [0.0, 60.0, 60.0]


def test_a_figure_that_is_measured_while_the_agent_runs_is_told_with_the_next_heartbeat(tmp_path: Path) -> None:
    broker = Confirming()
    sent = broker.sent

    async def live() -> None:
        heartbeats = beating(broker, tmp_path)
        running = asyncio.create_task(heartbeats.run())
        while len(sent) < 2:
            await asyncio.sleep(0.01)
        benchmark.store(tmp_path, benchmark.Benchmark(1234.0, 1.0))
        before = len(sent)
        while len(sent) < before + 3:
            await asyncio.sleep(0.01)
        running.cancel()

    asyncio.run(live())
    figures = [msgspec.json.decode(body)["metrics"].get("events_per_second") for body in sent]
    assert (figures[0], figures[-1]) == (None, 1234.0)
