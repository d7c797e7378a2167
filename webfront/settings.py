"""The controller's settings: one frozen object, read from the environment in one place.

Every variable begins with `SKERRY_`; its field here is the rest in lower case. docs/architecture.md lists them all.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from wire.broker import BrokerAddress

_PREFIX: Final = "SKERRY_"
_SCORE_PREFIX: Final = "SCORE_"


class SettingsError(ValueError):
    """A setting that is missing or cannot be used; the message names the variable and says what to change."""


@dataclasses.dataclass(frozen=True)
class ScoreSettings:
    """Weights and thresholds of the node's score; read from `SKERRY_SCORE_*`."""

    cpu_weight: float = 3.0
    memory_weight: float = 1.0
    events_scale: float = 10000.0
    """Events per second that count as 1."""
    memory_cap_gb: float = 2.0
    memory_scale: float = 10.0
    temperature_warning_c: float = 75.0
    """Used where the sensor states no threshold of its own."""
    temperature_critical_c: float = 95.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """All the controller's settings. Paths are absolute."""

    state_dir: Path
    share_dir: Path
    broker_url: str
    broker_password_file: Path
    broker_admin_url: str
    database_url: str
    database_password_file: Path | None = None
    web_host: str = "127.0.0.1"
    web_port: int = 8460
    web_threads: int = 16
    secure_cookies: bool = False
    project_dir: Path = Path(__file__).resolve().parent.parent
    inventory: Path | None = None
    plays_socket: Path = Path("plays.sock")
    heartbeat_suspect_s: float = 15.0
    heartbeat_dead_s: float = 45.0
    node_backlog: int = 1
    max_upload_mb: int = 512
    log_level: str = "INFO"
    score: ScoreSettings = ScoreSettings()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check the settings. Raises `SettingsError`."""
        given = {
            name.removeprefix(_PREFIX).lower(): value.strip()
            for name, value in (os.environ if environ is None else environ).items()
            if name.startswith(_PREFIX) and value.strip()
        }
        state_dir = _convert("state_dir", "Path", _required(given, "state_dir"))
        given.setdefault("database_url", f"sqlite:///{state_dir}/skerry.sqlite")
        given.setdefault("plays_socket", f"{state_dir}/plays.sock")
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            if field.name == "score":
                continue
            if field.name in given:
                values[field.name] = _convert(field.name, str(field.type), given[field.name])
            elif field.default is dataclasses.MISSING:
                _required(given, field.name)
        scores = {
            field.name: _convert(name, "float", given[name])
            for field in dataclasses.fields(ScoreSettings)
            if (name := _SCORE_PREFIX.lower() + field.name) in given
        }
        settings = cls(**values, score=ScoreSettings(**scores))
        if settings.heartbeat_dead_s <= settings.heartbeat_suspect_s:
            raise SettingsError("SKERRY_HEARTBEAT_DEAD_S must be longer than SKERRY_HEARTBEAT_SUSPECT_S")
        if settings.score.temperature_critical_c <= settings.score.temperature_warning_c:
            raise SettingsError(
                "SKERRY_SCORE_TEMPERATURE_CRITICAL_C must be higher than SKERRY_SCORE_TEMPERATURE_WARNING_C"
            )
        return settings

    def broker_address(self) -> BrokerAddress:
        """Where the broker is, with the password from its file. Raises `SettingsError`."""
        try:
            return BrokerAddress.read(self.broker_url, self.broker_password_file)
        except (OSError, ValueError) as error:
            raise SettingsError(f"SKERRY_BROKER_URL or SKERRY_BROKER_PASSWORD_FILE: {error}") from error


def _required(given: Mapping[str, str], name: str) -> str:
    if name not in given:
        raise SettingsError(f"{_PREFIX}{name.upper()} is not set")
    return given[name]


def _convert(name: str, kind: str, text: str) -> Any:
    variable = _PREFIX + name.upper()
    try:
        match kind.removesuffix(" | None"):
            case "Path":
                path = Path(text)
                if not path.is_absolute():
                    raise SettingsError(f"{variable} must be an absolute path, not {text!r}")
                return path
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
            case _:
                return text
    except SettingsError:
        raise
    except (ValueError, KeyError):
        kinds = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        raise SettingsError(f"{variable} must be {kinds[kind]}, not {text!r}") from None
