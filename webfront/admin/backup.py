"""`skerry-admin backup` and `restore`: what of the platform is not files, written into a folder and read back from it.

The folder holds the database as it was at one moment, the hashes of the nodes' broker passwords (by which a new broker
takes them back without a visit to their machines), and last the manifest, which says whose copy it is. The playbooks
store the folder together with the platform's files, and bring both back.

First the folder, then the files: a row is written after the files that it names (an app's, an input, results), and
these never change, so that every file which the copy's rows need is there when the files are stored. What comes to the
files in between has no row, and is no more than left over. What the retention, or a person, removes in between is
missing of the copy: `inspect` names it, and what is old is removed from it at the next run.

`restore` remembers in the state directory which copy it began with and whether it came to the end: killed anywhere, it
begins anew, and what it has done is done once. It also notes of when the copy is and when it was put in place: what was
accepted in between is lost, and `inspect` names it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.admin.setup import Answer, open_platform
from webfront.broker.admission import password_hashes
from webfront.broker.management import Management
from webfront.database import models
from webfront.database.connection import transaction
from webfront.database.copying import is_used, kind_of, put_in_place, write_copy
from webfront.database.models import (
    ApiToken,
    App,
    Attempt,
    Invitation,
    Job,
    Node,
    Play,
    SchemaStep,
    Session,
    SignInFailure,
    User,
)
from webfront.database.schema import oldest_code
from webfront.database.steps import CODE
from webfront.errors import BrokerUnavailable, Conflict, InvalidInput
from webfront.jobs.states import LIVE_ATTEMPTS, OPEN_JOBS
from webfront.jobs.strangers import accepted_between
from webfront.plays.states import UNFINISHED_PLAYS, PlayState
from webfront.settings import Settings
from wire import VERSION

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
NODES: Final = "nodes.json"
DATABASE: Final = {"sqlite": "database.sqlite", "mysql": "database.sql"}

_RECORD: Final = "restore.json"
_CHUNK: Final = 1024 * 1024
_ATTEMPTS_A_MINUTE: Final = 10
"""More than a job can have: a retry follows the end of a try, and there are a few of them in all."""


def backup(settings: Settings, options: argparse.Namespace) -> Answer:
    """The database, the nodes' password hashes and a manifest, into a folder."""
    open_platform(settings)
    kind = kind_of(settings.database_url)
    if options.check:
        return {"changed": True, "kind": kind}
    folder: Path = options.folder
    # A folder with a manifest is a whole copy: the one of before goes first.
    (folder / MANIFEST).unlink(missing_ok=True)
    for name in DATABASE.values():
        (folder / name).unlink(missing_ok=True)
    made_at = time.time()
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "id": secrets.token_hex(8),
        "made_at": made_at,
        "made": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(made_at)),
        "version": VERSION,
        "schema": max(step.number for step in SchemaStep.select()),
        "oldest_code": oldest_code(models.database.obj),
        "kind": kind,
        "state_dir": str(settings.state_dir),
        "share_dir": str(settings.share_dir),
        "secrets_keys": key_fingerprints(settings.secrets_key_file),
        "has": _counts(),
    }
    database = folder / DATABASE[kind]
    write_copy(settings.database_url, settings.database_password_file, database)
    warnings = []
    hashes: Mapping[str, str] = {}
    try:
        hashes = password_hashes(Management.of(settings))
    except (BrokerUnavailable, Conflict) as error:
        # A broker that is away must not keep the rest from being saved.
        warnings.append(f"The nodes' broker users are not in this copy: {error.message}")
    _write(folder / NODES, dict(hashes))
    manifest["nodes_admitted"] = len(hashes)
    manifest["files"] = {
        name: {"size": (folder / name).stat().st_size, "sha256": _sha256(folder / name)}
        for name in (database.name, NODES)
    }
    _write(folder / MANIFEST, manifest)
    return {"changed": True, "manifest": manifest, "warnings": warnings}


def restore(settings: Settings, options: argparse.Namespace) -> Answer:
    """Put a copy in the place of the database, bring it to this release's schema, and end every session and token."""
    folder: Path = options.folder
    manifest = read_manifest(folder)
    refuse_copy(manifest, settings)
    record = _read_record(settings.state_dir)
    ours = {"copy": manifest["id"], "made_at": manifest["made_at"]}
    answer = {"manifest": manifest, "has_its_keys": _has_keys(manifest, settings), "ended": {}}
    is_done = record.get("copy") == manifest["id"] and record.get("state") == "loaded"
    if is_done and not options.overwrite:
        return {"changed": False, **answer}
    begun = record.get("state") == "loading"
    is_living = not begun and is_used(settings.database_url, settings.database_password_file)
    if is_living and not options.overwrite:
        raise Conflict(
            "The platform's database is in use: the copy would take the place of its apps, nodes, jobs or users.",
            detail="Restore onto a new machine, or with restore_overwrite=true where all of it may go.",
        )
    if options.check:
        return {"changed": True, **answer}
    _write(settings.state_dir / _RECORD, {**ours, "state": "loading"})
    ended: dict[str, int] = {}
    put_in_place(
        settings.database_url,
        settings.database_password_file,
        folder / DATABASE[manifest["kind"]],
        lambda: ended.update(_begin_anew(manifest, time.time())),
    )
    _write(settings.state_dir / _RECORD, {**ours, "state": "loaded", "restored_at": time.time()})
    return {"changed": True, **answer, "ended": ended}


