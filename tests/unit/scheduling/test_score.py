"""The node's score, against the design's formulas worked out by hand."""

from __future__ import annotations

import msgspec
import pytest

from webfront.scheduling.score import Pending, load_part, performance_part, score, temperature_part
from webfront.settings import ScoreSettings
from wire.messages import Metrics

SETTINGS = ScoreSettings()
NODE = Metrics(
    cpu_count=4,
    free_cpu_percent=80.0,
    memory_gb=8.0,
    free_memory_gb=4.0,
    free_memory_percent=50.0,
    events_per_second=6000.0,
)


def test_the_parts_and_the_whole_are_the_designs() -> None:
    found = score(NODE, SETTINGS)
    assert found.load == pytest.approx(1 / (3 / 80 + 1 / 50))
    assert found.performance == pytest.approx(6000 / 10000 + 2 / 10)
    assert found.temperature_factor == 1.0
    assert found.value == pytest.approx(17.391304 * 0.8, rel=1e-6)


def test_processor_time_weighs_three_times_memory() -> None:
    assert load_part(100, 100, SETTINGS) == pytest.approx(25.0)
    assert load_part(50, 100, SETTINGS) == pytest.approx(1 / 0.07)
    assert load_part(100, 50, SETTINGS) == pytest.approx(20.0)


@pytest.mark.parametrize(("cpu", "memory"), [(0, 50), (50, 0), (0, 0)])
def test_nothing_free_is_no_load_score_at_all(cpu: float, memory: float) -> None:
    assert load_part(cpu, memory, SETTINGS) == 0.0


def test_memory_past_two_gb_gains_nothing() -> None:
    assert performance_part(5000, 1.0, SETTINGS) == pytest.approx(0.6)
    assert performance_part(5000, 2.0, SETTINGS) == performance_part(5000, 64.0, SETTINGS) == pytest.approx(0.7)


def test_a_node_that_was_not_measured_counts_by_its_memory_alone() -> None:
    found = score(msgspec.structs.replace(NODE, events_per_second=None), SETTINGS)
    assert found.performance == pytest.approx(0.2)
    assert found.events_per_second is None


@pytest.mark.parametrize(
    ("temperature", "warning", "critical", "factor"),
    [
        (None, None, None, 1.0),
        (75.0, None, None, 1.0),
        (85.0, None, None, 0.5),
        (95.0, None, None, 0.0),
        (120.0, None, None, 0.0),
        (85.0, 80.0, 100.0, 0.75),
        (85.0, None, 105.0, 2 / 3),
        (72.0, None, 70.0, 0.0),
        (69.0, None, 70.0, 1.0),
    ],
)
def test_heat_takes_the_score_down(
    temperature: float | None, warning: float | None, critical: float | None, factor: float
) -> None:
    hot = msgspec.structs.replace(
        NODE, temperature_c=temperature, temperature_warning_c=warning, temperature_critical_c=critical
    )
    assert temperature_part(hot, SETTINGS) == pytest.approx(factor)
    assert score(hot, SETTINGS).value == pytest.approx(score(NODE, SETTINGS).value * factor)


def test_work_that_is_placed_and_not_yet_seen_counts() -> None:
    found = score(NODE, SETTINGS, Pending(attempts=2, cpus=2, memory_gb=1.0))
    assert (found.free_cpu_percent, found.free_memory_percent, found.free_memory_gb) == (30.0, 37.5, 3.0)
    assert found.pending_attempts == 2
    assert found.value < score(NODE, SETTINGS).value
    assert score(NODE, SETTINGS, Pending(attempts=9, cpus=9, memory_gb=9.0)).value == 0.0


def test_the_settings_are_the_weights() -> None:
    settings = ScoreSettings(cpu_weight=1.0, memory_weight=0.0, events_scale=1000.0, memory_cap_gb=0.0)
    assert score(NODE, settings).value == pytest.approx(80 * 6)
