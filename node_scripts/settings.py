"""The agent's settings: one frozen object, read from the environment in one place. docs/architecture.md lists them."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from wire.broker import BrokerAddress
from wire.settings import LogLevel, Variable, read
from wire.topology import NODE_NAME, NODE_NAME_RULE


@dataclasses.dataclass(frozen=True)
class NodeSettings:
    """All the agent's settings. Paths are absolute."""

    node_id: Annotated[str, Variable(pattern=NODE_NAME.pattern, form=f"a node's name ({NODE_NAME_RULE})")]
    state_dir: Annotated[Path, Variable("NODE_STATE_DIR")]
    """The journal, the benchmark's figure, attempts' folders and cached virtual environments."""
    share_dir: Path
    broker_url: str
    broker_password_file: Path
    broker_ca_file: Path | None = None
    """The authorities (PEM) whose certificates of brokers count; the system's without it. Only for `amqps`."""
    slots: Annotated[int, Variable("NODE_SLOTS", least=1, most=1024)] = 1
    """How many attempts run at once."""
    heartbeat_s: Annotated[float, Variable(least=0.05, most=3600.0)] = 5.0
    back_s: Annotated[float, Variable("NODE_BACK_S", least=0, most=3600.0)] = 60.0
    """An agent that stops says that it is back within so many seconds: for so long what it runs is not given up."""
    uid_base: Annotated[int, Variable("NODE_UID_BASE", least=1000, most=2**31)] = 60600
    """Slot `n` runs its apps as user `uid_base + n`, when the agent is root."""
    cache_apps: Annotated[int, Variable("NODE_CACHE_APPS", least=1, most=100_000)] = 20
    """How many virtual environments of app versions are kept."""
    cache_mb: Annotated[int, Variable("NODE_CACHE_MB", least=1, most=2**31)] = 4096
    log_level: LogLevel = "INFO"
    # The agent's own virtual environment is no base for others: take the interpreter it was made from.
    python: Annotated[Path, Variable("NODE_PYTHON")] = Path(getattr(sys, "_base_executable", sys.executable))
    """The interpreter that apps' virtual environments are made from."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> NodeSettings:
        """Read and check the settings. Raises `SettingsError`."""
        return read(cls, os.environ if environ is None else environ)

    def broker_address(self) -> BrokerAddress:
        """Where the broker is, with the password from its file. Raises `SettingsError`."""
        return BrokerAddress.read(self.broker_url, self.broker_password_file, self.broker_ca_file)
