"""What a dashboard of Kibana asks of Elasticsearch, and shows of the answer: any panel of a file of saved objects.

The questions are those that Kibana makes of the same panel, as its source has them; no panel is known here by its name.
Whatever a panel, its dashboard or its data view says beyond what is read here is refused (`Unknown`), so that nothing
that would change a picture is passed over. What only changes how a picture looks is named where it is read.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .kql import Query, to_query

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Searches what a data view's pattern names, with the body of a request; gives the answer's body."""
Object = Mapping[str, Any]
Row = tuple[Any, ...]

OTHER: Final = "Other"
MISSING: Final = "(missing value)"
_MISSING_KEY: Final = "__missing__"
_SAMPLE: Final = 500
"""Records of a list, Kibana's `discover:sampleSize`."""
_MOST_SPANS: Final = 1000
"""Beyond these Kibana makes a histogram's spans longer, its `histogram:maxBars`."""
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_MEASURES: Final = {"average": "avg", "max": "max", "min": "min", "sum": "sum", "unique_count": "cardinality"}
_LOOKS: Final = {"label", "customLabel", "scale", "dataType"}
"""What of a column changes no number."""


class Unknown(Exception):
    """A saved object says something that is not read here; the words say what."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a panel shows: the labels of its columns, and its rows in their order. Times are milliseconds."""

    columns: tuple[str, ...]
    rows: list[Row]


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What every question of a panel has in common."""

    pattern: str
    query: Query
    begin: int
    end: int


class Kibana:
    """A file's objects, shown to somebody whose clock is that of `zone`, at `now`."""

    def __init__(self, objects: Iterable[Object], ask: Ask, *, now: datetime, zone: str = "UTC") -> None:
        self._objects = {(one["type"], one["id"]): one for one in objects}
        self._ask = ask
        self._now = now.astimezone(UTC)
        self._zone = zone

    def panels(self) -> Iterator[tuple[str, str]]:
        """Each dashboard's id with that of each of its panels."""
        for kind, name in self._objects:
            if kind == "dashboard":
                for panel in self._places(name):
                    yield name, panel

    def show(self, dashboard: str, panel: str) -> Answer:
        """What this panel shows on this dashboard, in the span that the dashboard begins with. Unknown, NotKql."""
        kind = self._places(dashboard)[panel]
        shown, on = self._objects[kind, panel], self._objects["dashboard", dashboard]["attributes"]
        begin, end = (self._moment(on[border]) for border in ("timeFrom", "timeTo"))
        around = _search_source(on["kibanaSavedObjectMeta"])
        if kind == "search":
            attributes = shown["attributes"]
            own = _search_source(attributes["kibanaSavedObjectMeta"], "indexRefName")
            view = self._view(shown, own["indexRefName"])
            return self._list(attributes, self._asked(view, begin, end, own, around), view["timeFieldName"])
        state, layer, columns = _lens(shown["attributes"])
        view = self._view(shown, f"indexpattern-datasource-layer-{layer}")
        asked = self._asked(view, begin, end, {"query": state["query"], "filter": state["filters"]}, around)
        places = _places(shown["attributes"]["visualizationType"], state["visualization"], layer)
        if sorted(places) != sorted(columns):
            raise Unknown(f"{panel}: shows {places} of the columns {list(columns)}")
        values = [tuple(found[place] for place in places) for found in self._values(asked, columns)]
        labels = tuple(columns[place]["label"] for place in places)
        if _in_percent(shown["attributes"]["visualizationType"], state["visualization"]):
            together = sum(row[-1] for row in values)
            return Answer((*labels, "%"), [(*row, round(100 * row[-1] / together, 2)) for row in values])
        return Answer(labels, values)

    def _places(self, dashboard: str) -> dict[str, str]:
        """The types of its panels by their ids."""
        found = self._objects["dashboard", dashboard]
        attributes = found["attributes"]
        _only(dashboard, attributes, {
            "title", "description", "panelsJSON", "optionsJSON", "timeRestore", "timeFrom", "timeTo",
            "refreshInterval", "version", "kibanaSavedObjectMeta",
        })  # fmt: skip
        if attributes["timeRestore"] is not True:
            raise Unknown(f"{dashboard}: no span of its own")
        by_name = {one["name"]: one for one in found["references"]}
        places: dict[str, str] = {}
        for panel in json.loads(attributes["panelsJSON"]):
            _only(dashboard, panel, {"type", "panelIndex", "panelRefName", "gridData", "embeddableConfig"})
            _only(dashboard, panel["embeddableConfig"], {"enhancements"}, empty={"enhancements"})
            reference = by_name[f"{panel['panelIndex']}:{panel['panelRefName']}"]
            if reference["type"] != panel["type"] or panel["type"] not in ("lens", "search"):
                raise Unknown(f"{dashboard}: a panel of type {panel['type']}")
            places[reference["id"]] = panel["type"]
        return places

    def _view(self, shown: Object, reference: str) -> Mapping[str, Any]:
        """The data view that a panel means by this reference."""
        (target,) = (one for one in shown["references"] if one["name"] == reference)
        view: Mapping[str, Any] = self._objects[target["type"], target["id"]]["attributes"]
        _only(target["id"], view, {"title", "name", "timeFieldName", "allowNoIndex"})
        return view

    def _asked(
        self, view: Mapping[str, Any], begin: datetime, end: datetime, *sources: Mapping[str, Any]
    ) -> _Asked:
        borders = {"gte": _text(begin), "lte": _text(end), "format": "strict_date_optional_time"}
        wanted: list[Query] = [{"range": {view["timeFieldName"]: borders}}]
        unwanted: list[Query] = []
        for source in sources:
            wanted.append(_kql(source["query"]))
            for one in source["filter"]:
                if not one["meta"].get("disabled"):
                    (unwanted if one["meta"].get("negate") else wanted).append(one["query"])
        query = {"bool": {"filter": wanted, "must_not": unwanted}}
        return _Asked(view["title"], query, _milliseconds(begin), _milliseconds(end))

    def _moment(self, text: str) -> datetime:
        found = re.fullmatch(r"now(?:-(\d+)([smhdw]))?", text)
        if found is None:
            raise Unknown(f"the time {text}")
        return self._now - timedelta(seconds=int(found[1] or 0) * _UNITS[found[2] or "s"])

    def _list(self, attributes: Mapping[str, Any], asked: _Asked, time: str) -> Answer:
        _only("a list", attributes, {"title", "description", "columns", "sort", "kibanaSavedObjectMeta"})
        fields = attributes["columns"]
        answer = self._ask(asked.pattern, {
            "size": _SAMPLE,
            "query": asked.query,
            "sort": [{field: {"order": order}} for field, order in attributes["sort"]],
            "fields": [{"field": time, "format": "epoch_millis"}, *fields],
            "_source": False,
        })  # fmt: skip
        return Answer((time, *fields), [_fields(hit, time, fields) for hit in answer["hits"]["hits"]])

    def _values(self, asked: _Asked, columns: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The columns' values, for each of the innermost groups."""
        order = list(columns)
        grouped = [name for name in order if columns[name]["isBucketed"]]
        if grouped != order[: len(grouped)]:
            raise Unknown(f"the columns {order}: what groups comes first")
        for inner in grouped[1:]:
            if columns[inner].get("params", {}).get("otherBucket"):
                raise Unknown(f"{inner}: others within another column's groups")
        found = self._search(asked, columns, grouped, None)
        outermost = columns[grouped[0]] if grouped else None
        if outermost is None or not outermost.get("params", {}).get("otherBucket"):
            return list(_read(columns, grouped, found))
        keys = [bucket["key"] for bucket in found[grouped[0]]["buckets"]]
        rest = self._search(asked, columns, grouped, _rest(outermost, keys))
        others = rest[grouped[0]]["buckets"][0]["doc_count"]
        return [*_read(columns, grouped, found), *(_read(columns, grouped, rest) if others else ())]

    def _search(
        self, asked: _Asked, columns: Mapping[str, Any], grouped: Sequence[str], outermost: Query | None
    ) -> dict[str, Any]:
        """The aggregations' answer, with the count of all in it. `outermost` is asked instead of that column."""
        measures = [name for name in columns if name not in grouped]
        aggregations = {name: made for name in measures if (made := _measure(name, columns[name])) is not None}
        for name in reversed(grouped):
            made = outermost if outermost is not None and name == grouped[0] else self._group(asked, columns, name)
            aggregations = {name: {**made, "aggs": aggregations}}
        answer = self._ask(
            asked.pattern, {"size": 0, "track_total_hits": True, "query": asked.query, "aggs": aggregations}
        )
        return {"doc_count": answer["hits"]["total"]["value"], **answer.get("aggregations", {})}

    def _group(self, asked: _Asked, columns: Mapping[str, Any], name: str) -> Query:
        column = columns[name]
        operation, params = column["operationType"], column["params"]
        _only(name, column, {*_LOOKS, "operationType", "sourceField", "isBucketed", "params"})
        if operation == "filters":
            _only(name, params, {"filters"})
            labelled = {one["label"]: _kql(one["input"]) for one in params["filters"]}
            # A list, so that the groups keep their order.
            return {"filters": {"keyed": False, "filters": labelled}}
        if operation == "date_histogram":
            return {"date_histogram": self._histogram(asked, name, column)}
        if operation != "terms":
            raise Unknown(f"{name}: groups by {operation}")
        _only(name, params, {
            "size", "orderBy", "orderDirection", "otherBucket", "missingBucket", "parentFormat",
        })  # fmt: skip
        terms = {
            "field": column["sourceField"],
            "size": params["size"],
            "order": {_order(columns, params["orderBy"]): params["orderDirection"]},
        }
        return {"terms": terms | ({"missing": _MISSING_KEY} if params["missingBucket"] else {})}

    def _histogram(self, asked: _Asked, name: str, column: Mapping[str, Any]) -> Query:
        params = column["params"]
        _only(name, params, {"interval", "includeEmptyRows", "dropPartials"}, empty={"dropPartials"})
        found = re.fullmatch(r"(\d+)([smhdw])", params["interval"])
        if found is None:
            raise Unknown(f"{name}: the interval {params['interval']}")
        count, unit = int(found[1]), found[2]
        if (asked.end - asked.begin) / (1000 * count * _UNITS[unit]) > _MOST_SPANS:
            raise Unknown(f"{name}: so many spans that Kibana makes them longer")
        by_calendar = unit == "w" or (count == 1 and unit != "s")
        histogram: Query = {
            "field": column["sourceField"],
            "calendar_interval" if by_calendar else "fixed_interval": params["interval"],
            "time_zone": self._zone,
            "min_doc_count": 1,
        }
        if params["includeEmptyRows"]:
            histogram |= {"min_doc_count": 0, "extended_bounds": {"min": asked.begin, "max": asked.end}}
        return histogram


def _search_source(meta: Mapping[str, Any], *more: str) -> dict[str, Any]:
    _only("a search", meta, {"searchSourceJSON"})
    source: dict[str, Any] = json.loads(meta["searchSourceJSON"])
    _only("a search", source, {"query", "filter", *more})
    return source


def _lens(attributes: Mapping[str, Any]) -> tuple[Mapping[str, Any], str, dict[str, Any]]:
    """A chart's state, its one layer's name, and that layer's columns in their order."""
    _only("a chart", attributes, {"title", "description", "visualizationType", "state"})
    state = attributes["state"]
    _only("a chart", state, {
        "datasourceStates", "visualization", "query", "filters", "internalReferences", "adHocDataViews",
    }, empty={"internalReferences", "adHocDataViews"})  # fmt: skip
    _only("a chart", state["datasourceStates"], {"formBased"})
    ((name, layer),) = state["datasourceStates"]["formBased"]["layers"].items()
    _only(name, layer, {"columnOrder", "columns", "incompleteColumns"}, empty={"incompleteColumns"})
    if sorted(layer["columnOrder"]) != sorted(layer["columns"]):
        raise Unknown(f"the order {layer['columnOrder']} of the columns {list(layer['columns'])}")
    return state, name, {column: layer["columns"][column] for column in layer["columnOrder"]}


def _places(kind: str, shown: Mapping[str, Any], layer: str) -> list[str]:
    """Which columns a chart shows, in the order in which one reads it: what it is over, what it is split by, numbers."""
    if kind == "lnsMetric":
        _only(kind, shown, {"layerId", "layerType", "metricAccessor"})
        own, places = shown, [shown["metricAccessor"]]
    elif kind == "lnsDatatable":
        _only(kind, shown, {"layerId", "layerType", "columns", "paging"})
        own, places = shown, [column["columnId"] for column in shown["columns"]]
    elif kind == "lnsPie":
        _only(kind, shown, {"shape", "layers"})
        (own,) = shown["layers"]
        _only(kind, own, {
            "layerId", "layerType", "primaryGroups", "metrics", "numberDisplay", "categoryDisplay",
            "legendDisplay", "nestedLegend",
        })  # fmt: skip
        places = [*own["primaryGroups"], *own["metrics"]]
    elif kind == "lnsXY":
        _only(kind, shown, {"legend", "valueLabels", "fittingFunction", "preferredSeriesType", "layers"})
        (own,) = shown["layers"]
        _only(kind, own, {"layerId", "layerType", "seriesType", "xAccessor", "splitAccessor", "accessors"})
        places = [own["xAccessor"], *([own["splitAccessor"]] if "splitAccessor" in own else []), *own["accessors"]]
    else:
        raise Unknown(f"a chart of type {kind}")
    if own["layerType"] != "data" or own["layerId"] != layer:
        raise Unknown(f"{kind}: a layer {own['layerId']} of {own['layerType']}")
    return places


def _in_percent(kind: str, shown: Mapping[str, Any]) -> bool:
    return kind == "lnsPie" and shown["layers"][0]["numberDisplay"] == "percent"


def _measure(name: str, column: Mapping[str, Any]) -> Query | None:
    """The aggregation of a column that measures; None for the count, which every group has."""
    _only(name, column, {*_LOOKS, "operationType", "sourceField", "isBucketed", "params", "filter"})
    operation, params, field = column["operationType"], column["params"], column["sourceField"]
    made: Query | None
    if operation == "count":
        _only(name, params, set())
        if field != "___records___":
            raise Unknown(f"{name}: counts {field}")
        made = None
    elif operation in _MEASURES:
        _only(name, params, set())
        made = {_MEASURES[operation]: {"field": field}}
    elif operation in ("median", "percentile"):
        _only(name, params, {"percentile"} if operation == "percentile" else set())
        made = {"percentiles": {"field": field, "percents": [params.get("percentile", 50)], "keyed": False}}
    elif operation == "last_value":
        _only(name, params, {"sortField", "showArrayValues"})
        if params["showArrayValues"] is not True:
            raise Unknown(f"{name}: a last value that is no list")
        newest = [{params["sortField"]: {"order": "desc"}}]
        made = {"top_hits": {"size": 1, "sort": newest, "fields": [field], "_source": False}}
    else:
        raise Unknown(f"{name}: measures {operation}")
    if "filter" in column:
        return {"filter": _kql(column["filter"]), **({"aggs": {name: made}} if made else {})}
    return made


def _order(columns: Mapping[str, Any], by: Mapping[str, Any]) -> str:
    _only("the order", by, {"type", "columnId"})
    column = columns.get(by["columnId"])
    if by["type"] != "column" or column is None or column["isBucketed"] or "filter" in column:
        raise Unknown(f"an order by {by}")
    if column["operationType"] == "count":
        return "_count"
    if column["operationType"] in _MEASURES:
        return str(by["columnId"])
    raise Unknown(f"an order by {column['operationType']}")


def _rest(column: Mapping[str, Any], keys: list[Any]) -> Query:
    """All that is in none of these groups, as one."""
    field = column["sourceField"]
    wanted: list[Query] = []
    if not column["params"]["missingBucket"] or _MISSING_KEY in keys:
        wanted.append({"exists": {"field": field}})
    unwanted = [{"match_phrase": {field: key}} for key in keys if key != _MISSING_KEY]
    return {"filters": {"keyed": False, "filters": {OTHER: {"bool": {"filter": wanted, "must_not": unwanted}}}}}


def _read(
    columns: Mapping[str, Any], grouped: Sequence[str], found: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The columns' values of an answer, group by group."""
    if not grouped:
        measures = [name for name in columns if not columns[name]["isBucketed"]]
        yield {name: _value(name, columns[name], found) for name in measures}
        return
    name, inner = grouped[0], grouped[1:]
    for bucket in found[name]["buckets"]:
        key = MISSING if bucket["key"] == _MISSING_KEY else bucket["key"]
        for values in _read(columns, inner, bucket):
            yield {name: key, **values}


def _value(name: str, column: Mapping[str, Any], found: Mapping[str, Any]) -> Any:
    """A measure's value in a group; None where there is none."""
    if "filter" in column:
        found = found[name]
    if column["operationType"] == "count":
        return found["doc_count"]
    own = found[name]
    if "hits" in own:
        hits = own["hits"]["hits"]
        return ", ".join(map(str, hits[0]["fields"].get(column["sourceField"], []))) if hits else None
    value = own["values"][0]["value"] if "values" in own else own["value"]
    return int(value) if column["dataType"] == "date" and value is not None else value


def _fields(hit: Mapping[str, Any], time: str, fields: Sequence[str]) -> Row:
    given = hit["fields"]
    values = (given.get(field, [None]) for field in fields)
    return (int(given[time][0]), *(value[0] if len(value) == 1 else tuple(value) for value in values))


def _kql(query: Mapping[str, Any]) -> Query:
    _only("a query", query, {"language", "query"})
    if query["language"] != "kuery":
        raise Unknown(f"a query in {query['language']}")
    return to_query(query["query"])


def _only(where: str, given: Mapping[str, Any], known: Collection[str], *, empty: Collection[str] = ()) -> None:
    """Refuse what has other keys than these, or anything under those that are to be empty."""
    if more := set(given) - set(known):
        raise Unknown(f"{where}: {', '.join(sorted(more))}")
    if full := [name for name in empty if given.get(name)]:
        raise Unknown(f"{where}: {', '.join(full)}")


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
