"""The node's score: how well a node would run the next job. A pure function of metrics and settings.

    load        = 1 / (3 / free_cpu_percent + 1 / free_memory_percent)         0 when either is 0
    performance = events_per_second / 10000 + min(2, free_memory_gb) / 10
    score       = load * performance * f(temperature)

`f` is 1 up to the warning temperature and falls evenly to 0 at the critical one; the sensor's own thresholds are taken
where the machine states them, the settings' elsewhere, and `f` is 1 where there is no sensor. Percentages are 0 to 100,
GB are 10^9 bytes, higher is better. Weights and thresholds are `webfront.settings.ScoreSettings`.

A node without a benchmark figure counts as 0 events per second: its free memory alone speaks for it. So it gets work
when no measured node has a place, and never instead of one by a guess.
"""

from __future__ import annotations

import msgspec

from webfront.settings import ScoreSettings
from wire.messages import Metrics


class Pending(msgspec.Struct, frozen=True):
    """Work placed on a node that its newest metrics cannot show yet."""

    attempts: int = 0
    cpus: float = 0.0
    memory_gb: float = 0.0


class Score(msgspec.Struct, frozen=True):
    """A score and the parts it was made of. The figures are those after pending work was taken off."""

    value: float
    load: float
    performance: float
    temperature_factor: float
    free_cpu_percent: float
    free_memory_percent: float
    free_memory_gb: float
    events_per_second: float | None
    temperature_c: float | None
    pending_attempts: int = 0


def score(metrics: Metrics, settings: ScoreSettings, pending: Pending = Pending()) -> Score:  # noqa: B008  immutable
    """The score of a node with these metrics, with `pending` counted as if it ran already."""
    free_cpu = _percent(metrics.free_cpu_percent - 100.0 * pending.cpus / max(1, metrics.cpu_count))
    pending_share = 100.0 * pending.memory_gb / metrics.memory_gb if metrics.memory_gb > 0 else 0.0
    free_memory = _percent(metrics.free_memory_percent - pending_share)
    free_memory_gb = max(0.0, metrics.free_memory_gb - pending.memory_gb)
    load = load_part(free_cpu, free_memory, settings)
    performance = performance_part(metrics.events_per_second or 0.0, free_memory_gb, settings)
    factor = temperature_part(metrics, settings)
    return Score(
        value=load * performance * factor,
        load=load,
        performance=performance,
        temperature_factor=factor,
        free_cpu_percent=free_cpu,
        free_memory_percent=free_memory,
        free_memory_gb=free_memory_gb,
        events_per_second=metrics.events_per_second,
        temperature_c=metrics.temperature_c,
        pending_attempts=pending.attempts,
    )


def load_part(free_cpu_percent: float, free_memory_percent: float, settings: ScoreSettings) -> float:
    """How idle the node is; processor time weighs `cpu_weight`, memory `memory_weight`."""
    if free_cpu_percent <= 0 or free_memory_percent <= 0:
        return 0.0
    return 1.0 / (settings.cpu_weight / free_cpu_percent + settings.memory_weight / free_memory_percent)


def performance_part(events_per_second: float, free_memory_gb: float, settings: ScoreSettings) -> float:
    """How fast the node is. Memory past `memory_cap_gb` gains nothing."""
    memory = min(settings.memory_cap_gb, free_memory_gb) / settings.memory_scale
    return events_per_second / settings.events_scale + memory


def temperature_part(metrics: Metrics, settings: ScoreSettings) -> float:
    """1 while the node is cool or tells no temperature, 0 from its critical temperature on."""
    if metrics.temperature_c is None:
        return 1.0
    critical = metrics.temperature_critical_c or settings.temperature_critical_c
    warning = metrics.temperature_warning_c or settings.temperature_warning_c
    if metrics.temperature_c >= critical:
        return 0.0
    # A sensor that states no warning, or one not below its critical temperature, leaves nothing to fall along.
    if metrics.temperature_c <= warning or warning >= critical:
        return 1.0
    return (critical - metrics.temperature_c) / (critical - warning)


def kept_metrics(text: str | None) -> Metrics | None:
    """The metrics of a node's row; None when there are none, or when an older version wrote them."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Metrics)
    except msgspec.MsgspecError:
        return None


def _percent(value: float) -> float:
    return max(0.0, min(100.0, value))
