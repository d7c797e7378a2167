"""Deleting versions and apps: by their owner's hand, or versions that nobody ever ran.

A version that is deleted can be run no more. Its row stays, marked, for as long as jobs name it, so that they still
tell what they ran; the chore of unused versions removes it then, and the app's row with its last version. Until then
the app's name is its owner's.

Crash order: row first. One transaction marks the row and writes down its folder as one to go, with the fact of it; the
chore of `webfront.retention.removals` removes that, once no job that has not ended was submitted a moment earlier. An
upload of the same content takes the folder back, or is refused while it is being removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from webfront.accounts.policy import Act, require
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.activity.term import Term
from webfront.apps.queries import find_row
from webfront.changeable.table import VERSIONS_DAYS
from webfront.changeable.values import Values
from webfront.database.connection import transaction
from webfront.database.models import App
from webfront.database.rows import change, locked, rows, value
from webfront.errors import Conflict, NotFound
from webfront.retention.facts import DAY_S
from webfront.retention.removals import GO, KEEP, LATER, give_up
from webfront.retention.runs import Run

FOLDER: Final = "apps/"
_WHAT: Final = "app versions"
_SOON_S: Final = 60.0
"""A submission that found the version just before is to be seen as a job by then."""
_SETTLED_S: Final = DAY_S
"""A row that is to go is one that no submission can still be about to name."""
_AT_ONCE: Final = 200

_LIVE: Final = "SELECT id, hash FROM app_version WHERE app_id = ? AND deleted_at IS NULL ORDER BY uploaded_at, id"
# By the index of ends, in which jobs that have none are few; a version's own may be all there are.
_OPEN: Final = "SELECT id FROM job WHERE finished_at IS NULL AND COALESCE(app_version_id, 0) IN (?*) LIMIT 1"
_PINNED: Final = "SELECT name FROM schedule WHERE app = ? AND version IN (?*) ORDER BY name LIMIT 1"
_SCHEDULED: Final = "SELECT name FROM schedule WHERE app = ? ORDER BY name LIMIT 1"
_MARK: Final = "UPDATE app_version SET deleted_at = ? WHERE id IN (?*)"
_NAMED: Final = "SELECT id FROM app_version WHERE hash = ? AND deleted_at IS NULL LIMIT 1"
_OPEN_OF_CONTENT: Final = (
    "SELECT j.id FROM job j JOIN app_version v ON v.id = j.app_version_id "
    "WHERE j.finished_at IS NULL AND COALESCE(v.hash, '') = ? LIMIT 1"
)
_UNUSED: Final = (
    "SELECT v.id, v.hash, v.size, a.name AS app FROM app_version v JOIN app a ON a.id = v.app_id "
    "WHERE v.deleted_at IS NULL AND v.uploaded_at < ? "
    "AND EXISTS (SELECT 1 FROM app_version n WHERE n.app_id = v.app_id AND n.deleted_at IS NULL "
    "AND (n.uploaded_at > v.uploaded_at OR (n.uploaded_at = v.uploaded_at AND n.id > v.id))) "
    "AND NOT EXISTS (SELECT 1 FROM job j WHERE j.app_version_id = v.id) "
    "AND NOT EXISTS (SELECT 1 FROM schedule s WHERE s.app = a.name AND s.version = v.hash) ORDER BY v.id LIMIT ?"
)
_LEFT: Final = (
    "SELECT v.id FROM app_version v WHERE v.deleted_at < ? "
    "AND NOT EXISTS (SELECT 1 FROM job j WHERE j.app_version_id = v.id) LIMIT ?"
)
_FORGET: Final = "DELETE FROM app_version WHERE id IN (?*) AND deleted_at IS NOT NULL"
_EMPTY: Final = "SELECT a.id FROM app a WHERE NOT EXISTS (SELECT 1 FROM app_version v WHERE v.app_id = a.id) LIMIT ?"
_FORGET_APPS: Final = (
    "DELETE FROM app WHERE id IN (?*) AND NOT EXISTS (SELECT 1 FROM app_version v WHERE v.app_id = app.id)"
)


class _Version(NamedTuple):
    id: int
    hash: str


class _Unused(NamedTuple):
    id: int
    hash: str
    size: int
    app: str


class _Id(NamedTuple):
    id: int


def delete_version(account: Account, name: str, version: str, now: float) -> None:
    """Delete a version, by its hash or the beginning of it. InvalidInput, NotFound, Forbidden; Conflict while used."""
    app = _owned(account, name)
    wanted = find_row(name, version)
    with transaction():
        live = _live(app)
        if wanted.id not in {one.id for one in live}:
            raise NotFound(f"There is no version {version} of {name}.")
        if len(live) == 1:
            raise Conflict(f"This is the only version of {name}. Delete the app instead.")
        _refuse_in_use([wanted.id], f"version {wanted.hash[:12]} of {name}")
        if (schedule := value(_PINNED, name, [wanted.hash])) is not None:
            raise Conflict(f"The schedule {schedule} runs this version. Give it another one, or delete it first.")
        _delete([_Version(wanted.id, wanted.hash)], now)
        deeds.tell(Kind.VERSION_DELETE, app=name, data={"version": wanted.hash})


def delete_app(account: Account, name: str, now: float) -> None:
    """Delete an app with all its versions. NotFound, Forbidden; Conflict while jobs or schedules use it."""
    app = _owned(account, name)
    with transaction():
        live = _live(app)
        if not live:
            raise NotFound(f"There is no app {name}.")
        _refuse_in_use([one.id for one in live], name)
        if (schedule := value(_SCHEDULED, name)) is not None:
            raise Conflict(f"The schedule {schedule} runs {name}. Delete it first.")
        _delete(live, now)
        deeds.tell(Kind.APP_DELETE, app=name, data={"versions": len(live)})


def forget_unused(term: Term, *, values: Values) -> str:
    """The chore: delete old versions that nobody has run, and the rows of deleted ones that no job names any more.

    Never an app's newest version, nor one that a schedule runs.
    """
    days = values.get(VERSIONS_DAYS)
    run = Run(_WHAT, days, term)
    now = term.now()
    while not term.over.is_set():
        with term.transaction():
            unused = rows(_Unused, _UNUSED, now - days * DAY_S, _AT_ONCE)
            if unused:
                _delete([_Version(one.id, one.hash) for one in unused], now, run.number())
                run.removed(len(unused))
        if len(unused) < _AT_ONCE:
            break
    with term.transaction():
        for find, forget, *limit in ((_LEFT, _FORGET, now - _SETTLED_S), (_EMPTY, _FORGET_APPS)):
            if left := [row.id for row in rows(_Id, find, *limit, _AT_ONCE)]:
                change(forget, left)
    return f"deleted {run.count} versions that nobody has run" if run.count else ""


def may_go(path: str) -> str:
    """Whether a version's folder may be removed, asked in the transaction that claims it."""
    content = path.removeprefix(FOLDER)
    if value(_NAMED, content) is not None:
        return KEEP
    return LATER if value(_OPEN_OF_CONTENT, content) is not None else GO


def _owned(account: Account, name: str) -> App:
    app: App | None = App.get_or_none(App.name == name)
    if app is None:
        raise NotFound(f"There is no app {name}.")
    require(account, Act.DELETE_APP, app)
    return app


def _live(app: App) -> list[_Version]:
    return rows(_Version, locked(_LIVE), app.id)


def _refuse_in_use(versions: list[int], what: str) -> None:
    if value(_OPEN, versions) is not None:
        raise Conflict(f"A job of {what} has not ended. Cancel it, or wait for its end.")


def _delete(versions: Iterable[_Version], now: float, run: int | None = None) -> None:
    going = list(versions)
    change(_MARK, now, [one.id for one in going])
    give_up([f"{FOLDER}{one.hash}" for one in going], _WHAT, now + _SOON_S, run)
