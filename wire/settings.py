"""Settings: a frozen dataclass for each side, and the one reader that fills it from the environment.

A field is one variable: `SKERRY_` and the field's name in upper case, where its `Variable` gives no other. The field's
type says how the text is read; a field without a default must be given. An empty variable counts as not set.
A field that is itself such a dataclass is read from the variables that begin with its name.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    _Settings = TypeVar("_Settings", bound=DataclassInstance)

PREFIX: Final = "SKERRY_"

_SETTINGS: Final = """
    AGENTLESS_MEASURE_S BROKER_ADMIN_URL BROKER_CA_FILE BROKER_PASSWORD_FILE BROKER_URL CONTROLLER_NAME
    DATABASE_PASSWORD_FILE DATABASE_URL ELASTIC_API_KEY_FILE ELASTIC_CA_FILE ELASTIC_STREAM ELASTIC_URL
    FACTS_KEEP_DAYS HEARTBEAT_DEAD_S HEARTBEAT_S HEARTBEAT_SUSPECT_S INVENTORY KIBANA_URL LOGS_ABSENCE_S LOGS_RATE
    LOGS_READER LOG_LEVEL MAX_UPLOAD_MB NODE_BACKLOG NODE_BACK_S NODE_CACHE_APPS NODE_CACHE_MB NODE_ID NODE_PYTHON
    NODE_SLOTS NODE_STATE_DIR NODE_UID_BASE PLAYS_SOCKET PROJECT_DIR PROXY_NETWORKS SCORE_CPU_WEIGHT SCORE_EVENTS_SCALE
    SCORE_MEMORY_CAP_GB SCORE_MEMORY_SCALE SCORE_MEMORY_WEIGHT SCORE_TEMPERATURE_CRITICAL_C
    SCORE_TEMPERATURE_WARNING_C SECRETS_KEY_FILE SECURE_COOKIES SHARE_DIR STATE_DIR WEBHOOK_NETWORKS WEB_HOST
    WEB_PATIENCE_S WEB_PORT WEB_THREADS
"""
_OTHERS: Final = """
    ADDED ADMIN_PASSWORD_FILE ADMIN_USER APP ARTIFACTS ATTEMPT BROKER_HOST BROKER_LISTEN BROWSER_PORT_BASE CACHE
    CHROMIUM CODE_VERSION ELASTIC_ARCHIVE ELASTIC_ARCHIVE_SUM ELASTIC_JAVA_HOME ELASTIC_LIFECYCLE EMBEDDED_HOME
    EMBEDDED_RUN FAULTS FIRST_SEED HISTORIES HOME JOB LAB_HOME LARGE_GB LOCK_FD NODE_SHARE PLAY_DIR PORT_BASE
    QUICKSTART_BEGUN TEST_SCENARIOS TOKEN URL VM_ACCEL WEB_LISTEN WEB_URL
"""
KNOWN: Final = frozenset(PREFIX + name for name in (_SETTINGS + _OTHERS).split())
"""Every variable that anything of Skerry reads: the settings of both sides, which may share an environment, and what
the quickstart, the `skerry` command, the roles and the tests read or set. A test holds the list to the code."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
"""Written with commas or spaces between; an address alone is a network of one."""

_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class SettingsError(ValueError):
    """A setting that is missing or cannot be used; the message names the variable and says what to change."""


@dataclasses.dataclass(frozen=True)
class Variable:
    """What a field's name and type do not say: its variable's name without the prefix, and what it may hold."""

    name: str = ""
    least: float = -math.inf
    most: float = math.inf
    pattern: str = ""
    form: str = ""
    """The pattern, in words."""


@dataclasses.dataclass(frozen=True)
class _Field:
    name: str
    variable: str
    kind: Any
    rule: Variable
    needed: bool


def read(cls: type[_Settings], environ: Mapping[str, str], **defaults: object) -> _Settings:
    """The settings in this environment, checked. `defaults` are those that depend on other settings. SettingsError."""
    return _read(cls, environ, PREFIX, defaults)


def variables(cls: type[DataclassInstance], prefix: str = PREFIX) -> frozenset[str]:
    """The names of all variables these settings are read from."""
    found: set[str] = set()
    for field in _fields(cls, prefix):
        inner = dataclasses.is_dataclass(field.kind)
        found |= variables(field.kind, f"{field.variable}_") if inner else {field.variable}
    return frozenset(found)


def misspelt(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that begins like a setting and is none."""
    sentences = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in KNOWN:
            near = difflib.get_close_matches(name, sorted(KNOWN), n=1, cutoff=0.8)
            sentences.append(f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "."))
    return sentences


def _read(
    cls: type[_Settings], environ: Mapping[str, str], prefix: str, defaults: Mapping[str, object] | None = None
) -> _Settings:
    values: dict[str, object] = dict(defaults or {})
    for field in _fields(cls, prefix):
        if dataclasses.is_dataclass(field.kind):
            values[field.name] = _read(typing.cast("type[Any]", field.kind), environ, f"{field.variable}_")
        elif text := environ.get(field.variable, "").strip():
            try:
                values[field.name] = _convert(text, field.kind, field.rule)
            except ValueError as error:
                raise SettingsError(f"{field.variable} must be {error}, not {text!r}") from None
        elif field.needed and field.name not in values:
            raise SettingsError(f"{field.variable} is not set")
    return cls(**values)


def _fields(cls: type[DataclassInstance], prefix: str) -> Iterator[_Field]:
    hints = typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        kind, rule = hints[field.name], Variable()
        if typing.get_origin(kind) is typing.Annotated:
            kind, rule = typing.get_args(kind)
        if typing.get_origin(kind) in (typing.Union, types.UnionType):
            kind = typing.get_args(kind)[0]  # `Path | None`: what is not set is None by its default
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        yield _Field(field.name, prefix + (rule.name or field.name.upper()), kind, rule, needed)


def _convert(text: str, kind: Any, rule: Variable) -> object:
    """The value. Raises ValueError with what it must be."""
    if typing.get_origin(kind) is Literal:
        choices = {choice.casefold(): choice for choice in typing.get_args(kind)}
        if text.casefold() not in choices:
            raise ValueError(f"one of {', '.join(choices.values())}")
        return choices[text.casefold()]
    if kind is Path:
        if not text.startswith("/"):
            raise ValueError("an absolute path")
        return Path(text)
    if kind is bool:
        if text.lower() not in _BOOLEANS:
            raise ValueError("true or false")
        return _BOOLEANS[text.lower()]
    if kind in (int, float):
        return _number(text, kind, rule)
    if kind == Networks:
        return _networks(text)
    if rule.pattern and not re.fullmatch(rule.pattern, text):
        raise ValueError(rule.form)
    return text


def _networks(text: str) -> Networks:
    try:
        return tuple(ipaddress.ip_network(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise ValueError("networks such as 10.20.0.0/16, 127.0.0.1") from None


def _number(text: str, kind: type[int | float], rule: Variable) -> int | float:
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value) and rule.least <= value <= rule.most:
        return value
    words = "a whole number" if kind is int else "a number"
    if math.isfinite(rule.most):
        words += f" from {rule.least:.15g} to {rule.most:.15g}"
    raise ValueError(words)
