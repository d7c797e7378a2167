"""kibana/objects.ndjson is what the dashboards say, and Kibana can put it together."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from fnmatch import fnmatch
from typing import Any

import pytest

from kibana.bundle import FILE, PATTERN, bundle, written
from kibana.dashboards import DASHBOARDS
from webfront.settings import Settings

TEXT = FILE.read_text(encoding="utf-8")
OBJECTS: list[dict[str, Any]] = [json.loads(line) for line in TEXT.splitlines()]
NAMES = [(one["type"], one["id"]) for one in OBJECTS]
PANELS = [one["id"] for one in OBJECTS if one["type"] in ("lens", "search")]


def of(kind: str) -> list[dict[str, Any]]:
    return [one for one in OBJECTS if one["type"] == kind]


def test_the_file_is_what_the_dashboards_say() -> None:
    assert written(bundle(DASHBOARDS)) == TEXT, "run python -m kibana"


def test_each_object_is_there_once_under_an_id_that_says_what_it_is() -> None:
    assert [name for name, times in Counter(NAMES).items() if times > 1] == []
    assert len({name for _, name in NAMES}) == len(NAMES)
    assert all(name.startswith("skerry") for _, name in NAMES)


def test_every_reference_leads_to_an_object_of_the_file_and_each_object_is_used() -> None:
    referred = [(one["type"], one["id"]) for each in OBJECTS for one in each["references"]]
    assert set(referred) <= set(NAMES)
    assert set(NAMES) - set(referred) == {("dashboard", one["id"]) for one in of("dashboard")}
    for each in OBJECTS:
        names = [one["name"] for one in each["references"]]
        assert len(names) == len(set(names)), each["id"]


def test_every_reference_is_asked_for_by_its_name() -> None:
    """A reference that nothing names is dangling, as is a name without a reference."""
    for one in OBJECTS:
        asked = {"tag-ref-skerry"} - ({"tag-ref-skerry"} if one["type"] in ("tag", "index-pattern") else set())
        if one["type"] == "lens":
            layers = one["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]
            asked |= {f"indexpattern-datasource-layer-{layer}" for layer in layers}
        elif one["type"] == "search":
            asked.add(json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["indexRefName"])
        elif one["type"] == "dashboard":
            panels = json.loads(one["attributes"]["panelsJSON"])
            asked |= {f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in panels}
            lists = json.loads(one["attributes"].get("controlGroupInput", {}).get("panelsJSON", "{}"))
            asked |= {f"controlGroup_{name}:optionsListDataView" for name in lists}
        assert {reference["name"] for reference in one["references"]} == asked, one["id"]


def test_each_panel_stands_on_one_dashboard_and_none_covers_another() -> None:
    shown = []
    for dashboard in of("dashboard"):
        taken: Counter[tuple[int, int]] = Counter()
        for panel in json.loads(dashboard["attributes"]["panelsJSON"]):
            grid = panel["gridData"]
            assert panel["panelIndex"] == grid["i"]
            assert grid["x"] + grid["w"] <= 48
            taken.update((x, y) for x in range(grid["x"], grid["x"] + grid["w"])
                         for y in range(grid["y"], grid["y"] + grid["h"]))  # fmt: skip
            shown.append(panel["panelIndex"])
        assert set(taken.values()) == {1}
    assert sorted(shown) == sorted(PANELS)


def test_the_file_is_imported_whole_and_changed_by_nobody_by_hand() -> None:
    assert all(one["managed"] is True for one in OBJECTS)
    assert {tuple(sorted(one)) for one in OBJECTS} == {
        ("attributes", "coreMigrationVersion", "id", "managed", "references", "type", "typeMigrationVersion")
    }


def test_the_tag_tells_the_fingerprint_of_the_others() -> None:
    first, _, others = TEXT.partition("\n")
    tag = json.loads(first)
    assert tag["type"] == "tag"
    assert tag["attributes"]["description"] == f"sha256:{hashlib.sha256(others.encode()).hexdigest()}"


def test_the_data_view_takes_in_the_stream_of_the_records() -> None:
    assert fnmatch(Settings.__dataclass_fields__["elastic_stream"].default, PATTERN)
    template = json.loads((FILE.parents[1] / "logstash/templates/skerry-logs.json").read_text())
    assert template["index_patterns"] == [PATTERN]


@pytest.mark.parametrize("panel", PANELS)
def test_no_two_panels_of_the_platform_have_one_title(panel: str) -> None:
    titles = Counter(one["attributes"]["title"] for one in OBJECTS if one["type"] in ("lens", "search", "dashboard"))
    (own,) = (one["attributes"]["title"] for one in OBJECTS if one["id"] == panel)
    assert titles[own] == 1
