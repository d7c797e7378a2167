"""Each panel of the dashboards shows what happened.

Its own question, asked of a real Elasticsearch over the records that the platform writes, is answered as a plain count
of the database's rows comes out; and whatever is planted wrong in the panel is not.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from typing import Any, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import pytest
from support.elasticsearch import PrivateElasticsearch
from support.happenings import Month
from support.kibana import Kibana
from support.lens import MISSING, OTHER, Row
from support.planting import planted
from support.shipping import answered, install, key_for
from support.stores import SQLITE, Store

from kibana.bundle import FILE
from webfront.activity.facts import DEEDS
from webfront.database import models
from webfront.database.rows import rows
from webfront.database.schema import migrate_database, open_database
from webfront.settings import Settings

OBJECTS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
STREAM = "logs-skerry-kibana"
NOW = datetime(2026, 11, 5, 17, 23, 42, tzinfo=UTC)
ZONE = "Europe/Berlin"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SPANS = {"skerry-use": 7 * DAY, "skerry-operations": DAY, "skerry-audit": 30 * DAY, "skerry-measurements": DAY}
UNITS = {
    "free_cpu_percent": "%",
    "free_memory_percent": "%",
    "free_disk_gb": "GB",
    "load_1m": "",
    "temperature_c": "°C",
}
"""What nodes measure."""

Figures: TypeAlias = dict[str, Any]


class Happened(NamedTuple):
    """A fact as the database has it, with the times of its job. Moments are milliseconds."""

    at: int
    kind: str
    outcome: str
    user: str
    controller: str
    node: str
    app: str
    job: str
    attempt: int | None
    data: dict[str, Any]
    waited: float | None
    ran: float | None

    @property
    def reason(self) -> str:
        return str(self.data.get("reason", ""))


class Measured(NamedTuple):
    at: int
    device: str
    field: str
    value: float
    unit: str
    owner: str

    @property
    def series(self) -> str:
        return f"{self.device}: {self.field}"


class Line(NamedTuple):
    at: int
    job: str
    attempt: int
    number: int
    text: str


@dataclasses.dataclass
class Truth:
    """What the database says of the month; the platform's records of it are in Elasticsearch."""

    facts: list[Happened]
    lines: list[Line]
    month: Month
    ask: Callable[[str, dict[str, Any]], dict[str, Any]]

    def deeds(self, span: timedelta) -> list[Happened]:
        return [one for one in within(self.facts, span) if one.kind in DEEDS]

    def of(self, kind: str, span: timedelta = DAY) -> list[Happened]:
        return [one for one in within(self.facts, span) if one.kind == kind]

    def figures(self) -> list[Figures]:
        begin, end = border(DAY), border()
        return [one for one in self.month.figures if begin <= one["at"] <= end]

    def measurements(self) -> list[Measured]:
        """Nodes' and the meters'."""
        found = [
            Measured(one["at"], one["node"], field, one[field], unit, one["owner"])
            for one in self.month.figures
            for field, unit in UNITS.items()
            if one[field] is not None
        ]
        return within([*found, *(Measured(at, *one) for at, one in self.month.metered)], DAY)

    def errors(self) -> list[dict[str, Any]]:
        """With their time and process beside what was logged."""
        found = within(self.month.printed, DAY)
        printed = [one.fields | {"at": one.at, "service": one.service} for one in found]
        return [one for one in printed if one["log.level"] in ("error", "critical")]


def border(before: timedelta = timedelta(0)) -> int:
    return int((NOW - before).timestamp() * 1000)


def within(found: Iterable[Any], span: timedelta) -> list[Any]:
    return [one for one in found if border(span) <= one.at <= border()]


class _FactRow(NamedTuple):
    at: float
    kind: str
    outcome: str
    user: str
    controller: str
    node: str
    app: str
    job: str
    attempt: int | None
    data: str | None
    submitted_at: float | None
    started_at: float | None
    ended_at: float | None


