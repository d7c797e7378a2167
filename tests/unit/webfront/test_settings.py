"""The controller's settings: read once, checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from webfront.settings import ScoreSettings, Settings
from wire.settings import SettingsError

LEAST = {
    "SKERRY_STATE_DIR": "/var/lib/skerry",
    "SKERRY_SHARE_DIR": "/srv/share",
    "SKERRY_BROKER_URL": "amqp://skerry@localhost:5672/skerry",
    "SKERRY_BROKER_PASSWORD_FILE": "/etc/skerry/broker-password",
    "SKERRY_BROKER_ADMIN_URL": "http://localhost:15672",
}


def test_what_is_not_given_has_the_documented_default() -> None:
    settings = Settings.from_environment(LEAST)
    assert settings.database_url == "sqlite:////var/lib/skerry/skerry.sqlite"
    assert settings.plays_socket == Path("/var/lib/skerry/plays.sock")
    assert settings.secrets_key_file == Path("/var/lib/skerry/secrets.key")
    assert settings.node_backlog == 1
    assert settings.score == ScoreSettings()


def test_values_are_converted() -> None:
    more = {"SKERRY_WEB_PORT": "9000", "SKERRY_SECURE_COOKIES": "true", "SKERRY_SCORE_CPU_WEIGHT": "2.5"}
    settings = Settings.from_environment({**LEAST, **more})
    assert settings.web_port == 9000
    assert settings.secure_cookies is True
    assert settings.score.cpu_weight == 2.5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"SKERRY_SHARE_DIR": ""}, "SKERRY_SHARE_DIR is not set"),
        ({"SKERRY_SHARE_DIR": "share"}, "SKERRY_SHARE_DIR must be an absolute path"),
        ({"SKERRY_WEB_PORT": "http"}, "SKERRY_WEB_PORT must be a whole number"),
        ({"SKERRY_SECURE_COOKIES": "perhaps"}, "SKERRY_SECURE_COOKIES must be true or false"),
        ({"SKERRY_SCORE_CPU_WEIGHT": "much"}, "SKERRY_SCORE_CPU_WEIGHT must be a number"),
        ({"SKERRY_WEB_PORT": "70000"}, "SKERRY_WEB_PORT must be a whole number from 1 to 65535"),
        ({"SKERRY_SCORE_MEMORY_SCALE": "0"}, "SKERRY_SCORE_MEMORY_SCALE must be a number from"),
        ({"SKERRY_LOG_LEVEL": "LOUD"}, "SKERRY_LOG_LEVEL must be one of"),
        ({"SKERRY_HEARTBEAT_DEAD_S": "5"}, "SKERRY_HEARTBEAT_DEAD_S must be longer"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        Settings.from_environment({**LEAST, **change})
