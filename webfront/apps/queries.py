"""Finding apps and their versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from webfront.apps.manifest import Manifest
from webfront.apps.views import AppView, VersionView
from webfront.database.models import App, AppVersion, User
from webfront.errors import InvalidInput, NotFound

_SHORTEST_VERSION: Final = 6


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


def find_version(app_name: str, version: str | None) -> AppVersion:
    """The row of a version: the newest, or the one whose hash is `version` or begins with it. NotFound."""
    query = AppVersion.select(AppVersion, App).join(App).where(App.name == app_name)
    if version:
        if not re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_VERSION},64}}", version):
            raise InvalidInput(f"A version is at least the first {_SHORTEST_VERSION} characters of its hash.")
        query = query.where(AppVersion.hash == version if len(version) == 64 else AppVersion.hash.startswith(version))
    found: list[AppVersion] = list(query.order_by(*_newest_first()).limit(2 if version else 1))
    if not found:
        raise NotFound(f"There is no version {version} of {app_name}." if version else f"There is no app {app_name}.")
    if len(found) > 1:
        raise InvalidInput(f"More than one version of {app_name} begins with {version}. Give more of it.")
    return found[0]


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
