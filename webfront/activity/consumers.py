"""Consumers: who is told of facts, each at its own pace, each fact at least once.

A consumer is a name, the kinds of facts it wants, and a function. It is handed the facts of one batch after another; in
the same transaction its cursor moves past the batch. So what the function writes into the database stands exactly when
the cursor has moved, and a consumer that is killed is handed one batch again, of which nothing is left in the database.
What the function does beyond the database may be repeated, a batch at most. But the transaction is not the place for
it, since others wait: write a row there, and let a chore do the work. Or, where the facts themselves are to be taken
elsewhere, and a second copy is known there as one, `carry` them: that is done before the transaction, and may be done
again with the same batch whatever line the process dies on.

A function that raises changes nothing. Its consumer is handed the same batch again after a pause that grows, for as
long as it takes, and its row says since when it fails, and why. The others go on.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from webfront.activity.facts import Fact, Kind
from webfront.activity.numbering import last_batch, next_batch, read_batch
from webfront.activity.term import Deposed, Term
from webfront.activity.trouble import told
from webfront.database.rows import change, rows

_log = logging.getLogger(__name__)

LONGEST_PAUSE_S: Final = 300.0

_FIND: Final = "SELECT batch, tries, failing_since, next_try_at FROM consumer WHERE name = ?"
_BEGIN: Final = "INSERT INTO consumer (name, batch, error, tries) VALUES (?, ?, '', 0)"
_MOVE: Final = (
    "UPDATE consumer SET batch = ?, failing_since = NULL, error = '', tries = 0, next_try_at = NULL WHERE name = ?"
)
_FAIL: Final = "UPDATE consumer SET failing_since = ?, error = ?, tries = ?, next_try_at = ? WHERE name = ?"


@dataclasses.dataclass(frozen=True, slots=True)
class Consumer:
    """A consumer; one line in `webfront.scheduling.consumers`."""

    name: str
    handle: Callable[[Sequence[Fact]], None] | None = None
    """Takes facts of one batch, in their order, within a transaction. It writes to the database and returns soon."""
    kinds: frozenset[Kind] = frozenset(Kind)
    wanted: Callable[[], bool] = lambda: True
    """Whether anybody waits for what it does, asked in each transaction. Where not, the cursor passes over facts."""
    from_the_beginning: bool = False
    """A new consumer begins with what happens from now on, unless it wants everything that is still kept."""
    carry: Callable[[Sequence[Fact]], None] | None = None
    """Takes facts of one batch, in their order, outside any transaction, for as long as it needs."""


class _Cursor(NamedTuple):
    batch: int
    tries: int
    failing_since: float | None
    next_try_at: float | None


def begin(consumer: Consumer, term: Term) -> None:
    """Make a new consumer's row. Raises `Deposed`."""
    with term.transaction():
        if not rows(_Cursor, _FIND, consumer.name):
            change(_BEGIN, consumer.name, 0 if consumer.from_the_beginning else last_batch())


def pause(consumer: Consumer, now: float) -> float:
    """For how many seconds the consumer is still to be left alone, after a failure."""
    next_try_at = _cursor(consumer).next_try_at
    # A clock that was set back is not waited for.
    return 0.0 if next_try_at is None else min(LONGEST_PAUSE_S, max(0.0, next_try_at - now))


def feed(consumer: Consumer, term: Term) -> bool:
    """Hand the consumer its next batch. False when there is none, or when it failed. Raises `Deposed`."""
    batch = next_batch(_cursor(consumer).batch)
    if batch is None:
        return False
    newest = last_batch()  # before it is asked whether anybody waits: what comes later may be waited for
    try:
        if consumer.carry is not None and consumer.wanted() and (facts := read_batch(batch, consumer.kinds)):
            consumer.carry(facts)
        with term.transaction():
            if not consumer.wanted():
                batch = newest
            elif consumer.handle is not None and (facts := read_batch(batch, consumer.kinds)):
                consumer.handle(facts)
            change(_MOVE, batch, consumer.name)
    except Deposed:
        raise
    except Exception as error:
        _log.warning(
            "the consumer %s failed at batch %d: %s",
            consumer.name,
            batch,
            error,
            exc_info=error,
            extra={"event.action": "consumer.fail", "skerry.consumer": consumer.name},
        )
        _note_failure(consumer, term, error)
        return False
    return True


def _note_failure(consumer: Consumer, term: Term, error: Exception) -> None:
    now = term.now()
    with term.transaction():
        cursor = _cursor(consumer)
        wait = min(LONGEST_PAUSE_S, 2.0 ** min(cursor.tries, 20))
        change(_FAIL, cursor.failing_since or now, told(error), cursor.tries + 1, now + wait, consumer.name)


def _cursor(consumer: Consumer) -> _Cursor:
    (cursor,) = rows(_Cursor, _FIND, consumer.name)
    return cursor
