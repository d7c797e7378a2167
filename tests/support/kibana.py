"""What a dashboard of Kibana asks of Elasticsearch, and shows of the answer: any panel of a file of saved objects.

The questions are those that Kibana makes of the same panel, as its source has them; no panel is known here by its name.
What a panel, its dashboard or its data view says beyond what is read here is refused (`Unknown`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .kql import Query
from .lens import UNITS, Answer, Chart, Row, Span, Unknown, kql, only

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Searches what a data view's pattern names, with the body of a request; gives the answer's body."""
Object = Mapping[str, Any]

_SAMPLE: Final = 500
"""Records of a list, Kibana's `discover:sampleSize`."""
_OF_A_DASHBOARD: Final = {
    "title",
    "description",
    "panelsJSON",
    "optionsJSON",
    "timeRestore",
    "timeFrom",
    "timeTo",
    "refreshInterval",
    "version",
    "kibanaSavedObjectMeta",
    "controlGroupInput",
}
_OF_A_CONTROL: Final = {"id", "fieldName", "title", "singleSelect", "selectedOptions", "sort", "enhancements"}
_OBEYED: Final = {"ignoreFilters", "ignoreQuery", "ignoreTimerange", "ignoreValidations"}


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
                for panel in self._panels_of(name):
                    yield name, panel

    def show(self, dashboard: str, panel: str, chosen: Mapping[str, Sequence[str]] | None = None) -> Answer:
        """What this panel shows on this dashboard, in the span that the dashboard begins with. Unknown, NotKql.

        `chosen`: what is chosen in the lists above the panels, by their titles, instead of what is at first.
        """
        shown = self._objects[self._panels_of(dashboard)[panel], panel]
        on, attributes = self._objects["dashboard", dashboard]["attributes"], shown["attributes"]
        span = Span(self._moment(on["timeFrom"]), self._moment(on["timeTo"]), self._zone)
        around = _search_source(on["kibanaSavedObjectMeta"])
        around["filter"] += self._chosen(dashboard, chosen or {})
        if shown["type"] == "search":
            own = _search_source(attributes["kibanaSavedObjectMeta"], "indexRefName")
            view = self._view(shown, own["indexRefName"])
            return self._list(attributes, view, _query(view, span, own, around))
        chart = Chart(attributes)
        view = self._view(shown, f"indexpattern-datasource-layer-{chart.layer}")
        query = _query(view, span, chart.source, around)

        def search(aggregations: dict[str, Any]) -> dict[str, Any]:
            body = {"size": 0, "track_total_hits": True, "query": query, "aggs": aggregations}
            return self._ask(view["title"], body | _made(view))

        return chart.show(search, span)

    def _panels_of(self, dashboard: str) -> dict[str, str]:
        """The types of a dashboard's panels, by their ids."""
        found = self._objects["dashboard", dashboard]
        attributes = found["attributes"]
        only(dashboard, attributes, _OF_A_DASHBOARD)
        if attributes["timeRestore"] is not True:
            raise Unknown(f"{dashboard}: no span of its own")
        named = {one["name"]: one for one in found["references"]}
        panels: dict[str, str] = {}
        for panel in json.loads(attributes["panelsJSON"]):
            only(dashboard, panel, {"type", "panelIndex", "panelRefName", "gridData", "embeddableConfig"})
            only(dashboard, panel["embeddableConfig"], {"enhancements"}, empty={"enhancements"})
            reference = named[f"{panel['panelIndex']}:{panel['panelRefName']}"]
            if reference["type"] != panel["type"] or panel["type"] not in ("lens", "search"):
                raise Unknown(f"{dashboard}: a panel of type {panel['type']}")
            panels[reference["id"]] = panel["type"]
        return panels

    def _chosen(self, dashboard: str, chosen: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
        """The filters that the lists above the panels make."""
        found = self._objects["dashboard", dashboard]
        filters, left = [], dict(chosen)
        for name, control in _controls(dashboard, found["attributes"].get("controlGroupInput")):
            self._view(found, f"controlGroup_{name}:optionsListDataView")
            options = left.pop(control["title"], control["selectedOptions"])
            if control["singleSelect"] and len(options) > 1:
                raise Unknown(f"{name}: one can be chosen, and these are {options}")
            if options:
                phrases = [{"match_phrase": {control["fieldName"]: option}} for option in options]
                query = {"bool": {"should": phrases, "minimum_should_match": 1}}
                filters.append({"meta": {}, "query": query})
        if left:
            raise Unknown(f"{dashboard}: there is nothing to choose {', '.join(left)} in")
        return filters

    def _view(self, shown: Object, reference: str) -> Mapping[str, Any]:
        """The data view that a panel means by this reference."""
        (target,) = (one for one in shown["references"] if one["name"] == reference)
        view: Mapping[str, Any] = self._objects[target["type"], target["id"]]["attributes"]
        only(target["id"], view, {"title", "name", "timeFieldName", "allowNoIndex", "runtimeFieldMap"})
        return view

    def _moment(self, text: str) -> int:
        found = re.fullmatch(r"now(?:-(\d+)([smhdw]))?", text)
        if found is None:
            raise Unknown(f"the time {text}")
        before = timedelta(seconds=int(found[1] or 0) * UNITS[found[2] or "s"])
        return int((self._now - before).timestamp() * 1000)

    def _list(self, attributes: Mapping[str, Any], view: Mapping[str, Any], query: Query) -> Answer:
        only("a list", attributes, {"title", "description", "columns", "sort", "kibanaSavedObjectMeta"})
        time, fields = view["timeFieldName"], attributes["columns"]
        body = {
            "size": _SAMPLE,
            "query": query,
            "sort": [{field: {"order": order}} for field, order in attributes["sort"]],
            "fields": [{"field": time, "format": "epoch_millis"}, *fields],
            "_source": False,
        }

        def row(given: Mapping[str, list[Any]]) -> Row:
            values = (given.get(field, [None]) for field in fields)
            return (int(given[time][0]), *(value[0] if len(value) == 1 else tuple(value) for value in values))

        hits = self._ask(view["title"], body | _made(view))["hits"]["hits"]
        return Answer((time, *fields), [row(hit["fields"]) for hit in hits])


def _controls(dashboard: str, given: Mapping[str, Any] | None) -> list[tuple[str, Mapping[str, Any]]]:
    """The lists of a dashboard, by their names."""
    if given is None:
        return []
    only(dashboard, given, {"controlStyle", "chainingSystem", "ignoreParentSettingsJSON", "panelsJSON"})
    ignored = json.loads(given["ignoreParentSettingsJSON"])
    only(dashboard, ignored, _OBEYED, empty=_OBEYED)
    found = []
    for name, control in json.loads(given["panelsJSON"]).items():
        only(name, control, {"type", "order", "width", "grow", "explicitInput"})
        own = control["explicitInput"]
        only(name, own, _OF_A_CONTROL, empty={"enhancements"})
        if control["type"] != "optionsListControl" or own["id"] != name:
            raise Unknown(f"{name}: a control of type {control['type']} for {own['id']}")
        found.append((name, own))
    return found


def _made(view: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the data view makes, for a request."""
    return {"runtime_mappings": json.loads(view["runtimeFieldMap"])}


def _query(view: Mapping[str, Any], span: Span, *sources: Mapping[str, Any]) -> Query:
    """What all of these sources find in the span."""
    borders = {"gte": _text(span.begin), "lte": _text(span.end), "format": "strict_date_optional_time"}
    wanted: list[Query] = [{"range": {view["timeFieldName"]: borders}}]
    unwanted: list[Query] = []
    for source in sources:
        wanted.append(kql(source["query"]))
        for one in source["filter"]:
            only("a filter", one, {"meta", "query", "$state"})
            if not one["meta"].get("disabled"):
                (unwanted if one["meta"].get("negate") else wanted).append(one["query"])
    return {"bool": {"filter": wanted, "must_not": unwanted}}


def _search_source(meta: Mapping[str, Any], *more: str) -> dict[str, Any]:
    only("a search", meta, {"searchSourceJSON"})
    source: dict[str, Any] = json.loads(meta["searchSourceJSON"])
    only("a search", source, {"query", "filter", *more})
    return source


def _text(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
