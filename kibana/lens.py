"""Panels as Kibana keeps them: Lens charts over columns that one can read, and lists of records.

A panel asks one question of the records: which (`query`, in Kibana's language KQL), in what groups, and what of each
group. Columns that group are `every`, `top` and `groups`; the others measure.

A chart's columns are nested in the order in which they stand in its layer, the outermost first. A split stands before
the time it is shown over, so that its names are the most frequent of the whole span and not of each hour.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

DATA_VIEW: Final = "skerry-logs"
TIME: Final = "@timestamp"
SERIES: Final = "skerry.series"
"""A field that no record has: the data view makes it of a measurement's device and field."""
_LAYER: Final = "records"

Column: TypeAlias = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Panel:
    """What one place of a dashboard shows."""

    name: str
    """Its id in Kibana."""
    title: str
    kind: str
    """Its type in Kibana: `lens` or `search`."""
    attributes: dict[str, Any]
    reference: str
    """Under which name it refers to its data view."""


# Columns that group.


def every(interval: str) -> Column:
    """Spans of time of this length, empty ones too."""
    params = {"interval": interval, "includeEmptyRows": True, "dropPartials": False}
    return _column("Time", "date", "date_histogram", TIME, params, grouped=True, scale="interval")


def top(field: str, label: str, *, most: int = 10, others: bool = True, none: bool = False) -> Column:
    """The values of a field with the highest first measure; `others`: the rest together, `none`: what has none."""
    return _named(field, label, {"type": "column", "columnId": ""}, "desc", most, others=others, none=none)


def each(field: str, label: str, *, most: int) -> Column:
    """The values of a field by the alphabet."""
    return _named(field, label, {"type": "alphabetical"}, "asc", most, others=False, none=False)


def _named(
    field: str, label: str, by: dict[str, str], direction: str, most: int, *, others: bool, none: bool
) -> Column:
    params: dict[str, Any] = {
        "size": most,
        "orderBy": by,
        "orderDirection": direction,
        "otherBucket": others,
        "missingBucket": none,
        "parentFormat": {"id": "terms"},
    }
    return _column(label, "string", "terms", field, params, grouped=True, scale="ordinal")


def groups(label: str, queries: Mapping[str, str]) -> Column:
    """Groups by name, each what its query finds."""
    filters = [{"label": name, "input": _kql(query)} for name, query in queries.items()]
    return {
        "label": label,
        "customLabel": True,
        "dataType": "string",
        "operationType": "filters",
        "isBucketed": True,
        "scale": "ordinal",
        "params": {"filters": filters},
    }


# Columns that measure.


def count(label: str, *, where: str = "") -> Column:
    """How many records; `where`: only those."""
    return _column(label, "number", "count", "___records___", {}, where=where)


def distinct(field: str, label: str) -> Column:
    return _column(label, "number", "unique_count", field, {})


def average(field: str, label: str, *, where: str = "") -> Column:
    """`where`: of those records alone."""
    return _column(label, "number", "average", field, {}, where=where)


def median(field: str, label: str) -> Column:
    return _column(label, "number", "median", field, {})


def percentile(field: str, percent: int, label: str) -> Column:
    return _column(label, "number", "percentile", field, {"percentile": percent})


def highest(field: str, label: str, *, kind: str = "number") -> Column:
    return _column(label, kind, "max", field, {})


def last(field: str, label: str, *, kind: str = "string") -> Column:
    """The value of the newest record that has one. As a list, which every release asks for in the same way."""
    params = {"sortField": TIME, "showArrayValues": True}
    scale = "ordinal" if kind == "string" else "ratio"
    return _column(label, kind, "last_value", field, params, scale=scale, where=f"{field}: *")


# Panels.


def bars(
    name: str,
    title: str,
    query: str,
    *,
    x: Column,
    y: Sequence[Column],
    split: Column | None = None,
    lying: bool = False,
) -> Panel:
    """Bars, stacked where they are split; `lying` for names."""
    return _chart(name, title, query, "bar_horizontal_stacked" if lying else "bar_stacked", x, y, split)


def lines(name: str, title: str, query: str, *, x: Column, y: Sequence[Column], split: Column | None = None) -> Panel:
    return _chart(name, title, query, "line", x, y, split)


