"""The agent's settings."""

from __future__ import annotations

import pytest

from node_scripts.settings import NodeSettings
from wire.settings import SettingsError

REQUIRED = {
    "SKERRY_NODE_ID": "alpha",
    "SKERRY_NODE_STATE_DIR": "/var/lib/skerry",
    "SKERRY_SHARE_DIR": "/srv/skerry",
    "SKERRY_BROKER_URL": "amqp://node-alpha@broker:5672/",
    "SKERRY_BROKER_PASSWORD_FILE": "/etc/skerry/password",
}


def test_the_rest_has_defaults_and_an_empty_value_counts_as_none() -> None:
    settings = NodeSettings.from_environment({**REQUIRED, "SKERRY_NODE_SLOTS": " "})
    assert (settings.slots, settings.heartbeat_s, settings.uid_base) == (1, 5.0, 60600)
    assert (settings.cache_apps, settings.cache_mb, settings.log_level) == (20, 4096, "INFO")
    assert settings.python.is_file()


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_missing_setting_is_named(missing: str) -> None:
    with pytest.raises(SettingsError, match=f"{missing} is not set"):
        NodeSettings.from_environment({name: value for name, value in REQUIRED.items() if name != missing})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SKERRY_NODE_ID", "Al pha"),
        ("SKERRY_NODE_ID", "-alpha"),
        ("SKERRY_SHARE_DIR", "share"),
        ("SKERRY_NODE_SLOTS", "0"),
        ("SKERRY_NODE_SLOTS", "many"),
        ("SKERRY_NODE_UID_BASE", "0"),
        ("SKERRY_HEARTBEAT_S", "nan"),
        ("SKERRY_HEARTBEAT_S", "-1"),
        ("SKERRY_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_wrong_setting_is_named_with_what_it_must_be(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be .*, not '{value}'"):
        NodeSettings.from_environment({**REQUIRED, name: value})
