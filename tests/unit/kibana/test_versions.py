"""An import refuses objects of a version that its Kibana does not know: ours are known to 8.19 and to every 9.

Read in elastic/kibana (2026-11):

- `src/core/packages/saved-objects/migration-server-internal/src/document_migrator/`: an object whose
  `typeMigrationVersion` is above the highest its Kibana has for the type is refused ("belongs to a more recent version
  of Kibana"), one below is migrated. The highest is that of the type's migrations and model versions (10.x), or of its
  conversion to several spaces (8.0.0), whichever is higher. An object without one counts as older than all.
- `src/core/server/integration_tests/ci_checks/saved_objects/check_registered_types.test.ts` keeps the list of the
  versions and that none is ever lowered. So a version that one Kibana writes is known to all later ones.
- `import_saved_objects.ts`, `collect_saved_objects.ts` of import-export-server-internal: `managed` of the file holds.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from kibana.bundle import FILE

OBJECTS: list[dict[str, Any]] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]

CORE = "8.8.0"
"""What 8.14 exports and 9's own sample data have."""
KNOWN = {
    # Kibana's own sample data, which 8.19 and 9 install by an import of their own: data_sets/logs/saved_objects.ts.
    "dashboard": "8.7.0",
    # data_views.ts: migrations up to 7.11.0, the conversion 8.0.0; no model versions.
    "index-pattern": "8.0.0",
    # An export of 8.14 in the tests of 9: kbn_archives/lens/legend_statistics.json; 10.1.0 and above are 9's alone.
    "lens": "8.9.0",
    # saved_search/server/saved_objects/search.ts: the conversion; the sample data have 7.9.3.
    "search": "8.0.0",
    # The conversion; no migrations.
    "tag": "8.0.0",
}
"""The highest version of each type that both majors are known to know, and where that is seen."""


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: one["id"])
def test_both_majors_know_the_version_of_an_object(one: dict[str, Any]) -> None:
    assert number(one["typeMigrationVersion"]) <= number(KNOWN[one["type"]])
    assert number(one["coreMigrationVersion"]) <= number(CORE)


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: one["id"])
def test_a_chart_is_not_taken_for_one_of_before_its_columns_were_called_form_based(one: dict[str, Any]) -> None:
    """Migrations of Lens below 8.9.0 read what is called `indexpattern` in older charts, and fail without it."""
    if one["type"] == "lens":
        assert number(one["typeMigrationVersion"]) >= number("8.9.0")
        assert list(one["attributes"]["state"]["datasourceStates"]) == ["formBased"]