def pie(name: str, title: str, query: str, *, slices: Column, size: Column) -> Panel:
    """Shares in percent."""
    layer = {
        "layerId": _LAYER,
        "layerType": "data",
        "primaryGroups": ["slices"],
        "metrics": ["size"],
        "numberDisplay": "percent",
        "categoryDisplay": "default",
        "legendDisplay": "default",
        "nestedLegend": False,
    }
    return _lens(name, title, query, "lnsPie", {"shape": "pie", "layers": [layer]}, {"slices": slices, "size": size})


def number(name: str, title: str, query: str, *, of: Column) -> Panel:
    """One number."""
    shown = {"layerId": _LAYER, "layerType": "data", "metricAccessor": "number"}
    return _lens(name, title, query, "lnsMetric", shown, {"number": of})


def table(name: str, title: str, query: str, *, columns: Sequence[Column]) -> Panel:
    """A row for each group; grouping columns first."""
    named = {f"column{place}": column for place, column in enumerate(columns, 1)}
    shown = {
        "layerId": _LAYER,
        "layerType": "data",
        "columns": [{"columnId": column} for column in named],
        "paging": {"size": 10, "enabled": True},
    }
    return _lens(name, title, query, "lnsDatatable", shown, named)


def records(name: str, title: str, query: str, *, fields: Sequence[str]) -> Panel:
    """The records themselves, the newest first; beside their time these fields of each."""
    reference = "kibanaSavedObjectMeta.searchSourceJSON.index"
    source = {"query": _kql(query), "filter": [], "indexRefName": reference}
    attributes = {
        "title": title,
        "description": "",
        "columns": list(fields),
        "sort": [[TIME, "desc"]],
        "kibanaSavedObjectMeta": {"searchSourceJSON": source},
    }
    return Panel(name, title, "search", attributes, reference)


def _chart(
    name: str, title: str, query: str, series: str, x: Column, y: Sequence[Column], split: Column | None
) -> Panel:
    measures = {f"y{place}": column for place, column in enumerate(y, 1)}
    layer: dict[str, Any] = {
        "layerId": _LAYER,
        "layerType": "data",
        "seriesType": series,
        "xAccessor": "x",
        "accessors": list(measures),
    }
    columns = {"x": x}
    if split is not None:
        layer["splitAccessor"] = "split"
        over_time = x["operationType"] == "date_histogram"
        columns = {"split": split, "x": x} if over_time else {"x": x, "split": split}
    shown = {
        "legend": {"isVisible": True, "position": "right"},
        "valueLabels": "hide",
        "fittingFunction": "None",
        "preferredSeriesType": series,
        "layers": [layer],
    }
    return _lens(name, title, query, "lnsXY", shown, columns | measures)


def _lens(name: str, title: str, query: str, kind: str, shown: dict[str, Any], columns: Mapping[str, Column]) -> Panel:
    measure = next(place for place, column in columns.items() if not column["isBucketed"])
    layer = {
        "columnOrder": list(columns),
        "columns": {place: _ordered(column, measure) for place, column in columns.items()},
        "incompleteColumns": {},
    }
    attributes = {
        "title": title,
        "description": "",
        "visualizationType": kind,
        "state": {
            "datasourceStates": {"formBased": {"layers": {_LAYER: layer}}},
            "visualization": shown,
            "query": _kql(query),
            "filters": [],
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }
    return Panel(name, title, "lens", attributes, f"indexpattern-datasource-layer-{_LAYER}")


def _ordered(column: Column, measure: str) -> Column:
    """The column, its groups ordered by what is measured first."""
    if column["operationType"] != "terms" or column["params"]["orderBy"]["type"] != "column":
        return column
    return column | {"params": column["params"] | {"orderBy": {"type": "column", "columnId": measure}}}


def _column(
    label: str,
    kind: str,
    operation: str,
    field: str,
    params: dict[str, Any],
    *,
    grouped: bool = False,
    scale: str = "ratio",
    where: str = "",
) -> Column:
    return {
        "label": label,
        "customLabel": True,
        "dataType": kind,
        "operationType": operation,
        "sourceField": field,
        "isBucketed": grouped,
        "scale": scale,
        "params": params,
    } | ({"filter": _kql(where)} if where else {})


def _kql(query: str) -> dict[str, str]:
    return {"language": "kuery", "query": query}
