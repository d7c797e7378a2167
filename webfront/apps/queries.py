"""Finding apps and their versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from webfront.apps.manifest import Manifest
from webfront.apps.views import AppView, VersionView
from webfront.database.models import App, AppVersion, User
from webfront.database.rows import rows
from webfront.errors import InvalidInput, NotFound

_SHORTEST_VERSION: Final = 6

_VERSIONS: Final = "SELECT v.id, v.hash, v.manifest FROM app_version v JOIN app a ON a.id = v.app_id WHERE a.name = ?"
_NEWEST: Final = f"{_VERSIONS} ORDER BY v.uploaded_at DESC, v.id DESC LIMIT 1"
_BY_HASH: Final = f"{_VERSIONS} AND v.hash LIKE ? LIMIT 2"


def list_apps() -> tuple[AppView, ...]:
    """Every app, by name."""
    versions: dict[int, list[AppVersion]] = {}
    for row in AppVersion.select().order_by(AppVersion.uploaded_at.desc(), AppVersion.id.desc()):
        versions.setdefault(row.app_id, []).append(row)
    apps = App.select(App, User).join(User).order_by(App.name)
    return tuple(_view(app, versions[app.id]) for app in apps if app.id in versions)


def get_app(name: str) -> AppView:
    """One app. NotFound."""
    app = App.select(App, User).join(User).where(App.name == name).first()
    if app is None:
        raise NotFound(f"There is no app {name}.")
    return _view(app, AppVersion.select().where(AppVersion.app == app).order_by(*_newest_first()))


class _VersionRow(NamedTuple):
    id: int
    hash: str
    manifest: str


class FoundVersion(NamedTuple):
    """A version, as a submission needs it."""

    id: int
    """The row's."""
    app: str
    hash: str
    manifest: Manifest


def find_version(app_name: str, version: str | None) -> FoundVersion:
    """The newest version of an app, or the one whose hash is `version` or begins with it. InvalidInput, NotFound.

    Asked for each submission, hence in SQL of our own: to build the statement would cost more than to run it.
    """
    if version and not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_VERSION},64}}", version):
        raise InvalidInput(f"A version is at least the first {_SHORTEST_VERSION} characters of its hash.")
    found = rows(_VersionRow, _BY_HASH, app_name, f"{version}%") if version else rows(_VersionRow, _NEWEST, app_name)
    if not found:
        raise NotFound(f"There is no version {version} of {app_name}." if version else f"There is no app {app_name}.")
    if len(found) > 1:
        raise InvalidInput(f"More than one version of {app_name} begins with {version}. Give more of it.")
    row = found[0]
    return FoundVersion(row.id, app_name, row.hash, msgspec.json.decode(row.manifest, type=Manifest))


def manifest_of(row: AppVersion) -> Manifest:
    """The manifest as it was read at the upload."""
    return msgspec.convert(row.manifest, Manifest)


def _newest_first() -> tuple[object, ...]:
    return (AppVersion.uploaded_at.desc(), AppVersion.id.desc())


def _view(app: App, rows: Iterable[AppVersion]) -> AppView:
    return AppView(
        name=app.name,
        owner=app.owner.name,
        created_at=app.created_at,
        versions=tuple(VersionView(row.hash, row.uploaded_at, row.size, manifest_of(row)) for row in rows),
    )
