"""The dashboards: how Skerry is used, how it runs, who did what, and what devices measure."""

from __future__ import annotations

from typing import Final

from kibana.bundle import Choice, Dashboard, Row
from kibana.lens import (
    SERIES,
    average,
    bars,
    count,
    distinct,
    each,
    every,
    groups,
    highest,
    last,
    lines,
    median,
    number,
    percentile,
    pie,
    records,
    table,
    top,
)

_HAPPENED: Final = 'event.dataset: "skerry.activity"'
DEEDS: Final = f"{_HAPPENED} and skerry.deed: true"
FAILED: Final = f'{DEEDS} and event.outcome: "failure"'
JOB_ENDS: Final = f'{_HAPPENED} and event.action: "job.end"'
ATTEMPT_ENDS: Final = f'{_HAPPENED} and event.action: "attempt.end"'
MEASUREMENTS: Final = 'event.dataset: "skerry.measurement"'
NODES: Final = 'event.dataset: ("skerry.node" or "skerry.measurement")'
"""How nodes stand, and what they measure of themselves."""
ERRORS: Final = 'log.level: ("error" or "critical")'

_HOUR: Final = "1h"
_TEN_MINUTES: Final = "10m"
_DAY: Final = "1d"


def _field(name: str) -> str:
    return f'skerry.field: "{name}"'


def _of(field: str) -> str:
    """The measurements of this field."""
    return f"{MEASUREMENTS} and {_field(field)}"


_USE: Final = Dashboard(
    "skerry-use",
    "How Skerry is used",
    "What people do on the platform, by page, API or command: one and the same deed counts once, wherever it came in.",
    "now-7d",
    [
        Row(
            6,
            [
                number("skerry-use-deeds", "Deeds", DEEDS, of=count("Deeds")),
                number("skerry-use-people", "People", DEEDS, of=distinct("user.name", "People")),
            ],
        ),
        Row(
            12,
            [
                bars(
                    "skerry-use-over-time",
                    "Interactions over time",
                    DEEDS,
                    x=every(_HOUR),
                    split=top("event.outcome", "Outcome"),
                    y=[count("Deeds")],
                )
            ],
        ),
        Row(
            14,
            [
                pie(
                    "skerry-use-functions",
                    "Functions used",
                    DEEDS,
                    slices=top("event.action", "Function"),
                    size=count("Deeds"),
                ),
                pie(
                    "skerry-use-controllers",
                    "Controllers used",
                    DEEDS,
                    slices=top("skerry.controller", "Controller", none=True),
                    size=count("Deeds"),
                ),
            ],
        ),
        Row(
            14,
            [
                bars(
                    "skerry-use-by-user",
                    "By user",
                    DEEDS,
                    x=top("user.name", "User", most=20, none=True),
                    y=[count("Deeds")],
                    lying=True,
                ),
                bars(
                    "skerry-use-by-node",
                    "By node",
                    DEEDS,
                    x=top("skerry.node", "Node", most=20),
                    y=[count("Deeds")],
                    lying=True,
                ),
            ],
        ),
        Row(
            14,
            [
                table(
                    "skerry-use-who-uses-what",
                    "Who uses what",
                    DEEDS,
                    columns=[
                        top("user.name", "User", most=50),
                        top("event.action", "Function", most=50, others=False),
                        count("Deeds"),
                        highest("@timestamp", "Last", kind="date"),
                    ],
                )
            ],
        ),
    ],
)

