"""Who works, of several schedulers: the one that has the seat and whose epoch is the database's.

The seat (`webfront.scheduling.seat`) decides who begins. The epoch makes sure of the rest: the broker may have given
the seat to another while this process was stopped or cut off, and then its next transaction finds a newer epoch and
changes nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from webfront.activity.term import Deposed, Term
from webfront.database.connection import transaction
from webfront.database.models import Leadership as LeadershipRow
from webfront.database.rows import locked, rows

_LEADER: Final = "SELECT epoch, holder FROM leadership"


class _Row(NamedTuple):
    epoch: int
    holder: str


class Leadership:
    """This process's claim to work."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.former = ""
        """Who led before this one took over."""
        self.term: Term | None = None

    def take_over(self, now: float) -> Term:
        """Begin a new term, which ends that of any other scheduler. Only with the seat taken."""
        with transaction(hurried=True):
            found = rows(_Row, locked(_LEADER))
            epoch = found[0].epoch + 1 if found else 1
            if found:
                LeadershipRow.update(epoch=epoch, holder=self.holder, since=now).execute()
            else:
                LeadershipRow.create(epoch=epoch, holder=self.holder, since=now)
        self.former = found[0].holder if found else ""
        self.term = Term(epoch)
        return self.term

    def check(self) -> None:
        """Make sure, within a transaction, that this term lasts until its end. Raises `Deposed`."""
        if self.term is None:
            raise Deposed("this scheduler does not lead")
        self.term.check()

    def resign(self) -> None:
        """The seat is lost, or the connection."""
        if self.term is not None:
            self.term.end()
        self.term = None
