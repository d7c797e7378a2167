"""After a start: what became of the attempts that an earlier process held."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from node_scripts.journal import JournalledAttempt
from node_scripts.running.interface import Recovered, Runner, RunningAttempt

_log = logging.getLogger(__name__)


def find_all(
    runner: Runner, journalled: Sequence[JournalledAttempt]
) -> list[tuple[JournalledAttempt, RunningAttempt | Recovered]]:
    """Each attempt with what the runner found of it, in the order given (oldest first)."""
    # The runner is asked about those without an end before those with one, newest first: a slot may have had one after
    # the other, and what the runner clears away for the earlier must not be the later.
    order = sorted(range(len(journalled)), key=lambda place: (journalled[place].finished is not None, -place))
    found = {place: _find(runner, journalled[place]) for place in order}
    return [(record, found[place]) for place, record in enumerate(journalled)]


def _find(runner: Runner, record: JournalledAttempt) -> RunningAttempt | Recovered:
    if record.slot is None:
        # The journal has the slot before anything is launched in it.
        return Recovered.NOT_LAUNCHED
    try:
        found = runner.recover(record.order, record.slot)
    except Exception:
        # One folder that cannot be read must not keep the node from starting. Should the app still run, its results
        # are those of a superseded attempt, and never served.
        _log.exception("an attempt cannot be recovered", extra={"skerry.job": record.order.job})
        return Recovered.LOST
    if found is Recovered.NOT_LAUNCHED and record.started_at is not None and record.finished is None:
        return Recovered.LOST  # it ran, and its folder is gone: to run it again is the scheduler's to decide
    return found
