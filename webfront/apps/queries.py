"""Finding apps and their versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from webfront.apps.manifest import Manifest
from webfront.apps.views import AppView, VersionView
from webfront.clock import date_of
from webfront.database.models import App, AppVersion, User
from webfront.database.rows import rows
from webfront.errors import Gone, InvalidInput, NotFound

_SHORTEST_VERSION: Final = 6
_LIVE: Final = AppVersion.deleted_at.is_null()

_VERSIONS: Final = (
    "SELECT v.id, v.hash, v.manifest, v.deleted_at FROM app_version v JOIN app a ON a.id = v.app_id WHERE a.name = ?"
)
_NEWEST: Final = f"{_VERSIONS} AND v.deleted_at IS NULL ORDER BY v.uploaded_at DESC, v.id DESC LIMIT 1"
_BY_HASH: Final = f"{_VERSIONS} AND v.hash LIKE ? LIMIT 2"


def list_apps() -> tuple[AppView, ...]:
    """Every app, by name."""
    versions: dict[int, list[AppVersion]] = {}
    for row in AppVersion.select().where(_LIVE).order_by(*_newest_first()):
        versions.setdefault(row.app_id, []).append(row)
    apps = App.select(App, User).join(User).order_by(App.name)
    return tuple(_view(app, versions[app.id]) for app in apps if app.id in versions)


def get_app(name: str) -> AppView:
    """One app. NotFound; Gone when it was deleted."""
    app = App.select(App, User).join(User).where(App.name == name).first()
    if app is None:
        raise NotFound(f"There is no app {name}.")
    versions = list(AppVersion.select().where(_LIVE, AppVersion.app == app).order_by(*_newest_first()))
    if not versions:
        raise Gone(f"The app {name} was deleted.")
    return _view(app, versions)


class VersionRow(NamedTuple):
    """A version's row."""

    id: int
    hash: str
    manifest: str
    deleted_at: float | None


class FoundVersion(NamedTuple):
    """A version, as a submission needs it."""

    id: int
    """The row's."""
    app: str
    hash: str
    manifest: Manifest


def find_version(app_name: str, version: str | None) -> FoundVersion:
    """The newest version of an app, or the one whose hash is `version` or begins with it. InvalidInput, NotFound.

    Gone when it was deleted. Asked for each submission, hence in SQL of our own: to build the statement would cost more
    than to run it.
    """
    row = find_row(app_name, version)
    return FoundVersion(row.id, app_name, row.hash, msgspec.json.decode(row.manifest, type=Manifest))


def find_row(app_name: str, version: str | None) -> VersionRow:
    """The row of that version. InvalidInput, NotFound, Gone."""
    if version and not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_VERSION},64}}", version):
        raise InvalidInput(f"A version is at least the first {_SHORTEST_VERSION} characters of its hash.")
    found = rows(VersionRow, _BY_HASH, app_name, f"{version}%") if version else rows(VersionRow, _NEWEST, app_name)
    if not found:
        if not version and App.get_or_none(App.name == app_name) is not None:
            raise Gone(f"The app {app_name} was deleted.")
        raise NotFound(f"There is no version {version} of {app_name}." if version else f"There is no app {app_name}.")
    if len(found) > 1:
        raise InvalidInput(f"More than one version of {app_name} begins with {version}. Give more of it.")
    row = found[0]
    if row.deleted_at is not None:
        raise Gone(f"Version {row.hash[:12]} of {app_name} was deleted on {date_of(row.deleted_at)}.")
    return row


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
