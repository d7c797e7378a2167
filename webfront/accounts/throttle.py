"""Throttling of sign-ins, by user name and by client address.

A try is counted before it is looked at, so that many at once do not slip through together; a success takes the user's
tries from that client back. What is counted is the name as typed: an unknown name is throttled like a known one.
"""

from __future__ import annotations

from typing import Final

from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import SignInFailure
from webfront.errors import Throttled

WINDOW_S: Final = 15 * 60.0
TRIES_PER_USER: Final = 10
TRIES_PER_CLIENT: Final = 20


class Throttle:
    def __init__(self, clock: Clock = system_clock) -> None:
        self._clock = clock

    def count(self, user_name: str, client: str) -> None:
        """Count one try. Throttled when there were too many in the last quarter of an hour."""
        now = self._clock()
        user_name, client = user_name[:64], client[:64]
        with transaction():
            for column, value, limit in (
                (SignInFailure.user_name, user_name, TRIES_PER_USER),
                (SignInFailure.client, client, TRIES_PER_CLIENT),
            ):
                recent = (column == value) & (SignInFailure.at >= now - WINDOW_S)
                tries = [row.at for row in SignInFailure.select().where(recent).order_by(SignInFailure.at)]
                if len(tries) >= limit:
                    raise Throttled(
                        "Too many sign-ins failed. Wait a while, then try again.",
                        retry_after_s=max(1.0, tries[len(tries) - limit] + WINDOW_S - now),
                    )
            SignInFailure.create(user_name=user_name, client=client, at=now)

    def forgive(self, user_name: str, client: str) -> None:
        """The sign-in was right: its tries no longer count."""
        with transaction():
            SignInFailure.delete().where(
                (SignInFailure.user_name == user_name[:64]) & (SignInFailure.client == client[:64])
            ).execute()