class _LineRow(NamedTuple):
    at: float
    job: str
    attempt: int
    number: int
    text: str


@pytest.fixture(scope="module")
def truth(engine: PrivateElasticsearch, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    folder = tmp_path_factory.mktemp("kibana")
    store = Store(SQLITE, f"sqlite:///{folder}/skerry.sqlite")
    migrate_database(store.url, None)
    install(engine)
    (folder / "key").write_text(key_for(engine, "shipper"))
    settings = Settings(
        folder, folder, "", folder, "", "", elastic_url=engine.url, elastic_api_key_file=folder / "key",
        elastic_stream=STREAM,
    )  # fmt: skip
    month = Month(int(NOW.timestamp()), seed=7)
    open_database(store.url, None)
    try:
        month.happen()
        month.carry(settings)
        facts = [
            Happened(
                round(row.at * 1000), *row[1:9], json.loads(row.data or "{}"),
                length(row.submitted_at, row.started_at), length(row.started_at, row.ended_at),
            )
            for row in rows(
                _FactRow,
                "SELECT f.at, f.kind, f.outcome, f.user, f.controller, f.node, f.app, f.job, f.attempt, f.data, "
                "j.submitted_at, a.started_at, a.ended_at FROM fact f LEFT JOIN job j ON j.id = f.job "
                "AND f.kind = 'job.end' LEFT JOIN attempt a ON a.job_id = j.id AND a.number = j.attempts",
            )
        ]  # fmt: skip
        lines = [
            Line(round(row.at * 1000), *row[1:])
            for row in rows(
                _LineRow,
                "SELECT c.at, a.job_id AS job, a.number AS attempt, c.first AS number, c.text FROM log_chunk c "
                "JOIN attempt a ON a.id = c.attempt_id",
            )
        ]
    finally:
        models.database.close()
    answered(engine, "POST", f"/{STREAM}/_refresh")

    def ask(pattern: str, body: dict[str, Any]) -> dict[str, Any]:
        if not fnmatch(STREAM, pattern):
            raise LookupError(f"{pattern} does not name the platform's records")
        status, answer = engine.request("POST", f"/{STREAM}/_search", body)
        if status != 200:
            raise LookupError(answer["error"])
        return answer

    return Truth(facts, lines, month, ask)


def length(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else round(max(0.0, end - begin), 3)


# How a plain count comes out.


def ranked(names: Iterable[str], most: int, *, others: bool = True, none: bool = False) -> list[tuple[str, set[str]]]:
    """Names that are shown, the most frequent first, each with what it stands for; '' is no name."""
    counted = Counter(name or "__missing__" for name in names if name or none)
    order = sorted(counted, key=lambda name: (-counted[name], name))
    shown = [(MISSING, {""}) if name == "__missing__" else (name, {name}) for name in order[:most]]
    if others and order[most:]:
        shown.append((OTHER, {"" if name == "__missing__" else name for name in order[most:]}))
    return shown


def by(found: Sequence[Any], name: str, most: int, **how: bool) -> list[tuple[str, list[Any]]]:
    """What was found, in the groups by this name."""
    groups = ranked((getattr(one, name) for one in found), most, **how)
    return [(shown, [one for one in found if getattr(one, name) in names]) for shown, names in groups]


def spans(span: timedelta, length: timedelta) -> list[int]:
    """The beginnings of all spans of time by the clock in Berlin, also of the one in which it begins."""
    local = (NOW - span).astimezone(ZoneInfo(ZONE))
    if length == DAY:
        first = local.replace(hour=0, minute=0, second=0, microsecond=0)
        days = [first.replace(tzinfo=None) + number * DAY for number in range(40)]
        found = [day.replace(tzinfo=ZoneInfo(ZONE)) for day in days]
    else:
        size = length.total_seconds()
        begin = math.floor((NOW - span).timestamp() / size) * size
        found = [datetime.fromtimestamp(begin + number * size, UTC) for number in range(10_000)]
    return [int(one.timestamp() * 1000) for one in found if one <= NOW]


def over_time(found: Sequence[Any], at: list[int], measure: Callable[[list[Any]], Row]) -> list[Row]:
    """A row for each span."""
    groups: dict[int, list[Any]] = defaultdict(list)
    for one in found:
        moment = one["at"] if isinstance(one, dict) else one.at
        groups[max(begin for begin in at if begin <= moment)].append(one)
    return [(begin, *measure(groups[begin])) for begin in at]


def split(groups: Iterable[tuple[str, list[Any]]], at: list[int], measure: Callable[[list[Any]], Row]) -> list[Row]:
    return [(begin, name, *values) for name, found in groups for begin, *values in over_time(found, at, measure)]


def shares(groups: Sequence[tuple[str, list[Any]]]) -> list[Row]:
    together = sum(len(found) for _, found in groups)
    return [(name, len(found), round(100 * len(found) / together, 2)) for name, found in groups]


def counted(groups: Iterable[tuple[str, list[Any]]]) -> list[Row]:
    return [(name, len(found)) for name, found in groups]


def crossed(groups: Iterable[tuple[str, list[Any]]], inner: Callable[[list[Any]], Iterable[Row]]) -> list[Row]:
    return [(name, *row) for name, found in groups for row in inner(found)]


def one_more(found: list[Any]) -> Row:
    return (len(found),)


@dataclasses.dataclass(frozen=True)
class Between:
    """A percentile of few values lies between two of them; how it is placed there is Elasticsearch's affair."""

    low: float
    high: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float | int) and self.low - 1e-9 <= other <= self.high + 1e-9


def percentiles(values: Iterable[float | None], *percents: int) -> Row:
    known = sorted(value for value in values if value is not None)
    return tuple(_percentile(known, percent / 100) if known else None for percent in percents)


def _percentile(known: list[float], part: float) -> Between:
    places = (part * (len(known) - 1), part * len(known) - 0.5)
    low, high = max(0, math.floor(min(places))), min(len(known) - 1, math.ceil(max(places)))
    return Between(known[low], known[high])


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def most_of(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def distinct(values: Iterable[Hashable]) -> int:
    return len({value for value in values if value})


def newest(found: Iterable[Any], fields: Callable[[Any], Row]) -> list[Row]:
    """The rows of a list, at most as many as Kibana shows; what has no value is None."""
    moments = sorted(found, key=lambda one: -(one["at"] if isinstance(one, dict) else one.at))[:500]
    return [
        (one["at"] if isinstance(one, dict) else one.at, *(None if value == "" else value for value in fields(one)))
        for one in moments
    ]


WEEK, MONTH = SPANS["skerry-use"], SPANS["skerry-audit"]


def by_node(found: list[Figures], order: Callable[[list[Figures]], float | None]) -> list[tuple[str, list[Figures]]]:
    """The nodes' figures by node, the one that is highest first."""
    groups = [(name, [one for one in found if one["node"] == name]) for name in sorted({one["node"] for one in found})]
    return sorted(groups, key=lambda group: -(order(group[1]) or 0))


def load(found: list[Figures]) -> float | None:
    return mean(one["load_1m"] for one in found)


def heat(found: list[Figures]) -> float | None:
    return most_of(one["temperature_c"] for one in found)


def by_state_and_cause(found: list[Happened]) -> list[Row]:
    return crossed(by_data(found, "state", 10), lambda some: counted(by_data(some, "cause", 10, others=False)))


def by_data(found: list[Happened], name: str, most: int, **how: bool) -> list[tuple[str, list[Happened]]]:
    groups = ranked((one.data.get(name, "") for one in found), most, **how)
    return [(shown, [one for one in found if one.data.get(name, "") in names]) for shown, names in groups]


def failures(found: list[Happened]) -> list[Happened]:
    return [one for one in found if one.outcome == "failure"]


def about(found: list[Happened]) -> list[Row]:
    kinds = {
        "signing in and out": {"session.begin", "session.end"},
        "users and tokens": {"user.create", "token.issue", "token.revoke"},
        "apps": {"app.upload"},
        "jobs": {"job.submit", "job.cancel", "job.download"},
    }
    rows = [(name, sum(one.kind in wanted for one in found)) for name, wanted in kinds.items()]
    return sorted([*rows, ("nodes", sum(bool(one.node) for one in found))])


TRUTHS: dict[str, Callable[[Truth], list[Row]]] = {
    "skerry-use-deeds": lambda t: [(len(t.deeds(WEEK)),)],
    "skerry-use-people": lambda t: [(distinct(one.user for one in t.deeds(WEEK)),)],
    "skerry-use-over-time": lambda t: split(by(t.deeds(WEEK), "outcome", 10), spans(WEEK, HOUR), one_more),
    "skerry-use-functions": lambda t: shares(by(t.deeds(WEEK), "kind", 10)),
    "skerry-use-controllers": lambda t: shares(by(t.deeds(WEEK), "controller", 10, none=True)),
    "skerry-use-by-user": lambda t: counted(by(t.deeds(WEEK), "user", 20, none=True)),
    "skerry-use-by-node": lambda t: counted(by(t.deeds(WEEK), "node", 20)),
    "skerry-use-who-uses-what": lambda t: crossed(
        by(t.deeds(WEEK), "user", 50),
        lambda found: [
            (name, len(some), max(one.at for one in some)) for name, some in by(found, "kind", 50, others=False)
        ],
    ),
    "skerry-jobs-over-time": lambda t: split(by_data(t.of("job.end"), "state", 10), spans(DAY, HOUR), one_more),
    "skerry-jobs-by-cause": lambda t: by_state_and_cause(t.of("job.end")),
    "skerry-jobs-waited": lambda t: over_time(
        t.of("job.end"), spans(DAY, HOUR), lambda found: percentiles((one.waited for one in found), 50, 95)
    ),
    "skerry-jobs-ran": lambda t: over_time(
        t.of("job.end"), spans(DAY, HOUR), lambda found: percentiles((one.ran for one in found), 50, 95)
    ),
    "skerry-nodes-load": lambda t: split(
        by_node(t.figures(), load), spans(DAY, HOUR / 6), lambda found: (load(found),)
    ),
    "skerry-nodes-temperature": lambda t: split(
        by_node([one for one in t.figures() if one["temperature_c"] is not None], heat),
        spans(DAY, HOUR / 6),
        lambda found: (heat(found),),
    ),
    "skerry-nodes": lambda t: [
        (
            name,
            max(found, key=lambda one: one["at"])["state"],
            mean(one["free_cpu_percent"] for one in found),
            mean(one["free_memory_percent"] for one in found),
            max(one["running"] for one in found),
            max(one["slots"] for one in found),
        )
        for name, found in by_node(t.figures(), lambda found: 0)
    ],
    "skerry-attempts-by-node": lambda t: crossed(
        by(t.of("attempt.end"), "node", 20), lambda found: counted(by_data(found, "cause", 10, others=False))
    ),
    "skerry-failed-attempts": lambda t: newest(
        failures(t.of("attempt.end")),
        lambda one: (one.job, one.attempt, one.app, one.user, one.node, one.data["cause"]),
    ),
    "skerry-lines": lambda t: newest(
        within(t.lines, DAY), lambda one: (one.job, one.attempt, one.number, one.text)
    ),
    "skerry-errors": lambda t: crossed(
        by_key(t.errors(), "service"), lambda found: counted(by_key(found, "log.level"))
    ),
    "skerry-error-lines": lambda t: newest(
        t.errors(),
        lambda one: (one["service"], one["host.name"], one["log.logger"], one["message"], one.get("error.message")),
    ),
    "skerry-failed-sign-ins": lambda t: split(
        by([one for one in failures(t.deeds(MONTH)) if one.kind == "session.begin"], "user", 10, none=True),
        spans(MONTH, DAY),
        one_more,
    ),
    "skerry-failures-by-reason": lambda t: crossed(
        by(failures(t.deeds(MONTH)), "reason", 20, none=True),
        lambda found: counted(by(found, "kind", 20, others=False)),
    ),
    "skerry-deeds-by-user": lambda t: [
        (name, len(found), len(failures(found)), distinct(one.kind for one in found), max(one.at for one in found))
        for name, found in by(t.deeds(MONTH), "user", 100, none=True)
    ],
    "skerry-deeds-about": lambda t: about(t.deeds(MONTH)),
    "skerry-deeds": lambda t: newest(
        t.deeds(MONTH),
        lambda one: (one.user, one.kind, one.outcome, one.reason, one.controller, one.node, one.app, one.job),
    ),
    "skerry-measurements-all": lambda t: [(len(t.measurements()),)],
    "skerry-measurements-devices": lambda t: [(distinct(one.device for one in t.measurements()),)],
    "skerry-measurements-values": lambda t: values_over_time(t.measurements()),
    "skerry-measurements-newest": lambda t: crossed(
        by_name(t.measurements(), "device"), lambda found: map(newest_value, by_name(found, "field"))
    ),
    "skerry-measurements-over-time": lambda t: split(by(t.measurements(), "device", 10), spans(DAY, HOUR), one_more),
    "skerry-measurements-by-field": lambda t: counted(by(t.measurements(), "field", 20)),
    "skerry-measurements-by-device": lambda t: counted(by(t.measurements(), "device", 20)),
    "skerry-measurements-by-owner": lambda t: counted(by(t.measurements(), "owner", 20, none=True)),
}  # fmt: skip


def values_over_time(found: list[Measured]) -> list[Row]:
    return split(by_name(found, "series"), spans(DAY, HOUR / 6), lambda some: (mean(one.value for one in some),))


def by_name(found: list[Measured], name: str) -> list[tuple[str, list[Measured]]]:
    names = sorted({getattr(one, name) for one in found})
    return [(shown, [one for one in found if getattr(one, name) == shown]) for shown in names]


def newest_value(of_field: tuple[str, list[Measured]]) -> Row:
    field, found = of_field
    newest = max(found, key=lambda one: one.at)
    return field, str(newest.value), newest.unit or None, newest.at


def by_key(found: list[dict[str, Any]], key: str) -> list[tuple[str, list[dict[str, Any]]]]:
    counts = Counter(one[key] for one in found)
    return [
        (name, [one for one in found if one[key] == name]) for name in sorted(counts, key=lambda n: (-counts[n], n))
    ]


def same(shown: list[Row], expected: list[Row]) -> bool:
    return len(shown) == len(expected) and all(
        len(one) == len(other) and all(map(_same, one, other)) for one, other in zip(shown, expected, strict=True)
    )


def _same(value: object, expected: object) -> bool:
    if isinstance(value, float) and isinstance(expected, float | int):
        return math.isclose(value, expected, rel_tol=1e-9)
    return expected == value


def shown(truth: Truth, objects: Iterable[Any], dashboard: str, panel: str) -> list[Row]:
    return Kibana(objects, truth.ask, now=NOW, zone=ZONE).show(dashboard, panel).rows


ALIKE = {
    "skerry-jobs-by-cause": ["filter: no condition"],
    "skerry-jobs-waited": ["filter: no condition"],
    "skerry-jobs-ran": ["filter: no condition"],
    "skerry-nodes": ["filter: column2: no condition"],
    "skerry-measurements-devices": ["filter: no condition"],
    "skerry-measurements-values": ["filter: no condition"],
    "skerry-measurements-newest": ["filter: column3: no condition", "filter: no condition"],
    "skerry-measurements-over-time": ["filter: no condition"],
    "skerry-measurements-by-field": ["filter: no condition"],
    "skerry-measurements-by-device": ["filter: no condition"],
}
"""What is no fault: the fields that are asked for are in no other records, or in all of them."""

PANELS = list(Kibana(OBJECTS, lambda pattern, body: {}, now=NOW).panels())


def test_a_key_of_whoever_imports_can_be_made(engine: PrivateElasticsearch) -> None:
    """Elasticsearch takes rights of Kibana without knowing what they mean: Kibana reads them."""
    assert key_for(engine, "dashboards")


def test_each_panel_has_its_truth() -> None:
    assert sorted(panel for _, panel in PANELS) == sorted(TRUTHS)


@pytest.mark.parametrize(("dashboard", "panel"), PANELS, ids=lambda name: name)
def test_a_panel_shows_what_happened(truth: Truth, dashboard: str, panel: str) -> None:
    expected = TRUTHS[panel](truth)
    assert len(expected) > 0
    found = shown(truth, OBJECTS, dashboard, panel)
    assert same(found, expected), f"{found[:5]} ... {expected[:5]}"


@pytest.mark.parametrize(("dashboard", "panel"), PANELS, ids=lambda name: name)
def test_whatever_is_planted_wrong_in_a_panel_shows(truth: Truth, dashboard: str, panel: str) -> None:
    expected = TRUTHS[panel](truth)
    unnoticed, kinds = [], Counter[str]()
    for change, objects in planted(OBJECTS, dashboard, panel):
        kinds[change.kind] += 1
        try:
            found = shown(truth, objects, dashboard, panel)
        except (ValueError, LookupError):
            continue
        if same(found, expected):
            unnoticed.append(f"{change.kind}: {change.words}")
    assert unnoticed == ALIKE.get(panel, [])
    assert kinds["field"] > 1
    assert kinds["filter"] > 3


CHOSEN: list[dict[str, list[str]]] = [
    *({"Field": [field]} for field in (*UNITS, "voltage")),
    {"Device": ["alpha", "meter-1"]},
    {"Field": ["load_1m"], "Device": ["beta"]},
]


@pytest.mark.parametrize("chosen", CHOSEN, ids=str)
def test_what_is_chosen_above_the_panels_is_shown_alone(truth: Truth, chosen: dict[str, list[str]]) -> None:
    def found(objects: Iterable[Any]) -> list[Row]:
        kibana = Kibana(objects, truth.ask, now=NOW, zone=ZONE)
        return kibana.show("skerry-measurements", "skerry-measurements-values", chosen).rows

    right = values_over_time(
        [
            one
            for one in truth.measurements()
            if one.field in chosen.get("Field", [one.field]) and one.device in chosen.get("Device", [one.device])
        ]
    )
    assert len(right) > 0
    assert same(found(OBJECTS), right)
    text = json.dumps(OBJECTS)
    for title, field, other in (("Field", "skerry.field", "skerry.unit"), ("Device", "skerry.device", "skerry.owner")):
        # As it is written in the dashboard: JSON in a text.
        written = r"\"fieldName\": \"%s\""
        assert text.count(written % field) == 1
        wrong = found(json.loads(text.replace(written % field, written % other)))
        assert same(wrong, right) == (title not in chosen)


def test_an_index_of_before_there_were_measurements_can_be_asked_for_series(engine: PrivateElasticsearch) -> None:
    (view,) = (one["attributes"] for one in OBJECTS if one["type"] == "index-pattern")
    answered(engine, "PUT", "/before", {"mappings": {"properties": {"@timestamp": {"type": "date"}}}})
    answered(engine, "POST", "/before/_doc?refresh=true", {"@timestamp": "2026-01-01T00:00:00Z"})
    body = {"fields": ["skerry.series"], "runtime_mappings": json.loads(view["runtimeFieldMap"])}
    found = answered(engine, "POST", "/before/_search", body)
    assert found["_shards"]["failed"] == 0
    assert ["fields" in hit for hit in found["hits"]["hits"]] == [False]
