"""`skerry nodes` and `skerry plays` against the real API."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from webfront.application import WebFront
from webfront.cli import commands
from webfront.cli.client import Client
from webfront.cli.main import main
from webfront.database.models import Node, Play


def test_a_node_is_changed_and_a_play_stopped(
    app: WebFront,
    browse: Callable[..., httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    token = browse("ada").headers["Authorization"].removeprefix("Bearer ")
    monkeypatch.setattr(
        commands, "signed_in", lambda: Client("http://skerry.test", token, transport=httpx.WSGITransport(app))
    )
    Node.create(name="alpha", state="active", connection="ssh", address="10.0.0.7", ssh_user="root", created_at=0)
    assert main(["nodes", "change", "alpha", "--labels", "gpu,fast"]) == 0
    assert capsys.readouterr().out == "alpha is changed.\n"
    assert Node.get().labels == ["gpu", "fast"]
    assert main(["nodes", "list"]) == 0
    assert "gpu,fast" in capsys.readouterr().out
    assert main(["nodes", "change", "alpha"]) == 2
    assert main(["nodes", "change", "alpha", "--slots", "0"]) == 3
    play = Play.create(verb="drain", node="alpha", state="queued", requested_by="ada", created_at=0)
    assert main(["plays", "stop", str(play.id)]) == 0
    assert f"Play {play.id} about alpha is stopped." in capsys.readouterr().out
    assert main(["plays", "stop", str(play.id)]) == 3