_OPERATIONS: Final = Dashboard(
    "skerry-operations",
    "Operations",
    "How jobs end and how long they wait, how nodes are, and what failed. "
    "Filter for a job or a node in one of the lists, and what its apps printed remains.",
    "now-24h",
    [
        Row(
            12,
            [
                bars(
                    "skerry-jobs-over-time",
                    "Jobs that ended",
                    JOB_ENDS,
                    x=every(_HOUR),
                    split=top("skerry.state", "State"),
                    y=[count("Jobs")],
                ),
                table(
                    "skerry-jobs-by-cause",
                    "Jobs by state and cause",
                    JOB_ENDS,
                    columns=[
                        top("skerry.state", "State"),
                        top("skerry.cause", "Cause", others=False),
                        count("Jobs"),
                    ],
                ),
            ],
        ),
        Row(
            12,
            [
                lines(
                    "skerry-jobs-waited",
                    "Seconds that jobs waited for their start",
                    JOB_ENDS,
                    x=every(_HOUR),
                    y=[
                        median("skerry.waited_s", "Median"),
                        percentile("skerry.waited_s", 95, "95 of 100 at most"),
                    ],
                ),
                lines(
                    "skerry-jobs-ran",
                    "Seconds that jobs ran",
                    JOB_ENDS,
                    x=every(_HOUR),
                    y=[
                        median("skerry.ran_s", "Median"),
                        percentile("skerry.ran_s", 95, "95 of 100 at most"),
                    ],
                ),
            ],
        ),
        Row(
            12,
            [
                lines(
                    "skerry-nodes-load",
                    "Load of the nodes",
                    _of("load_1m"),
                    x=every(_TEN_MINUTES),
                    split=top("skerry.node", "Node", most=20, others=False),
                    y=[average("skerry.value", "Load")],
                ),
                lines(
                    "skerry-nodes-temperature",
                    "Temperature of the nodes, in °C",
                    _of("temperature_c"),
                    x=every(_TEN_MINUTES),
                    split=top("skerry.node", "Node", most=20, others=False),
                    y=[highest("skerry.value", "Highest")],
                ),
            ],
        ),
        Row(
            14,
            [
                table(
                    "skerry-nodes",
                    "Nodes",
                    NODES,
                    columns=[
                        each("skerry.node", "Node", most=100),
                        last("skerry.state", "State"),
                        average("skerry.value", "CPU free, in percent", where=_field("free_cpu_percent")),
                        average("skerry.value", "Memory free, in percent", where=_field("free_memory_percent")),
                        highest("skerry.running", "Attempts at once"),
                        highest("skerry.slots", "Slots"),
                    ],
                ),
                bars(
                    "skerry-attempts-by-node",
                    "Attempts by node and cause",
                    ATTEMPT_ENDS,
                    x=top("skerry.node", "Node", most=20),
                    split=top("skerry.cause", "Cause", others=False),
                    y=[count("Attempts")],
                    lying=True,
                ),
            ],
        ),
        Row(
            16,
            [
                records(
                    "skerry-failed-attempts",
                    "Attempts that failed",
                    f'{ATTEMPT_ENDS} and event.outcome: "failure"',
                    fields=["skerry.job", "skerry.attempt", "skerry.app", "user.name", "skerry.node", "skerry.cause"],
                ),
                records(
                    "skerry-lines",
                    "What apps printed",
                    'event.dataset: "skerry.app"',
                    fields=["skerry.job", "skerry.attempt", "skerry.line", "message"],
                ),
            ],
        ),
        Row(
            12,
            [
                bars(
                    "skerry-errors",
                    "Errors by process",
                    ERRORS,
                    x=top("service.name", "Process"),
                    split=top("log.level", "Level", others=False),
                    y=[count("Records")],
                    lying=True,
                ),
                records(
                    "skerry-error-lines",
                    "Errors",
                    ERRORS,
                    fields=["service.name", "host.name", "log.logger", "message", "error.message"],
                ),
            ],
        ),
    ],
)

