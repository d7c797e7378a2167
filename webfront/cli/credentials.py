"""Where `skerry login` keeps its token: `~/.config/skerry/credentials.json`, readable by its owner only."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from webfront.cli.errors import NOT_SIGNED_IN, CliError


@dataclass(frozen=True)
class Credentials:
    url: str
    token: str

    def __repr__(self) -> str:
        return f"Credentials(url={self.url!r})"


def path(environ: Mapping[str, str]) -> Path:
    """The file, under `XDG_CONFIG_HOME` where that is set."""
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "skerry" / "credentials.json"


def load(environ: Mapping[str, str] = os.environ) -> Credentials:
    """The saved credentials; `SKERRY_URL` and `SKERRY_TOKEN`, for programs, come first. CliError without any."""
    if environ.get("SKERRY_URL") and environ.get("SKERRY_TOKEN"):
        return Credentials(environ["SKERRY_URL"].rstrip("/"), environ["SKERRY_TOKEN"])
    try:
        found = json.loads(path(environ).read_text(encoding="utf-8"))
        return Credentials(found["url"], found["token"])
    except FileNotFoundError:
        raise CliError("You are not signed in. Run `skerry login URL` first.", NOT_SIGNED_IN) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CliError(
            f"{path(environ)} cannot be read: {error}. Run `skerry login URL` again.", NOT_SIGNED_IN
        ) from None


def save(credentials: Credentials, environ: Mapping[str, str] = os.environ) -> Path:
    """Write them, whole, never readable by others. Returns the file."""
    file = path(environ)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump({"url": credentials.url, "token": credentials.token}, out)
    beside.rename(file)
    return file


def forget(environ: Mapping[str, str] = os.environ) -> None:
    path(environ).unlink(missing_ok=True)
