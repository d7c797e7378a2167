"""Who works, of several schedulers: the one that holds the exclusive queue and whose epoch is the database's.

The queue decides who begins. The epoch makes sure of the rest: the broker may have given the queue to another while
this process was stopped or cut off, and then its next transaction finds a newer epoch and changes nothing.
"""

from __future__ import annotations

from typing import Final

from webfront.activity.term import Deposed, Term
from webfront.database.connection import transaction
from webfront.database.models import Leadership as LeadershipRow
from webfront.database.rows import locked, value

_EPOCH: Final = "SELECT epoch FROM leadership"


class Leadership:
    """This process's claim to work."""

    def __init__(self, holder: str) -> None:
        self._holder = holder
        self.term: Term | None = None

    def take_over(self, now: float) -> Term:
        """Begin a new term, which ends that of any other scheduler. Only with the exclusive queue in hand."""
        with transaction():
            found = value(locked(_EPOCH))
            epoch = 1 if found is None else found + 1
            if found is not None:
                LeadershipRow.update(epoch=epoch, holder=self._holder, since=now).execute()
            else:
                LeadershipRow.create(epoch=epoch, holder=self._holder, since=now)
        self.term = Term(epoch)
        return self.term

    def check(self) -> None:
        """Make sure, within a transaction, that this term lasts until its end. Raises `Deposed`."""
        if self.term is None:
            raise Deposed("this scheduler does not lead")
        self.term.check()

    def resign(self) -> None:
        """The exclusive queue is gone."""
        if self.term is not None:
            self.term.end()
        self.term = None
