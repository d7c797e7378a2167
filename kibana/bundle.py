"""Dashboards as a file that Kibana imports: the data view, the panels and the dashboards, an object a line.

One file, since one import makes either all of its objects or none. Every object has an id that says what it is, and
`managed`, so that Kibana lets nobody change it by hand: the next release would take the change away. Who wants
another dashboard duplicates one.

A tag names all of them, and its description holds the fingerprint of the others: whoever asks Kibana for the tag knows
whether these very objects were imported.

Versions: an import refuses an object that is newer than the Kibana, and migrates one that is older. So each type has
the newest version that Kibana 8.19 and every 9 know, whichever of them writes. tests/unit/kibana/test_versions.py has
where they come from.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kibana.lens import DATA_VIEW, SERIES, TIME, Panel

FILE: Final = Path(__file__).parent / "objects.ndjson"
PATTERN: Final = "logs-skerry-*"
"""The data streams of records; as the index template's."""

_SERIES: Final = """
if (doc.containsKey('skerry.device') && !doc['skerry.device'].empty && !doc['skerry.field'].empty) {
  emit(doc['skerry.device'].value + ': ' + doc['skerry.field'].value);
}
"""
"""In Painless. An index of before there were measurements knows neither field."""

_CORE: Final = "8.8.0"
_VERSIONS: Final[Mapping[str, str]] = {
    "dashboard": "8.7.0",
    "index-pattern": "8.0.0",
    "lens": "8.9.0",
    "search": "8.0.0",
    "tag": "8.0.0",
}
_TAG: Final = "skerry"
_WIDTH: Final = 48
"""Columns of a dashboard's grid."""


@dataclasses.dataclass(frozen=True)
class Row:
    """Panels side by side, each as wide as the others."""

    height: int
    panels: Sequence[Panel]


@dataclasses.dataclass(frozen=True)
class Choice:
    """A list above the panels, of a field's values: all panels show what is chosen in it, and at first everything."""

    name: str
    field: str
    label: str
    one: bool = False
    """At most one value can be chosen."""


@dataclasses.dataclass(frozen=True)
class Dashboard:
    name: str
    """Its id in Kibana."""
    title: str
    about: str
    since: str
    """From when it shows at first, such as `now-7d`."""
    rows: Sequence[Row]
    choices: Sequence[Choice] = ()


def bundle(dashboards: Iterable[Dashboard]) -> list[dict[str, Any]]:
    """The objects in the order in which they stand in the file."""
    objects = [_data_view()]
    for dashboard in dashboards:
        objects += [_panel(panel) for row in dashboard.rows for panel in row.panels]
        objects.append(_dashboard(dashboard))
    return [_tag(hashlib.sha256(written(objects).encode()).hexdigest()), *objects]


def written(objects: Iterable[Mapping[str, Any]]) -> str:
    """A line for each object, its keys in order."""
    return "".join(f"{json.dumps(one, sort_keys=True, ensure_ascii=False)}\n" for one in objects)


def _tag(fingerprint: str) -> dict[str, Any]:
    attributes = {"name": "Skerry", "description": f"sha256:{fingerprint}", "color": "#0b6e8f"}
    return _object("tag", _TAG, attributes, [])


def _data_view() -> dict[str, Any]:
    series = {"type": "keyword", "script": {"source": _SERIES}}
    # Imported before the first record is there, as well.
    attributes = {
        "title": PATTERN,
        "name": "Skerry",
        "timeFieldName": TIME,
        "allowNoIndex": True,
        "runtimeFieldMap": json.dumps({SERIES: series}, sort_keys=True),
    }
    return _object("index-pattern", DATA_VIEW, attributes, [])


def _panel(panel: Panel) -> dict[str, Any]:
    attributes = dict(panel.attributes)
    if panel.kind == "search":
        attributes["kibanaSavedObjectMeta"] = _as_text(attributes["kibanaSavedObjectMeta"])
    references = [{"type": "index-pattern", "id": DATA_VIEW, "name": panel.reference}, _tagged()]
    return _object(panel.kind, panel.name, attributes, references)


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    panels, references = [], []
    top = 0
    for row in dashboard.rows:
        width = _WIDTH // len(row.panels)
        for place, panel in enumerate(row.panels):
            grid = {"x": place * width, "y": top, "w": width, "h": row.height, "i": panel.name}
            panels.append(
                {
                    "type": panel.kind,
                    "panelIndex": panel.name,
                    "panelRefName": f"panel_{panel.name}",
                    "gridData": grid,
                    "embeddableConfig": {"enhancements": {}},
                }
            )
            references.append({"type": panel.kind, "id": panel.name, "name": f"{panel.name}:panel_{panel.name}"})
        top += row.height
    everything = {"query": {"language": "kuery", "query": ""}, "filter": []}
    attributes = {
        "title": dashboard.title,
        "description": dashboard.about,
        "panelsJSON": json.dumps(panels, sort_keys=True),
        "optionsJSON": json.dumps({"useMargins": True, "hidePanelTitles": False, "syncColors": True}, sort_keys=True),
        "timeRestore": True,
        "timeFrom": dashboard.since,
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60000},
        "version": 1,
        "kibanaSavedObjectMeta": _as_text({"searchSourceJSON": everything}),
    }
    if dashboard.choices:
        attributes["controlGroupInput"] = _choices(dashboard.choices)
        references += [
            {"type": "index-pattern", "id": DATA_VIEW, "name": f"controlGroup_{one.name}:optionsListDataView"}
            for one in dashboard.choices
        ]
    return _object("dashboard", dashboard.name, attributes, [*references, _tagged()])


def _choices(choices: Sequence[Choice]) -> dict[str, str]:
    """Each offers what the others, the time and the query leave."""
    controls = {
        one.name: {
            "type": "optionsListControl",
            "order": place,
            "width": "medium",
            "grow": True,
            "explicitInput": {
                "id": one.name,
                "fieldName": one.field,
                "title": one.label,
                "singleSelect": one.one,
                "selectedOptions": [],
                "sort": {"by": "_key", "direction": "asc"},
                "enhancements": {},
            },
        }
        for place, one in enumerate(choices)
    }
    ignored = dict.fromkeys(("ignoreFilters", "ignoreQuery", "ignoreTimerange", "ignoreValidations"), False)
    together = {"controlStyle": "oneLine", "chainingSystem": "HIERARCHICAL"}
    return together | _as_text({"ignoreParentSettingsJSON": ignored, "panelsJSON": controls})


def _object(kind: str, name: str, attributes: dict[str, Any], references: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "type": kind,
        "id": name,
        "attributes": attributes,
        "references": references,
        "managed": True,
        "coreMigrationVersion": _CORE,
        "typeMigrationVersion": _VERSIONS[kind],
    }


def _tagged() -> dict[str, str]:
    return {"type": "tag", "id": _TAG, "name": f"tag-ref-{_TAG}"}


def _as_text(meta: Mapping[str, Any]) -> dict[str, str]:
    """Kibana keeps some of its objects' parts as JSON in a text."""
    return {name: json.dumps(value, sort_keys=True) for name, value in meta.items()}
