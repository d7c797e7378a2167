"""What the scheduler needs to know of an app version. A version never changes, so each is read once."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from webfront.apps.manifest import Manifest
from webfront.database.rows import rows
from webfront.scheduling.constraints import Demand
from wire.messages import AppRef, Resources

_KEPT: Final = 5000
_LOAD: Final = (
    "SELECT v.id, v.hash, v.manifest, a.name AS app FROM app_version v JOIN app a ON a.id = v.app_id WHERE v.id IN (?*)"
)


class _VersionRow(NamedTuple):
    id: int
    hash: str
    manifest: str
    app: str


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """One version: its kind of work, what its orders carry, what it asks of a node, and its retries by cause."""

    kind: str
    ref: AppRef
    resources: Resources
    demand: Demand
    retries: Mapping[str, int]


class Versions:
    """Versions by their row's id, the most recently used ones kept."""

    def __init__(self) -> None:
        self._known: collections.OrderedDict[int, Version] = collections.OrderedDict()

    def load(self, ids: Iterable[int]) -> None:
        """Read those of these that are not known yet, with one query."""
        missing = {one for one in ids if one not in self._known}
        if not missing:
            return
        for row in rows(_VersionRow, _LOAD, list(missing)):
            self._known[row.id] = _version(row.app, row.hash, msgspec.json.decode(row.manifest))
        while len(self._known) > _KEPT + len(missing):
            self._known.popitem(last=False)

    def __getitem__(self, row_id: int) -> Version:
        if row_id not in self._known:
            self.load([row_id])
        self._known.move_to_end(row_id)
        return self._known[row_id]


def _version(app: str, content_hash: str, raw: dict[str, Any]) -> Version:
    manifest = msgspec.convert(raw, Manifest)
    resources = manifest.resources
    return Version(
        kind=manifest.kind,
        ref=AppRef(
            name=app,
            version=content_hash,
            entrypoint=manifest.entrypoint,
            requirements=manifest.requirements,
            outputs=manifest.outputs,
        ),
        resources=resources,
        demand=Demand(
            labels=manifest.needs.labels,
            arch=manifest.needs.arch,
            memory_mb=resources.memory_mb,
            cpus=resources.cpus,
            accelerator=resources.accelerator,
        ),
        retries=manifest.retries,
    )
