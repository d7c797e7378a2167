"""The controller's settings: one frozen object, read from the environment in one place.

Every variable begins with `SKERRY_`; its field here is the rest in lower case. docs/architecture.md lists them all.
"""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from wire.broker import BrokerAddress
from wire.settings import LogLevel, Networks, SettingsError, Variable, read

_HostName = Annotated[str, Variable(pattern=r"[^\s/]{1,64}", form="a name of at most 64 characters")]
_Weight = Annotated[float, Variable(least=0.0, most=1e9)]
_Divisor = Annotated[float, Variable(least=1e-6, most=1e9)]
_Celsius = Annotated[float, Variable(least=-100.0, most=1000.0)]
_Seconds = Annotated[float, Variable(least=0.05, most=86400.0)]


@dataclasses.dataclass(frozen=True)
class ScoreSettings:
    """Weights and thresholds of the node's score; read from `SKERRY_SCORE_*`."""

    cpu_weight: _Weight = 3.0
    memory_weight: _Weight = 1.0
    events_scale: _Divisor = 10000.0
    """Events per second that count as 1."""
    memory_cap_gb: _Weight = 2.0
    memory_scale: _Divisor = 10.0
    temperature_warning_c: _Celsius = 75.0
    """Used where the sensor states no threshold of its own."""
    temperature_critical_c: _Celsius = 95.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """All the controller's settings. Paths are absolute."""

    state_dir: Path
    share_dir: Path
    broker_url: str
    broker_password_file: Path
    broker_admin_url: str
    database_url: str
    broker_ca_file: Path | None = None
    """The authorities (PEM) whose certificates of brokers count; the system's without it. For `amqps`, `https`."""
    database_password_file: Path | None = None
    secrets_key_file: Path = Path("secrets.key")
    """Encrypts the secrets that the database keeps. A file of its own: who has the database alone cannot read them."""
    web_host: str = "127.0.0.1"
    web_port: Annotated[int, Variable(least=1, most=65535)] = 8460
    web_threads: Annotated[int, Variable(least=1, most=1024)] = 16
    web_patience_s: Annotated[float, Variable(least=1.0, most=3600.0)] = 30.0
    """How long a client may take for a request's head, for each 32 KiB of its body, and to take any of an answer."""
    secure_cookies: bool = False
    proxy_networks: Networks = ()
    """Where proxies may be, beside this machine, that say who a client is."""
    project_dir: Path = Path(__file__).resolve().parent.parent
    inventory: Path | None = None
    plays_socket: Path = Path("plays.sock")
    controller_name: _HostName = "controller"
    """Which controller this is, of several on one database."""
    heartbeat_suspect_s: _Seconds = 8.0
    heartbeat_dead_s: _Seconds = 15.0
    agentless_measure_s: _Seconds = 60.0
    """How often nodes without an agent are measured; three in vain, and one counts as out of reach."""
    node_backlog: Annotated[int, Variable(least=0, most=10_000)] = 1
    max_upload_mb: Annotated[int, Variable(least=1, most=1_000_000)] = 512
    facts_keep_days: Annotated[int, Variable(least=1, most=36_500)] = 90
    webhook_networks: Networks = ()
    """Networks beside the public ones to which webhooks' deliveries may go."""
    logs_reader: Literal["none", "shipper", "logstash"] = "none"
    """Who takes the log records out of `skerry.logs`. One of them, or neither."""
    logs_rate: Annotated[int, Variable(least=1, most=100_000)] = 333
    """Records a second, and for how long the queue holds as many while nobody takes them."""
    logs_absence_s: Annotated[int, Variable(least=1, most=7 * 86_400)] = 600
    elastic_url: str = ""
    """Elasticsearch, `https://host:9200`, with commas between several of one cluster."""
    elastic_api_key_file: Path | None = None
    elastic_ca_file: Path | None = None
    elastic_stream: Annotated[str, Variable(pattern=r"[a-z0-9][a-z0-9._-]{0,100}", form="a data stream's name")] = (
        "logs-skerry-default"
    )
    kibana_url: Annotated[
        str, Variable(pattern=r"https?://[^\s@?#'\"<>]{1,500}", form="an address such as https://kibana.example")
    ] = ""
    """Where administrators' browsers reach Kibana; with a space of it, `https://kibana.example/s/skerry`."""
    log_level: LogLevel = "INFO"
    score: ScoreSettings = ScoreSettings()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check the settings. Raises `SettingsError`."""
        given = os.environ if environ is None else environ
        state_dir = Path(given.get("SKERRY_STATE_DIR", "").strip())
        settings = read(
            cls,
            given,
            database_url=f"sqlite:///{state_dir}/skerry.sqlite",
            plays_socket=state_dir / "plays.sock",
            controller_name=socket.gethostname()[:64] or "controller",
            secrets_key_file=state_dir / "secrets.key",
        )
        if settings.heartbeat_dead_s <= settings.heartbeat_suspect_s:
            raise SettingsError("SKERRY_HEARTBEAT_DEAD_S must be longer than SKERRY_HEARTBEAT_SUSPECT_S")
        if settings.score.temperature_critical_c <= settings.score.temperature_warning_c:
            raise SettingsError(
                "SKERRY_SCORE_TEMPERATURE_CRITICAL_C must be higher than SKERRY_SCORE_TEMPERATURE_WARNING_C"
            )
        return settings

    def broker_address(self) -> BrokerAddress:
        """Where the broker is, with the password from its file. Raises `SettingsError`."""
        return BrokerAddress.read(self.broker_url, self.broker_password_file, self.broker_ca_file)
