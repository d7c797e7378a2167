"""Secrets at rest: sealed with the first key, opened by any, and clear words where the key file cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from webfront.errors import Unavailable
from webfront.secretbox import SecretBox, Unreadable


def key_file(path: Path, *keys: str) -> Path:
    path.write_text("# made by a test\n" + "".join(f"{key}\n" for key in keys))
    path.chmod(0o600)
    return path


@pytest.fixture
def old() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture
def new() -> str:
    return Fernet.generate_key().decode()


def test_a_secret_is_sealed_and_opened(tmp_path: Path, old: str) -> None:
    box = SecretBox(key_file(tmp_path / "key", old))
    sealed = box.seal("the secret")
    assert "secret" not in sealed
    assert sealed != box.seal("the secret"), "the same secret twice must not show"
    assert box.open(sealed) == "the secret"


def test_keys_are_rotated_while_it_runs(tmp_path: Path, old: str, new: str) -> None:
    box = SecretBox(key_file(tmp_path / "key", old))
    sealed = box.seal("the secret")
    key_file(tmp_path / "key", new, old)
    assert box.open(sealed) == "the secret"
    resealed = box.reseal(sealed)
    key_file(tmp_path / "key", new)
    assert box.open(resealed) == "the secret"
    with pytest.raises(Unreadable, match=r"no key in .*key opens it"):
        box.open(sealed)


@pytest.mark.parametrize("damage", ["", "x", "gAAAAA=="])
def test_what_is_damaged_is_not_opened(tmp_path: Path, old: str, damage: str) -> None:
    box = SecretBox(key_file(tmp_path / "key", old))
    with pytest.raises(Unreadable):
        box.open(damage)


def test_a_file_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path, old: str) -> None:
    file = tmp_path / "key"
    box = SecretBox(file)
    with pytest.raises(Unavailable, match=r"key, cannot be read: No such file or directory.* run"):
        box.seal("x")
    key_file(file)
    with pytest.raises(Unavailable, match=r"holds no key"):
        box.seal("x")
    key_file(file, "not a key")
    with pytest.raises(Unavailable, match=r"a line that is no Fernet key"):
        box.seal("x")
    file.write_bytes(os.urandom(40))
    with pytest.raises(Unavailable, match=r"a line that is no Fernet key"):
        box.seal("x")
    key_file(file, old).chmod(0o640)
    with pytest.raises(Unavailable, match=r"Others than its owner may read .* chmod 600"):
        box.seal("x")
