"""What the leading scheduler runs beside its turns, for as long as it leads: the consumers and the chores."""

from __future__ import annotations

from typing import Final

from webfront.activity.runner import Runner
from webfront.activity.term import Term
from webfront.scheduling.chores import all_chores
from webfront.scheduling.consumers import all_consumers
from webfront.settings import Settings

_STOP_S: Final = 2.0
"""How long what is in the middle of something may take to end with the process."""


class Beside:
    """One after another, a runner for each term."""

    def __init__(self, settings: Settings) -> None:
        self._consumers, self._chores = all_consumers(settings), all_chores(settings)
        self._runner: Runner | None = None

    def begin(self, term: Term) -> None:
        """This scheduler leads. What an earlier term still runs can no longer write."""
        self._runner = Runner(term, self._consumers, self._chores)
        self._runner.start()

    def end(self, *, wait: bool = False) -> None:
        """It leads no more. With `wait`, give what is under way a moment."""
        if self._runner is not None:
            self._runner.stop(_STOP_S if wait else 0.0)
