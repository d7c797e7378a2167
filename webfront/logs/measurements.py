"""Measurements as log records: one value of one field of one device at one time, a record each, of whatever device.

One shape for all: what a device measures is not known beforehand, and a field of the record for each would grow without
bound. They go to `skerry.logs` alone, as all that is of the kind `metric` (`wire.logs`).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from wire.logs import METRIC

DATASET: Final = "skerry.measurement"


class Measurement(NamedTuple):
    device: str
    field: str
    value: float
    unit: str
    """Empty for a bare number."""
    owner: str
    """Whose device it is; empty where that is nobody's."""


def fields_of(one: Measurement) -> dict[str, Any]:
    """The record's fields, but for its time: that is when it is logged."""
    return {
        "event.dataset": DATASET,
        "event.kind": METRIC,
        "skerry.device": one.device,
        "skerry.field": one.field,
        "skerry.value": float(one.value),
        "skerry.unit": one.unit or None,
        "skerry.owner": one.owner or None,
    }
