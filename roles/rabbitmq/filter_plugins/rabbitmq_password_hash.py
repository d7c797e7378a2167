"""RabbitMQ's hash of a password, for a definitions file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable


def rabbitmq_password_hash(password: str, user: str) -> str:
    """The hash that RabbitMQ keeps of a password: base64 of a salt of 4 bytes and SHA-256 of salt and password.

    The salt is derived from user and password, so that the same password gives the same file and a second run changes
    nothing. RabbitMQ's salt is too short to protect a weak password anyway: the role asks for 16 characters.
    """
    salt = hashlib.sha256(f"{user}\0{password}".encode()).digest()[:4]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"rabbitmq_password_hash": rabbitmq_password_hash}
