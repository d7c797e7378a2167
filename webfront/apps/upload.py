"""Taking an app: a zip or a single .py becomes an immutable version on the share and a row.

Order, so that a death on any line leaves nothing wrong: the files are written into `apps/.upload-...`, whole and on
the disk; the folder gets its name, the content's hash; then the rows are committed. A folder without a row is a version
that nobody can name: harmless, and the next upload of the same content takes it up. What lies in a folder with a dot is
swept away a day later.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import peewee

from webfront.accounts.policy import Act, may
from webfront.accounts.views import Account
from webfront.activity import deeds
from webfront.activity.facts import Kind
from webfront.apps.archive import Archive
from webfront.apps.manifest import FILE_NAME, LARGEST, NAME, NAME_RULE, Manifest, read_manifest
from webfront.apps.views import Uploaded
from webfront.clock import Clock
from webfront.database.connection import transaction
from webfront.database.models import App, AppVersion
from webfront.errors import Forbidden, InvalidInput, TooLarge
from webfront.retention.removals import take_back
from webfront.share import CHUNK, settle, share_errors, sync_folder, write_file

_STALE_S: Final = 24 * 3600.0
_PREFIX: Final = ".upload-"

Files = Mapping[str, Callable[[], Iterator[bytes]]]
"""By relative path, what gives a file's bytes."""


def take_upload(
    apps_folder: Path,
    account: Account,
    stream: BinaryIO,
    *,
    file_name: str,
    name: str | None,
    most_bytes: int,
    clock: Clock,
) -> Uploaded:
    """Take one upload; see `AppService.upload`. `stream` can be sought."""
    if name and not NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} cannot be an app's name: {NAME_RULE}.")
    files, manifest = _examine(stream, file_name, name or None, most_bytes)
    _check_files(manifest, files)
    _check_owner(manifest.name, account)
    now = clock()
    with share_errors():
        apps_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = apps_folder / f"{_PREFIX}{secrets.token_hex(8)}"
        beside.mkdir(mode=0o700)
        try:
            version, size = _write(beside, files)
            settle(beside, apps_folder / version)
            done = _commit(account, manifest, version, size, now)
            # The folder of the same content, which had been there, may have been removed before the row stood.
            settle(beside, apps_folder / version)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return done


def _examine(stream: BinaryIO, file_name: str, name: str | None, most_bytes: int) -> tuple[Files, Manifest]:
    start = stream.read(4)
    stream.seek(0)
    base = file_name.replace("\\", "/").rpartition("/")[2]
    if start[:2] == b"PK":
        archive = Archive(stream, most_bytes=most_bytes)
        files: Files = {path: functools.partial(archive.chunks, path) for path in archive.paths()}
        if FILE_NAME in files:
            manifest = read_manifest(archive.read(FILE_NAME, LARGEST), default_name=name)
            if name and manifest.name != name:
                raise InvalidInput(f"The manifest names the app {manifest.name}, the request {name}. Give one name.")
            return files, manifest
        return files, Manifest(name=name or _name_from(base), entrypoint=_sole_script(files))
    if base.lower().endswith(".py"):
        if stream.seek(0, 2) > most_bytes:
            raise TooLarge(f"The script is larger than {most_bytes // 2**20} MiB.")
        script = re.sub(r"[^A-Za-z0-9_.-]", "_", base)
        if script.startswith("."):
            raise InvalidInput("The script needs a name before its .py.")

        def chunks() -> Iterator[bytes]:
            stream.seek(0)
            while chunk := stream.read(CHUNK):
                yield chunk

        return {script: chunks}, Manifest(name=name or _name_from(base), entrypoint=script)
    raise InvalidInput("An app is a zip file or a single .py file; this is neither.")


def _name_from(base: str) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "-", base.rpartition(".")[0].lower()).strip("-")[:64]
    if not NAME.fullmatch(name):
        raise InvalidInput(f"No app's name can be made from the file's name {base!r}. Give one: {NAME_RULE}.")
    return name


def _sole_script(files: Files) -> str:
    scripts = [path for path in files if "/" not in path and path.endswith(".py")]
    if "main.py" in scripts:
        return "main.py"
    if len(scripts) != 1:
        raise InvalidInput(
            f"The zip has no {FILE_NAME}, and {'no' if not scripts else 'more than one'} script at its top that could "
            f"be started. Add an {FILE_NAME} that names the entrypoint."
        )
    return scripts[0]


def _check_files(manifest: Manifest, files: Files) -> None:
    for key, path in (("entrypoint", manifest.entrypoint), ("requirements", manifest.requirements)):
        if path is not None and path not in files:
            near = ", ".join(sorted(files)[:10])
            raise InvalidInput(f"The {key} {path} is not among the files. They are: {near}.")


def _check_owner(name: str, account: Account) -> None:
    found = App.get_or_none(App.name == name)
    if found is not None and not may(account, Act.ADD_VERSION, found):
        raise Forbidden(f"The app {name} is somebody else's. Give yours another name.")


def _write(folder: Path, files: Files) -> tuple[str, int]:
    """Write the files; returns the version and the bytes they take.

    The version is a hash over the sorted paths, each with its content's hash, so that the same content gives the same
    version however it was packed.
    """
    total, size = hashlib.sha256(), 0
    folders = {folder}
    for path in sorted(files):
        target = folder / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folders.update(target.parents[: len(Path(path).parts)])
        digest = hashlib.sha256()
        size += write_file(target, _hashed(files[path](), digest))
        total.update(f"{len(path.encode())}:{path}:{digest.hexdigest()}\n".encode())
    for one in folders:
        sync_folder(one)
    return total.hexdigest(), size


def _hashed(chunks: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _commit(account: Account, manifest: Manifest, version: str, size: int, now: float) -> Uploaded:
    try:
        return _insert(account, manifest, version, size, now)
    except peewee.IntegrityError:
        # Two uploads of the same at once, on a database that does not make them wait for each other.
        return _insert(account, manifest, version, size, now)


def _insert(account: Account, manifest: Manifest, version: str, size: int, now: float) -> Uploaded:
    with transaction():
        _check_owner(manifest.name, account)  # again: the name may have been taken meanwhile
        app = App.get_or_none(App.name == manifest.name)
        if app is None:
            app = App.create(name=manifest.name, owner=account.id, created_at=now)
        take_back(f"apps/{version}")
        found = AppVersion.get_or_none((AppVersion.app == app) & (AppVersion.hash == version))
        if found is not None and found.deleted_at is None:
            return Uploaded(manifest.name, version, created=False)
        if found is not None:
            AppVersion.update(deleted_at=None, uploaded_at=now).where(AppVersion.id == found.id).execute()
        else:
            AppVersion.create(app=app, hash=version, manifest=msgspec.to_builtins(manifest), size=size, uploaded_at=now)
        deeds.tell(Kind.APP_UPLOAD, user=account.name, app=manifest.name, data={"version": version[:12]})
    return Uploaded(manifest.name, version, created=True)


def sweep_uploads(apps_folder: Path, now: float) -> int:
    """Remove what uploads that were cut off left behind, a while ago. Returns how many."""
    removed = 0
    for entry in apps_folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_mtime < now - _STALE_S:
                shutil.rmtree(entry)
                removed += 1
    return removed
