"""The archive of the agent's code depends on the files' content and on nothing else."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from support.loading import load

pack = load("roles/skerry_code/files/pack.py")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "wire/__pycache__").mkdir(parents=True)
    (folder / "wire/a.py").write_text("A = 1\n")
    (folder / "wire/b.py").write_text("B = 2\n")
    (folder / "wire/__pycache__/a.pyc").write_bytes(b"depends on the machine")
    return folder


def test_times_modes_and_compiled_files_do_not_count(project: Path) -> None:
    before = pack.pack(project, ["wire"])
    os.utime(project / "wire/a.py", (1, 1))
    (project / "wire/a.py").chmod(0o600)
    (project / "wire/__pycache__/b.pyc").write_bytes(b"later")
    assert pack.pack(project, ["wire"]) == before


def test_content_counts(project: Path) -> None:
    before = pack.pack(project, ["wire"])
    (project / "wire/b.py").write_text("B = 3\n")
    assert pack.pack(project, ["wire"]) != before


def test_the_archive_is_written_once(project: Path, tmp_path: Path) -> None:
    body = pack.pack(project, ["wire"])
    first = pack.write(tmp_path / "out", "agent", body)
    second = pack.write(tmp_path / "out", "agent", body)
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["path"] == second["path"]
    with tarfile.open(str(first["path"])) as archive:
        assert archive.getnames() == ["wire/a.py", "wire/b.py"]


def test_a_missing_part_is_told(project: Path) -> None:
    with pytest.raises(FileNotFoundError, match="skerry_code_source_dir"):
        pack.pack(project, ["wire", "node_scripts"])


def test_secrets_are_made_once_and_for_the_owner_alone(tmp_path: Path) -> None:
    make = load("playbooks/files/make_secrets.py").make
    assert make(tmp_path / "secrets", ["one", "two"]) == ["one", "two"]
    first = (tmp_path / "secrets/one").read_text()
    (tmp_path / "secrets/two").write_text("")  # what a full disk may leave
    assert make(tmp_path / "secrets", ["one", "two"]) == ["two"]
    assert (tmp_path / "secrets/one").read_text() == first
    assert len(first.strip()) >= 32
    assert (tmp_path / "secrets/one").stat().st_mode & 0o077 == 0


def test_the_password_hash_is_the_one_rabbitmq_checks() -> None:
    """Worked by hand from RabbitMQ's documentation: base64(salt + SHA-256(salt + password))."""
    import base64
    import hashlib

    hash_of = load("roles/rabbitmq/filter_plugins/rabbitmq_password_hash.py").rabbitmq_password_hash
    raw = base64.b64decode(hash_of("correct horse", "skerry"))
    assert len(raw) == 4 + 32
    assert raw[4:] == hashlib.sha256(raw[:4] + b"correct horse").digest()
    assert hash_of("correct horse", "skerry") != hash_of("correct horse", "other")
