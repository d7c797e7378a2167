"""Taking an app: the version's name, and what is refused before it is unpacked."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from webfront.accounts.users import create_user
from webfront.accounts.views import Account
from webfront.apps.service import AppService
from webfront.database.models import AppVersion
from webfront.errors import Forbidden, InvalidInput, TooLarge


@pytest.fixture
def ada(database: object) -> Account:
    return create_user("ada", "correct horse")


@pytest.fixture
def apps(tmp_path: Path) -> AppService:
    return AppService(tmp_path / "share", max_upload_mb=1)


def zipped(files: dict[str, str], *, compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    out.seek(0)
    return out


APP = {"app.yml": "name: digits\nentrypoint: src/run.py\n", "src/run.py": "print(1)"}


def test_the_same_content_is_the_same_version_however_packed(apps: AppService, ada: Account, tmp_path: Path) -> None:
    first = apps.upload(ada, zipped(APP), file_name="a.zip")
    reordered = {f"folder/{name}": APP[name] for name in reversed(APP)} | {"__MACOSX/._x": "", "folder/.DS_Store": ""}
    again = apps.upload(ada, zipped(reordered, compression=zipfile.ZIP_STORED), file_name="b.zip")
    other = apps.upload(ada, zipped(APP | {"src/run.py": "print(2)"}), file_name="a.zip")
    assert (first.created, again.created, other.created) == (True, False, True)
    assert first.version == again.version != other.version
    folder = tmp_path / "share/apps" / first.version
    assert (folder / "src/run.py").read_text() == "print(1)"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {entry.name for entry in folder.parent.iterdir()} == {first.version, other.version}
    assert [version.version for version in apps.get("digits").versions] == [other.version, first.version]


def test_files_without_a_row_are_taken_up_by_the_next_upload(apps: AppService, ada: Account, tmp_path: Path) -> None:
    """As a death between the two leaves it."""
    version = apps.upload(ada, zipped(APP), file_name="a.zip").version
    AppVersion.delete().execute()
    shutil.copytree(tmp_path / "share/apps" / version, tmp_path / "share/apps/.upload-cut-off")
    assert apps.upload(ada, zipped(APP), file_name="a.zip").created


def test_a_bare_script_gets_the_defaults(apps: AppService, ada: Account) -> None:
    done = apps.upload(ada, io.BytesIO(b"print(1)"), file_name="My Script.py")
    manifest = apps.get(done.app).latest.manifest
    assert (done.app, manifest.entrypoint, manifest.parameters) == ("my-script", "My_Script.py", None)
    assert apps.upload(ada, io.BytesIO(b"print(1)"), file_name="My Script.py", name="other").app == "other"


def test_an_app_is_its_owners(apps: AppService, ada: Account) -> None:
    bob = create_user("bob", "correct horse")
    apps.upload(ada, zipped(APP), file_name="a.zip")
    with pytest.raises(Forbidden):
        apps.upload(bob, zipped(APP), file_name="a.zip")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"../evil.py": ""}, "leads out"),
        ({"/etc/evil.py": ""}, "leads out"),
        ({"a/./evil.py": ""}, "leads out"),
        ({"C:/evil.py": ""}, "leads out"),
        ({"a\\evil.py": ""}, "backslash"),
        ({"a\nb.py": ""}, "unprintable"),
        ({"x" * 300: ""}, "longer than"),
        ({"app.yml": "name: x\nentrypoint: gone.py\n", "main.py": ""}, "gone.py is not among"),
        ({"app.yml": "name: x\nrequirements: gone.txt\n", "main.py": ""}, "gone.txt is not among"),
        ({"app.yml": "name: x\nentrypoint: main.py\ncolour: red", "main.py": ""}, "line 3"),
        ({"a.py": "", "b.py": ""}, "more than one"),
        ({"main.py": "", "a": "", "a/b": ""}, "as a file and as a folder"),
        ({}, "no file"),
    ],
)
def test_hostile_and_broken_zips_are_refused(
    apps: AppService, ada: Account, tmp_path: Path, files: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        apps.upload(ada, zipped(files), file_name="evil.zip")
    assert not list((tmp_path / "share").rglob("*.py"))


def _with_link() -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("main.py")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return out


def _lying_about_size() -> io.BytesIO:
    data = bytearray(zipped({"main.py": "x" * 5000}).getvalue())
    directory = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, directory + 24, 10)
    return io.BytesIO(bytes(data))


@pytest.mark.parametrize(
    "make",
    [
        _with_link,
        _lying_about_size,
        lambda: io.BytesIO(zipped(APP).getvalue()[:-5]),
        lambda: io.BytesIO(b"PK\x03\x04" + bytes(range(256))),
        lambda: zipped(APP, compression=zipfile.ZIP_LZMA),
    ],
)
def test_damaged_zips_and_links_are_refused(
    apps: AppService, ada: Account, tmp_path: Path, make: Callable[[], io.BytesIO]
) -> None:
    made = make()
    made.seek(0)
    with pytest.raises(InvalidInput):
        apps.upload(ada, made, file_name="evil.zip")
    assert not list((tmp_path / "share").rglob("main.py"))


def test_bombs_are_refused_before_they_unpack(apps: AppService, ada: Account) -> None:
    with pytest.raises(TooLarge, match="unpacks to"):
        apps.upload(ada, zipped({"main.py": "", "zeros": "\0" * (5 * 2**20)}), file_name="bomb.zip")
    with pytest.raises(TooLarge, match="files"):
        apps.upload(ada, zipped({f"f{number}.py": "" for number in range(2100)}), file_name="many.zip")


def test_what_is_neither_zip_nor_script_is_refused(apps: AppService, ada: Account) -> None:
    with pytest.raises(InvalidInput, match="neither"):
        apps.upload(ada, io.BytesIO(b"#!/bin/sh"), file_name="run.sh")