def lost_since_copy(settings: Settings) -> list[str]:
    """The jobs accepted after the copy was made that was put in place last, as far as the share still tells of them."""
    record = _read_record(settings.state_dir)
    if "made_at" not in record or "restored_at" not in record:
        return []
    return accepted_between(settings.share_dir, record["made_at"], record["restored_at"])


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the copy in this folder, whose files are what it says. Raises `InvalidInput`."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        newer = manifest["format"] > FORMAT
        files = manifest["files"].items()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(f"There is no copy of a platform in {folder}: {error}") from error
    if newer:
        raise InvalidInput(
            f"The copy was made by Skerry {manifest.get('version')}, in a form that this release does not know. "
            "Restore it with that release."
        )
    for name, said in files:
        try:
            is_whole = _sha256(folder / name) == said["sha256"]
        except OSError as error:
            raise InvalidInput(f"The copy in {folder} lacks {name}: {error.strerror}") from error
        if not is_whole:
            raise InvalidInput(f"{name} of the copy in {folder} is not what was written there. Take another copy.")
    return manifest


def refuse_copy(manifest: Mapping[str, Any], settings: Settings) -> None:
    """Raise `InvalidInput` where this code or these settings cannot take the copy."""
    if manifest["oldest_code"] > CODE:
        raise InvalidInput(
            f"The copy was made by Skerry {manifest['version']}. Its database needs code of schema "
            f"{manifest['oldest_code']} or later, and this is {VERSION} with {CODE}. Restore it with that release."
        )
    kind = kind_of(settings.database_url)
    if manifest["kind"] != kind:
        words = {"sqlite": "SQLite", "mysql": "MariaDB or MySQL"}
        raise InvalidInput(
            f"The copy is of a database of {words[manifest['kind']]}, and this platform's is {words[kind]}; rows are "
            "not carried from one to the other. Set webfront_database_url as it was."
        )
    for name in ("share_dir", "state_dir"):
        if manifest[name] != str(getattr(settings, name)):
            raise InvalidInput(
                f"The copy's files were in {manifest[name]}, and this platform's are in {getattr(settings, name)}. Set "
                f"webfront_{name} as it was."
            )


def key_fingerprints(file: Path) -> list[str]:
    """What tells the keys of the file apart without giving one away: the beginnings of their digests."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return []
    return [hashlib.sha256(line.encode()).hexdigest()[:16] for line in lines if line and not line.startswith("#")]


def _has_keys(manifest: Mapping[str, Any], settings: Settings) -> bool:
    """Whether every key for secrets that the platform had then is in the key file that is here."""
    return set(manifest["secrets_keys"]) <= set(key_fingerprints(settings.secrets_key_file))


def _begin_anew(manifest: Mapping[str, Any], now: float) -> dict[str, int]:
    """What a copy's rows need before anything works on them, in one transaction. How many of each.

    Whoever was signed in then is signed out, and whoever was invited is not any more. A play that ran then runs no
    more. And a job that was under way may have gone on after the copy was made: its attempts' numbers go up by more
    than it can have had since, so that nothing from that time (an order in a queue, an event, a result on the share, a
    node's journal) is taken for what comes now.
    """
    later = _ATTEMPTS_A_MINUTE * (2 + max(0, int((now - manifest["made_at"]) / 60)))
    open_jobs = Job.select(Job.id).where(Job.state.in_(OPEN_JOBS))
    with transaction():
        ended = {
            "sessions": Session.delete().execute(),
            "tokens": ApiToken.delete().execute(),
            "plays": Play.update(
                state=PlayState.FAILED.value,
                finished_at=now,
                message="The platform was restored from a copy that was made while this play was under way",
                advice="Run it again.",
            )
            .where(Play.state.in_(UNFINISHED_PLAYS))
            .execute(),
        }
        SignInFailure.delete().execute()
        Invitation.delete().execute()
        Attempt.update(number=Attempt.number + later).where(
            Attempt.state.in_(LIVE_ATTEMPTS), Attempt.job.in_(open_jobs)
        ).execute()
        ended["open_jobs"] = Job.update(attempts=Job.attempts + later).where(Job.state.in_(OPEN_JOBS)).execute()
        deeds.tell(Kind.PLATFORM_RESTORE, data={"copy_of": manifest["made"], **ended})
    return ended


def _counts() -> dict[str, int]:
    tables = {"users": User, "apps": App, "nodes": Node, "jobs": Job}
    return {name: int(table.select().count()) for name, table in tables.items()}


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _write(file: Path, content: object) -> None:
    """A whole file for this user alone, or the one of before."""
    half = file.with_name(f".{file.name}.half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as text:
        json.dump(content, text, indent=2, sort_keys=True)
        text.flush()
        os.fsync(text.fileno())
    half.replace(file)


def _read_record(state_dir: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((state_dir / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
