"""Kibana's Lens charts: which aggregations one asks for, and what it shows of the answer.

Read whole: whatever a chart says beyond what is read here is refused (`Unknown`), so that nothing which would change
the picture is passed over. What only changes how it looks is named where it is read.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from .kql import Query, to_query

Row = tuple[Any, ...]
Column = Mapping[str, Any]
Search = Callable[[dict[str, Any]], dict[str, Any]]
"""Asks for aggregations of the records that a panel is about; gives the answer's body."""

OTHER: Final = "Other"
MISSING: Final = "(missing value)"
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MISSING_KEY: Final = "__missing__"
_MOST_SPANS: Final = 1000
"""Beyond these Kibana makes a histogram's spans longer, its `histogram:maxBars`."""
_MEASURES: Final = {"average": "avg", "max": "max", "min": "min", "sum": "sum", "unique_count": "cardinality"}
_LOOKS: Final = {"label", "customLabel", "scale", "dataType"}
"""What of a column changes no number."""
_OF_XY: Final = {"layerId", "layerType", "seriesType", "xAccessor", "splitAccessor", "accessors"}
_OF_PIE: Final = {
    "layerId",
    "layerType",
    "primaryGroups",
    "metrics",
    "numberDisplay",
    "categoryDisplay",
    "legendDisplay",
    "nestedLegend",
}


class Unknown(ValueError):
    """A saved object says something that is not read here; the words say what."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a panel shows: the labels of its columns, and its rows in their order. Times are milliseconds."""

    columns: tuple[str, ...]
    rows: list[Row]


@dataclasses.dataclass(frozen=True)
class Span:
    """Of which time, in milliseconds, and by whose clock."""

    begin: int
    end: int
    zone: str


