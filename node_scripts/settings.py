"""The agent's settings: one frozen object, read from the environment in one place. docs/architecture.md lists them."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from wire.broker import BrokerAddress
from wire.topology import NODE_NAME, NODE_NAME_RULE

_LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_T = TypeVar("_T")


class SettingsError(ValueError):
    """A setting that is missing or cannot be used; the message names the variable and says what to change."""


@dataclasses.dataclass(frozen=True)
class NodeSettings:
    """All the agent's settings. Paths are absolute."""

    node_id: str
    state_dir: Path
    """The journal, the benchmark's figure, attempts' folders and cached virtual environments."""
    share_dir: Path
    broker_url: str
    broker_password_file: Path
    slots: int = 1
    """How many attempts run at once."""
    heartbeat_s: float = 5.0
    uid_base: int = 60600
    """Slot `n` runs its apps as user `uid_base + n`, when the agent is root."""
    cache_apps: int = 20
    """How many virtual environments of app versions are kept."""
    cache_mb: int = 4096
    log_level: str = "INFO"
    python: Path = Path(sys.executable)
    """The interpreter that apps' virtual environments are made from."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> NodeSettings:
        """Read and check the settings. Raises `SettingsError`."""
        given = os.environ if environ is None else environ
        return cls(
            node_id=_read(given, "SKERRY_NODE_ID", _node_id),
            state_dir=_read(given, "SKERRY_NODE_STATE_DIR", _absolute),
            share_dir=_read(given, "SKERRY_SHARE_DIR", _absolute),
            broker_url=_read(given, "SKERRY_BROKER_URL", str),
            broker_password_file=_read(given, "SKERRY_BROKER_PASSWORD_FILE", _absolute),
            slots=_read(given, "SKERRY_NODE_SLOTS", _whole(1, 1024), cls.slots),
            heartbeat_s=_read(given, "SKERRY_HEARTBEAT_S", _seconds, cls.heartbeat_s),
            uid_base=_read(given, "SKERRY_NODE_UID_BASE", _whole(1000, 2**31), cls.uid_base),
            cache_apps=_read(given, "SKERRY_NODE_CACHE_APPS", _whole(1, 100_000), cls.cache_apps),
            cache_mb=_read(given, "SKERRY_NODE_CACHE_MB", _whole(1, 2**31), cls.cache_mb),
            log_level=_read(given, "SKERRY_LOG_LEVEL", _log_level, cls.log_level),
            # The agent's own virtual environment is no base for others: take the interpreter it was made from.
            python=_read(
                given, "SKERRY_NODE_PYTHON", _absolute, Path(getattr(sys, "_base_executable", sys.executable))
            ),
        )

    def broker_address(self) -> BrokerAddress:
        """Where the broker is, with the password from its file. Raises `SettingsError`."""
        try:
            return BrokerAddress.read(self.broker_url, self.broker_password_file)
        except (OSError, ValueError) as error:
            raise SettingsError(f"SKERRY_BROKER_URL or SKERRY_BROKER_PASSWORD_FILE: {error}") from error


def _read(given: Mapping[str, str], variable: str, convert: Callable[[str], _T], default: _T | None = None) -> _T:
    text = given.get(variable, "").strip()
    if not text:
        if default is None:
            raise SettingsError(f"{variable} is not set")
        return default
    try:
        return convert(text)
    except ValueError as error:
        raise SettingsError(f"{variable} must be {error}, not {text!r}") from None


# Each of these raises ValueError with what the value must be.


def _node_id(text: str) -> str:
    if not NODE_NAME.fullmatch(text):
        raise ValueError(f"a node's name ({NODE_NAME_RULE})")
    return text


def _absolute(text: str) -> Path:
    if not text.startswith("/"):
        raise ValueError("an absolute path")
    return Path(text)


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return convert


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 3600:
        raise ValueError("a number of seconds from 0.05 to 3600")
    return value


def _log_level(text: str) -> str:
    if text.upper() not in _LOG_LEVELS:
        raise ValueError(f"one of {', '.join(_LOG_LEVELS)}")
    return text.upper()
