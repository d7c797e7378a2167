"""Writes kibana/objects.ndjson: `python -m kibana`. A test holds the file to what this makes."""

from __future__ import annotations

from kibana.bundle import FILE, bundle, written
from kibana.dashboards import DASHBOARDS

FILE.write_text(written(bundle(DASHBOARDS)), encoding="utf-8")
