"""Passwords: hashed with argon2id, compared in the same time whether or not the user exists."""

from __future__ import annotations

import functools
import threading
from typing import Final

import argon2

from webfront.errors import InvalidInput

# OWASP's first choice for argon2id: 19 MiB, two passes, one lane; 20 ms or so on a small machine.
_hasher: Final = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# A flood of sign-ins must not take all the memory and every core.
_at_once: Final = threading.BoundedSemaphore(2)

SHORTEST: Final = 8
LONGEST: Final = 200


def hash_password(password: str) -> str:
    """The hash to keep. InvalidInput when the password is too short or too long to be one."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"A password has {SHORTEST} to {LONGEST} characters.")
    with _at_once:
        return _hasher.hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Whether this is the password. Without a hash (no such user) it takes as long, and is False."""
    if len(password) > LONGEST:
        return False
    with _at_once:
        try:
            _hasher.verify(password_hash if password_hash is not None else _nobodys_hash(), password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Whether it was made with other parameters than today's, so that a sign-in should renew it."""
    return _hasher.check_needs_rehash(password_hash)


@functools.cache
def _nobodys_hash() -> str:
    return _hasher.hash("nobody has this password")
