"""What the panels ask is known whole: whatever a saved object says beyond what is read is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from support.kibana import Kibana
from support.lens import Unknown

from kibana.bundle import FILE

OBJECTS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
NOW = datetime(2026, 11, 5, 17, 23, 42, tzinfo=UTC)
REFUSAL = (Unknown, ValueError, KeyError)
LOOKS = {"legend", "paging", "optionsJSON", "gridData", "parentFormat"}
"""What changes how a picture looks, and nothing that it shows."""


class Asked(Exception):
    """A question was put together, and goes to Elasticsearch."""


def ask(pattern: str, body: dict[str, Any]) -> dict[str, Any]:
    raise Asked


PANELS = list(Kibana(OBJECTS, ask, now=NOW).panels())


def show(objects: list[dict[str, Any]], dashboard: str, panel: str) -> None:
    Kibana(objects, ask, now=NOW).show(dashboard, panel)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in it where something can be said."""
    if isinstance(value, Mapping):
        yield path
        for name, one in value.items():
            if name not in LOOKS:
                yield from places(one, (*path, name))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from places(one, (*path, place))


def with_more(attributes: dict[str, Any], path: tuple[str | int, ...]) -> dict[str, Any]:
    made = copy.deepcopy(attributes)
    place: Any = made
    for step in path:
        place = place[step]
    place["surprise"] = {"surprise": "yes"}
    return made


@pytest.mark.parametrize(("dashboard", "panel"), PANELS, ids=lambda name: name)
def test_a_panel_is_read_whole(dashboard: str, panel: str) -> None:
    with pytest.raises(Asked):
        show(OBJECTS, dashboard, panel)
    (own,) = (one for one in OBJECTS if one["id"] == panel)
    for path in places(own["attributes"]):
        changed = own | {"attributes": with_more(own["attributes"], path)}
        with pytest.raises(REFUSAL):
            show([changed if one["id"] == panel else one for one in OBJECTS], dashboard, panel)


def in_text(attributes: dict[str, Any], *path: str, value: object) -> dict[str, Any]:
    """The attributes, with more in the JSON that stands as text at the path."""
    made = copy.deepcopy(attributes)
    place: Any = made
    for step in path[:-1]:
        place = place[step]
    held = json.loads(place[path[-1]])
    (held[0] if isinstance(held, list) else held).update(value)
    place[path[-1]] = json.dumps(held)
    return made


SEARCH = ("kibanaSavedObjectMeta", "searchSourceJSON")
REFUSED: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "a query in Lucene": ("skerry-use", SEARCH, {"query": {"language": "lucene", "query": "a:b"}}),
    "a filter without a query": ("skerry-use", SEARCH, {"filter": [{"meta": {}}]}),
    "more of the search": ("skerry-use", SEARCH, {"highlight": True}),
    "a panel with a span of its own": (
        "skerry-use",
        ("panelsJSON",),
        {"embeddableConfig": {"enhancements": {}, "timeRange": {"from": "now-1h", "to": "now"}}},
    ),
    "a panel that opens another": (
        "skerry-use",
        ("panelsJSON",),
        {"embeddableConfig": {"enhancements": {"dynamicActions": {"events": [1]}}}},
    ),
    "a panel that is kept in the dashboard": ("skerry-use", ("panelsJSON",), {"type": "map"}),
    "more of a list to choose from": (
        "skerry-measurements",
        ("controlGroupInput", "panelsJSON"),
        {"surprise": {"type": "rangeSliderControl", "explicitInput": {"id": "surprise"}}},
    ),
    "a list that leaves the query out of account": (
        "skerry-measurements",
        ("controlGroupInput", "ignoreParentSettingsJSON"),
        {"ignoreQuery": True},
    ),
    "more of a list's search": ("skerry-deeds", SEARCH, {"highlight": True}),
}
IN = {
    "skerry-use": ("skerry-use", "skerry-use-deeds"),
    "skerry-deeds": ("skerry-audit", "skerry-deeds"),
    "skerry-measurements": ("skerry-measurements", "skerry-measurements-all"),
}
"""Where that is met."""


@pytest.mark.parametrize("words", REFUSED)
def test_what_a_dashboard_or_a_list_says_beyond_is_refused(words: str) -> None:
    name, path, value = REFUSED[words]
    objects = [
        one | {"attributes": in_text(one["attributes"], *path, value=value)} if one["id"] == name else one
        for one in OBJECTS
    ]
    dashboard, panel = IN[name]
    with pytest.raises(REFUSAL):
        show(objects, dashboard, panel)


@pytest.mark.parametrize(
    ("name", "value"), [("timeRestore", False), ("timeFrom", "now/w"), ("timeFrom", "2026-11-01"), ("surprise", 1)]
)
def test_a_span_that_is_not_known_is_refused(name: str, value: object) -> None:
    objects = [
        one | {"attributes": one["attributes"] | {name: value}} if one["id"] == "skerry-use" else one for one in OBJECTS
    ]
    with pytest.raises(REFUSAL):
        show(objects, "skerry-use", "skerry-use-deeds")


CHARTS: dict[str, tuple[str, tuple[str, ...], object]] = {
    "an interval that Kibana chooses": ("skerry-use-over-time", ("x", "params", "interval"), "auto"),
    "so short an interval that Kibana makes it longer": ("skerry-use-over-time", ("x", "params", "interval"), "1m"),
    "others within others": ("skerry-use-who-uses-what", ("column2", "params", "otherBucket"), True),
    "an order by what is not there": (
        "skerry-use-functions",
        ("slices", "params", "orderBy"),
        {"type": "column", "columnId": "nothing"},
    ),
    "an order by rarity": ("skerry-use-functions", ("slices", "params", "orderBy"), {"type": "rare", "maxDocCount": 1}),
    "a measure that is not known": ("skerry-use-functions", ("size", "operationType"), "cumulative_sum"),
    "a count of a field's values": ("skerry-use-functions", ("size", "sourceField"), "user.name"),
    "a newest value that is no list": ("skerry-nodes", ("column2", "params", "showArrayValues"), False),
    "another time": ("skerry-use-functions", ("size", "timeShift"), "1d"),
}


@pytest.mark.parametrize("words", CHARTS)
def test_what_a_chart_asks_that_is_not_known_is_refused(words: str) -> None:
    panel, path, value = CHARTS[words]
    objects = copy.deepcopy(OBJECTS)
    (own,) = (one for one in objects if one["id"] == panel)
    ((_, layer),) = own["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].items()
    place = layer["columns"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    dashboard = next(one for one, other in PANELS if other == panel)
    with pytest.raises(REFUSAL):
        show(objects, dashboard, panel)


@pytest.mark.parametrize("chosen", [{"Field": ["one", "another"]}, {"Unit": ["V"]}], ids=str)
def test_what_cannot_be_chosen_is_refused(chosen: dict[str, list[str]]) -> None:
    with pytest.raises(Unknown):
        Kibana(OBJECTS, ask, now=NOW).show("skerry-measurements", "skerry-measurements-all", chosen)
