"""What words about a play need: the machine it is about, and a failure with its advice."""

from __future__ import annotations

import msgspec


class Failure(msgspec.Struct, frozen=True):
    """One failure in words."""

    message: str
    """What it means."""
    advice: str = ""
    """What to do about it."""


class PlayFailed(Exception):
    """A step of the platform's own, before or around the playbook, failed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Target(msgspec.Struct, frozen=True):
    """The machine a play is about, as far as words about its failures need it."""

    node: str
    connection: str
    """`local` or `ssh`."""
    user: str = ""
    address: str = ""
    port: int = 22
    signed_in_with: str = "platform_key"
    """`platform_key`, `private_key` or `password`."""

    @property
    def where(self) -> str:
        return "this machine" if self.connection == "local" else f"{self.address} (port {self.port})"
