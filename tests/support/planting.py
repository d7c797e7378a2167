"""Wrong panels: a copy of the saved objects for each thing that somebody could get wrong in one panel.

A field, an interval, a filter, a split, a measure, an order; in the panel, its dashboard and its data view. No panel is
known here by its name. Only what must show is planted: another value that no record has, not a condition less that
the others imply.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

Object = Mapping[str, Any]

_FIELDS: Final = ("event.action", "user.name", "skerry.node", "service.name")
_NUMBERS: Final = ("skerry.attempt", "skerry.events_per_second")
_MEASURES: Final = {
    "count": "unique_count",
    "unique_count": "count",
    "average": "max",
    "max": "min",
    "median": "max",
    "percentile": "median",
    "last_value": "unique_count",
}
_INTERVALS: Final = ("10m", "1h", "2h", "1d")
_CONDITION: Final = re.compile(r'(?P<field>[\w@.]+): (?P<value>\([^)]*\)|"[^"]*"|[^\s()]+)')
_GONE: Final = object()


class Change(NamedTuple):
    """Another value at one place of an object."""

    kind: str
    """`field`, `interval`, `filter`, `split`, `measure` or `order`."""
    words: str
    path: Sequence[str | int]
    value: object


class Planted(NamedTuple):
    """Saved objects with one fault."""

    change: Change
    objects: list[Object]


def planted(objects: Iterable[Object], dashboard: str, panel: str) -> Iterator[Planted]:
    """Each fault that this panel can have."""
    named = {one["id"]: one for one in objects}
    own = named[panel]
    (view,) = (one["id"] for one in own["references"] if one["type"] == "index-pattern")
    for name, changes in (
        (panel, _chart(own) if own["type"] == "lens" else _list(own)),
        (dashboard, _dashboard()),
        (view, _view()),
    ):
        for change in changes:
            yield Planted(change, [_changed(one, change) if one["id"] == name else one for one in named.values()])


def _changed(one: Object, change: Change) -> Object:
    made = copy.deepcopy(dict(one))
    place: Any = made["attributes"]
    for step in change.path[:-1]:
        place = place[step]
    if change.value is _GONE:
        del place[change.path[-1]]
    else:
        place[change.path[-1]] = change.value
    return made


def _dashboard() -> Iterator[Change]:
    everything, nothing = "", "not event.id: *"
    unwanted = {"meta": {"negate": True, "disabled": False}, "query": {"exists": {"field": "event.id"}}}
    for query, filters in ((nothing, []), (everything, [unwanted])):
        source = json.dumps({"query": {"language": "kuery", "query": query}, "filter": filters})
        yield Change("filter", "of the dashboard", ("kibanaSavedObjectMeta", "searchSourceJSON"), source)
    yield Change("interval", "the dashboard begins later", ("timeFrom",), "now-3h")
    yield Change("interval", "the dashboard ends earlier", ("timeTo",), "now-3h")


def _view() -> Iterator[Change]:
    yield Change("field", "other records", ("title",), "logs-other-*")
    yield Change("field", "another time", ("timeFieldName",), "event.created")


def _list(found: Object) -> Iterator[Change]:
    attributes = found["attributes"]
    fields = attributes["columns"]
    for place, field in enumerate(fields):
        yield Change("field", f"without {field}", ("columns", place), _GONE)
        yield Change("field", f"instead of {field}", ("columns", place), next(one for one in _FIELDS if one != field))
    yield Change("order", "the oldest first", ("sort",), [["@timestamp", "asc"]])
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    for words, query in _wrong(source["query"]["query"]):
        made = json.dumps(source | {"query": source["query"] | {"query": query}})
        yield Change("filter", words, ("kibanaSavedObjectMeta", "searchSourceJSON"), made)


def _chart(found: Object) -> Iterator[Change]:
    attributes = found["attributes"]
    state = attributes["state"]
    ((layer, held),) = state["datasourceStates"]["formBased"]["layers"].items()
    at = ("state", "datasourceStates", "formBased", "layers", layer)
    for name, column in held["columns"].items():
        for change in _column(column):
            yield change._replace(words=f"{name}: {change.words}", path=(*at, "columns", name, *change.path))
    for words, query in _wrong(state["query"]["query"]):
        yield Change("filter", words, ("state", "query", "query"), query)
    order = held["columnOrder"]
    if len(order) > 2:
        yield Change("split", "the columns' order", (*at, "columnOrder"), [order[1], order[0], *order[2:]])
    yield from _shown(attributes["visualizationType"], state["visualization"])


def _column(column: Mapping[str, Any]) -> Iterator[Change]:
    operation, params = column["operationType"], column["params"]
    if operation == "date_histogram":
        for interval in _INTERVALS:
            if interval != params["interval"]:
                yield Change("interval", interval, ("params", "interval"), interval)
        yield Change("interval", "no empty spans", ("params", "includeEmptyRows"), False)
    elif operation == "filters":
        for place, one in enumerate(params["filters"]):
            for words, query in _wrong(one["input"]["query"]):
                yield Change("split", words, ("params", "filters", place, "input", "query"), query)
    elif operation == "terms":
        yield Change("split", "one alone", ("params", "size"), 1)
        other = {"asc": "desc", "desc": "asc"}[params["orderDirection"]]
        yield Change("order", f"{other} instead", ("params", "orderDirection"), other)
        if params["missingBucket"]:
            yield Change("split", "without what has no value", ("params", "missingBucket"), False)
    else:
        yield Change("measure", _MEASURES[operation], ("operationType",), _MEASURES[operation])
    if operation == "percentile":
        yield Change("measure", "another percentile", ("params", "percentile"), 20)
    if "filter" in column:
        for words, query in _wrong(column["filter"]["query"]):
            yield Change("filter", words, ("filter", "query"), query)
    if operation not in ("count", "filters"):
        numbers = column["dataType"] == "number" and operation != "unique_count"
        for field in _NUMBERS if numbers else _FIELDS:
            if field != column["sourceField"]:
                yield Change("field", field, ("sourceField",), field)


def _shown(kind: str, shown: Mapping[str, Any]) -> Iterator[Change]:
    at = ("state", "visualization")
    if kind == "lnsDatatable":
        yield Change("split", "the table's columns", (*at, "columns"), shown["columns"][::-1])
    if kind == "lnsPie":
        yield Change("split", "no slices", (*at, "layers", 0, "primaryGroups"), [])
        yield Change("measure", "values for percents", (*at, "layers", 0, "numberDisplay"), "value")
    if kind == "lnsXY":
        layer = shown["layers"][0]
        if "splitAccessor" in layer:
            exchanged = layer | {"xAccessor": layer["splitAccessor"], "splitAccessor": layer["xAccessor"]}
            yield Change("split", "exchanged with x", (*at, "layers", 0), exchanged)
            yield Change("split", "none", (*at, "layers", 0, "splitAccessor"), _GONE)
        if len(layer["accessors"]) > 1:
            yield Change("measure", "exchanged", (*at, "layers", 0, "accessors"), layer["accessors"][::-1])


def _wrong(query: str) -> Iterator[tuple[str, str]]:
    """The query with each of its conditions turned round, about another value and about another field; and none."""
    for found in _CONDITION.finditer(query):
        for condition in (f"not {found[0]}", f'{found["field"]}: "another"', f"skerry.nothing: {found['value']}"):
            yield condition, query[: found.start()] + condition + query[found.end() :]
    yield "no condition", ""