class Chart:
    """The chart in a saved object's attributes. Unknown."""

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        only("a chart", attributes, {"title", "description", "visualizationType", "state"})
        state = attributes["state"]
        empty = {"internalReferences", "adHocDataViews"}
        only("a chart", state, {"datasourceStates", "visualization", "query", "filters", *empty}, empty=empty)
        only("a chart", state["datasourceStates"], {"formBased"})
        only("a chart", state["datasourceStates"]["formBased"], {"layers"})
        ((self.layer, held),) = state["datasourceStates"]["formBased"]["layers"].items()
        only(self.layer, held, {"columnOrder", "columns", "incompleteColumns"}, empty={"incompleteColumns"})
        if sorted(held["columnOrder"]) != sorted(held["columns"]):
            raise Unknown(f"the order {held['columnOrder']} of the columns {list(held['columns'])}")
        self.source: Mapping[str, Any] = {"query": state["query"], "filter": state["filters"]}
        """Of which records."""
        self._columns: dict[str, Column] = {name: held["columns"][name] for name in held["columnOrder"]}
        kind, shown = attributes["visualizationType"], state["visualization"]
        self._places = _places(kind, shown, self.layer)
        self._in_percent = kind == "lnsPie" and shown["layers"][0]["numberDisplay"] == "percent"
        if sorted(self._places) != sorted(self._columns):
            raise Unknown(f"shows {self._places} of the columns {list(self._columns)}")
        self._groups = [name for name, column in self._columns.items() if column["isBucketed"]]
        if self._groups != list(self._columns)[: len(self._groups)]:
            raise Unknown(f"the columns {list(self._columns)}: what groups comes first")
        for name in self._groups[1:]:
            if self._columns[name]["params"].get("otherBucket"):
                raise Unknown(f"{name}: others within another column's groups")

    def show(self, search: Search, span: Span) -> Answer:
        """What it shows of the records that are found. Unknown."""
        rows = [tuple(values[place] for place in self._places) for values in self._values(search, span)]
        labels = tuple(self._columns[place]["label"] for place in self._places)
        if self._in_percent:
            together = sum(row[-1] for row in rows) or 1
            return Answer((*labels, "%"), [(*row, round(100 * row[-1] / together, 2)) for row in rows])
        return Answer(labels, rows)

    def _values(self, search: Search, span: Span) -> list[dict[str, Any]]:
        """The columns' values, for each of the innermost groups."""
        found = search(self._aggregations(span))
        values = list(self._read(self._groups, found))
        if not self._groups or not self._columns[self._groups[0]]["params"].get("otherBucket"):
            return values
        outermost = self._groups[0]
        keys = [bucket["key"] for bucket in found["aggregations"][outermost]["buckets"]]
        rest = search(self._aggregations(span, _rest(self._columns[outermost], keys)))
        others = rest["aggregations"][outermost]["buckets"][0]["doc_count"]
        return values + (list(self._read(self._groups, rest)) if others else [])

    def _aggregations(self, span: Span, outermost: Query | None = None) -> Query:
        """One in the other as the columns stand; `outermost` instead of the first."""
        measures = [name for name in self._columns if name not in self._groups]
        made: Query = {name: query for name in measures if (query := _measure(name, self._columns[name])) is not None}
        for name in reversed(self._groups):
            group = outermost if outermost and name == self._groups[0] else self._group(name, span)
            made = {name: {**group, "aggs": {**self._ranking(name), **made}}}
        return made

    def _ranking(self, name: str) -> Query:
        """What a group's names are ordered by, where that is measured: it must stand in the group itself."""
        by = self._columns[name]["params"].get("orderBy", {}).get("columnId", "")
        query = _measure(by, self._columns[by]) if by in self._columns and by not in self._groups else None
        return {} if query is None else {by: query}

    def _group(self, name: str, span: Span) -> Query:
        column = self._columns[name]
        operation, params = column["operationType"], column["params"]
        only(name, column, {*_LOOKS, "operationType", "sourceField", "isBucketed", "params"})
        if operation == "filters":
            return _filters(name, params)
        if operation == "date_histogram":
            return {"date_histogram": _histogram(name, column, span)}
        if operation != "terms":
            raise Unknown(f"{name}: groups by {operation}")
        only(name, params, {"size", "orderBy", "orderDirection", "otherBucket", "missingBucket", "parentFormat"})
        terms = {
            "field": column["sourceField"],
            "size": params["size"],
            "order": {_order(self._columns, params["orderBy"]): params["orderDirection"]},
        }
        return {"terms": terms | ({"missing": _MISSING_KEY} if params["missingBucket"] else {})}

    def _read(self, groups: Sequence[str], found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The columns' values of an answer, or of one of its groups."""
        count = found["hits"]["total"]["value"] if "hits" in found else found["doc_count"]
        held = found.get("aggregations", {}) if "hits" in found else found
        if not groups:
            measures = [name for name in self._columns if name not in self._groups]
            yield {name: _value(name, self._columns[name], count, held) for name in measures}
            return
        for bucket in held[groups[0]]["buckets"]:
            key = MISSING if bucket["key"] == _MISSING_KEY else bucket["key"]
            for values in self._read(groups[1:], bucket):
                yield {groups[0]: key, **values}


def only(where: str, given: Mapping[str, Any], known: Collection[str], *, empty: Collection[str] = ()) -> None:
    """Refuse what has other keys than these, or anything under those that are to be empty. Unknown."""
    if more := set(given) - set(known):
        raise Unknown(f"{where}: {', '.join(sorted(more))}")
    if full := [name for name in empty if given.get(name)]:
        raise Unknown(f"{where}: {', '.join(full)}")


def kql(query: Mapping[str, Any]) -> Query:
    """A saved query. Unknown, NotKql."""
    only("a query", query, {"language", "query"})
    if query["language"] != "kuery":
        raise Unknown(f"a query in {query['language']}")
    return to_query(query["query"])


def _places(kind: str, shown: Mapping[str, Any], layer: str) -> list[str]:
    """Which columns it shows, in the order in which one reads it: what it is over, its split, its numbers."""
    own = shown
    if kind == "lnsMetric":
        only(kind, shown, {"layerId", "layerType", "metricAccessor"})
        places = [shown["metricAccessor"]]
    elif kind == "lnsDatatable":
        only(kind, shown, {"layerId", "layerType", "columns", "paging"})
        for column in shown["columns"]:
            only(kind, column, {"columnId"})
        places = [column["columnId"] for column in shown["columns"]]
    elif kind == "lnsPie":
        only(kind, shown, {"shape", "layers"})
        (own,) = shown["layers"]
        only(kind, own, _OF_PIE)
        places = [*own["primaryGroups"], *own["metrics"]]
    elif kind == "lnsXY":
        only(kind, shown, {"legend", "valueLabels", "fittingFunction", "preferredSeriesType", "layers"})
        (own,) = shown["layers"]
        only(kind, own, _OF_XY)
        places = [own["xAccessor"], *([own["splitAccessor"]] if "splitAccessor" in own else []), *own["accessors"]]
    else:
        raise Unknown(f"a chart of type {kind}")
    if own["layerType"] != "data" or own["layerId"] != layer:
        raise Unknown(f"{kind}: a layer {own['layerId']} of {own['layerType']}")
    return places


def _filters(name: str, params: Mapping[str, Any]) -> Query:
    only(name, params, {"filters"})
    for one in params["filters"]:
        only(name, one, {"label", "input"})
    # Elasticsearch has them by the alphabet, in whichever order they are asked for.
    return {"filters": {"keyed": False, "filters": {one["label"]: kql(one["input"]) for one in params["filters"]}}}


def _histogram(name: str, column: Column, span: Span) -> Query:
    params = column["params"]
    only(name, params, {"interval", "includeEmptyRows", "dropPartials"}, empty={"dropPartials"})
    found = re.fullmatch(r"(\d+)([smhdw])", params["interval"])
    if found is None:
        raise Unknown(f"{name}: the interval {params['interval']}")
    count, unit = int(found[1]), found[2]
    if (span.end - span.begin) / (1000 * count * UNITS[unit]) > _MOST_SPANS:
        raise Unknown(f"{name}: so many spans that Kibana makes them longer")
    by_calendar = unit == "w" or (count == 1 and unit != "s")
    histogram = {
        "field": column["sourceField"],
        "calendar_interval" if by_calendar else "fixed_interval": params["interval"],
        "time_zone": span.zone,
    }
    if params["includeEmptyRows"]:
        return histogram | {"min_doc_count": 0, "extended_bounds": {"min": span.begin, "max": span.end}}
    return histogram | {"min_doc_count": 1}


def _order(columns: Mapping[str, Column], by: Mapping[str, Any]) -> str:
    if by == {"type": "alphabetical"}:
        return "_key"
    only("the order", by, {"type", "columnId"})
    column = columns.get(by["columnId"])
    if by["type"] != "column" or column is None or column["isBucketed"] or "filter" in column:
        raise Unknown(f"an order by {by}")
    if column["operationType"] == "count":
        return "_count"
    if column["operationType"] in _MEASURES:
        return str(by["columnId"])
    raise Unknown(f"an order by {column['operationType']}")


def _rest(column: Column, keys: Sequence[Any]) -> Query:
    """All that is in none of these groups, as one."""
    field = column["sourceField"]
    wanted: list[Query] = []
    if not column["params"]["missingBucket"] or _MISSING_KEY in keys:
        wanted.append({"exists": {"field": field}})
    unwanted = [{"match_phrase": {field: key}} for key in keys if key != _MISSING_KEY]
    return {"filters": {"keyed": False, "filters": {OTHER: {"bool": {"filter": wanted, "must_not": unwanted}}}}}


def _measure(name: str, column: Column) -> Query | None:
    """The aggregation of a column that measures; None for the count, which every group has."""
    only(name, column, {*_LOOKS, "operationType", "sourceField", "isBucketed", "params", "filter"})
    operation, params, field = column["operationType"], column["params"], column["sourceField"]
    known = {"percentile": {"percentile"}, "last_value": {"sortField", "showArrayValues"}}
    only(name, params, known.get(operation, set()))
    made: Query | None
    if operation == "count":
        if field != "___records___":
            raise Unknown(f"{name}: counts {field}")
        made = None
    elif operation in _MEASURES:
        made = {_MEASURES[operation]: {"field": field}}
    elif operation in ("median", "percentile"):
        made = {"percentiles": {"field": field, "percents": [params.get("percentile", 50)], "keyed": False}}
    elif operation == "last_value" and params["showArrayValues"] is True:
        newest = [{params["sortField"]: {"order": "desc"}}]
        made = {"top_hits": {"size": 1, "sort": newest, "fields": [field], "_source": False}}
    else:
        raise Unknown(f"{name}: measures {operation} with {params}")
    if "filter" in column:
        return {"filter": kql(column["filter"]), **({"aggs": {name: made}} if made else {})}
    return made


def _value(name: str, column: Column, count: int, found: Mapping[str, Any]) -> Any:
    """A measure's value in a group of `count` records; None where there is none."""
    if "filter" in column:
        found = found[name]
        count = found["doc_count"]
    if column["operationType"] == "count":
        return count
    own = found[name]
    if "hits" in own:
        hits = own["hits"]["hits"]
        return ", ".join(map(str, hits[0]["fields"].get(column["sourceField"], []))) if hits else None
    value = own["values"][0]["value"] if "values" in own else own["value"]
    return int(value) if column["dataType"] == "date" and value is not None else value
