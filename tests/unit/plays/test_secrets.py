"""The socket between the web front and the plays process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from webfront.errors import Conflict, Unavailable
from webfront.fleet.views import Secrets
from webfront.plays.secrets import SecretKeeper, hand_over, wake

SECRETS = Secrets(private_key="key", password="pass")


class Kept:
    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.woken = threading.Event()
        self.path = folder / "plays.sock"
        self.keeper = SecretKeeper(self.path, self.woken.set, keep_s=60, clock=lambda: self.now)
        self.keeper.open()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.keeper.close()


def test_secrets_arrive_and_are_given_out_once(kept: Kept) -> None:
    hand_over(kept.path, 7, SECRETS)
    assert kept.woken.is_set()
    assert kept.keeper.take(8) is None
    assert kept.keeper.take(7) == SECRETS
    assert kept.keeper.take(7) is None


def test_secrets_of_a_play_that_never_starts_are_forgotten(kept: Kept) -> None:
    hand_over(kept.path, 7, SECRETS)
    kept.now = 61
    hand_over(kept.path, 8, SECRETS)
    kept.keeper.forget_old()
    assert kept.keeper.take(7) is None
    assert kept.keeper.take(8) == SECRETS


def test_without_a_plays_process_the_handing_over_fails_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="plays process does not answer"):
        hand_over(tmp_path / "none.sock", 7, SECRETS)
    wake(tmp_path / "none.sock")


def test_the_socket_is_this_users_alone_and_goes_with_the_process(kept: Kept) -> None:
    assert kept.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Conflict, match="only one"):
        SecretKeeper(kept.path, kept.woken.set).open()
    kept.keeper.close()
    assert not kept.path.exists()
    with pytest.raises(Unavailable):
        hand_over(kept.path, 7, SECRETS)


@pytest.mark.parametrize("body", [b"", b"not json", b'{"play": "x", "password": "pass"}', b'{"play": 7'])
def test_what_cannot_be_read_is_refused_without_repeating_it(
    kept: Kept, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(kept.path))
        connection.sendall(body)
        connection.shutdown(socket.SHUT_WR)
        answer = json.loads(connection.recv(4096))
    assert answer["error"] == "the request could not be read"
    assert "pass" not in caplog.text
    assert kept.keeper.take(7) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_refused_even_where_the_file_would_let_it() -> None:
    # Not below pytest's own folder, which only root may enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        kept = Kept(Path(folder))
        kept.path.chmod(0o666)
        program = (
            "import os, socket, sys; os.setuid(65534); c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]);"
            "c.sendall(b'{\"play\": 7}'); c.shutdown(socket.SHUT_WR); print(c.recv(4096).decode())"
        )
        command = [sys.executable, "-c", program, str(kept.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "may not start plays" in done.stdout
        assert not kept.woken.is_set()
        kept.keeper.close()