_AUDIT: Final = Dashboard(
    "skerry-audit",
    "Audit",
    "Who did what and what was refused. Deeds of nobody are those of strangers, and of machines that ask to join.",
    "now-30d",
    [
        Row(
            12,
            [
                bars(
                    "skerry-failed-sign-ins",
                    "Failed sign-ins",
                    f'{FAILED} and event.action: "session.begin"',
                    x=every(_DAY),
                    split=top("user.name", "User", none=True),
                    y=[count("Tries")],
                ),
                bars(
                    "skerry-failures-by-reason",
                    "Failures by reason",
                    FAILED,
                    x=top("event.reason", "Reason", most=20, none=True),
                    split=top("event.action", "Function", most=20, others=False),
                    y=[count("Failures")],
                    lying=True,
                ),
            ],
        ),
        Row(
            14,
            [
                table(
                    "skerry-deeds-by-user",
                    "Deeds by user",
                    DEEDS,
                    columns=[
                        top("user.name", "User", most=100, none=True),
                        count("Deeds"),
                        count("Failed", where='event.outcome: "failure"'),
                        distinct("event.action", "Functions"),
                        highest("@timestamp", "Last", kind="date"),
                    ],
                ),
                bars(
                    "skerry-deeds-about",
                    "What deeds are about",
                    DEEDS,
                    x=groups(
                        "About",
                        {
                            "signing in and out": 'event.action: ("session.begin" or "session.end")',
                            "users and tokens": 'event.action: ("user.create" or "token.issue" or "token.revoke")',
                            "apps": 'event.action: "app.upload"',
                            "jobs": 'event.action: ("job.submit" or "job.cancel" or "job.download")',
                            "nodes": "skerry.node: *",
                        },
                    ),
                    y=[count("Deeds")],
                    lying=True,
                ),
            ],
        ),
        Row(
            20,
            [
                records(
                    "skerry-deeds",
                    "Newest deeds",
                    DEEDS,
                    fields=[
                        "user.name",
                        "event.action",
                        "event.outcome",
                        "event.reason",
                        "skerry.controller",
                        "skerry.node",
                        "skerry.app",
                        "skerry.job",
                    ],
                )
            ],
        ),
    ],
)

_MEASUREMENTS: Final = Dashboard(
    "skerry-measurements",
    "Measurements",
    "What devices measure: values over time, the newest value of each, and how many there are. Choose a field above, "
    "since those of all are in units of their own. Devices are today the nodes, which measure themselves.",
    "now-24h",
    [
        Row(
            6,
            [
                number("skerry-measurements-all", "Measurements in all", MEASUREMENTS, of=count("Measurements")),
                number("skerry-measurements-devices", "Devices", MEASUREMENTS, of=distinct("skerry.device", "Devices")),
            ],
        ),
        Row(
            16,
            [
                lines(
                    "skerry-measurements-values",
                    "Values of the chosen field by device",
                    MEASUREMENTS,
                    x=every(_TEN_MINUTES),
                    split=each(SERIES, "Device and field", most=50),
                    y=[average("skerry.value", "Value")],
                )
            ],
        ),
        Row(
            16,
            [
                table(
                    "skerry-measurements-newest",
                    "Newest values",
                    MEASUREMENTS,
                    columns=[
                        each("skerry.device", "Device", most=200),
                        each("skerry.field", "Field", most=50),
                        last("skerry.value", "Value", kind="number"),
                        last("skerry.unit", "Unit"),
                        highest("@timestamp", "At", kind="date"),
                    ],
                )
            ],
        ),
        Row(
            12,
            [
                bars(
                    "skerry-measurements-over-time",
                    "Measurements over time",
                    MEASUREMENTS,
                    x=every(_HOUR),
                    split=top("skerry.device", "Device"),
                    y=[count("Measurements")],
                ),
                bars(
                    "skerry-measurements-by-field",
                    "Measurements by field",
                    MEASUREMENTS,
                    x=top("skerry.field", "Field", most=20),
                    y=[count("Measurements")],
                    lying=True,
                ),
            ],
        ),
        Row(
            12,
            [
                bars(
                    "skerry-measurements-by-device",
                    "Measurements by device",
                    MEASUREMENTS,
                    x=top("skerry.device", "Device", most=20),
                    y=[count("Measurements")],
                    lying=True,
                ),
                bars(
                    "skerry-measurements-by-owner",
                    "Measurements by their device's owner",
                    MEASUREMENTS,
                    x=top("skerry.owner", "Owner", most=20, none=True),
                    y=[count("Measurements")],
                    lying=True,
                ),
            ],
        ),
    ],
    [
        Choice("skerry-measurements-field", "skerry.field", "Field", one=True),
        Choice("skerry-measurements-device", "skerry.device", "Device"),
    ],
)

DASHBOARDS: Final = (_USE, _OPERATIONS, _AUDIT, _MEASUREMENTS)
