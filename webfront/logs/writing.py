"""Taking to Elasticsearch what the database keeps, as records: facts, and what apps printed. Each is there once.

A record's id is made of what it is about, so that a second copy is known wherever it turns up. An index takes an id
once; the data stream may have rolled over since. So what may have been written before is looked for first, in all of
the stream's indices: whatever this process carries first, and whatever it carries again. Dying on any line thus costs
one more look.

The same way to a second copy is left as with the shipper: a request that is under way when its process dies, is carried
out after the next one has looked, and has a rollover between the two.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from webfront.activity.facts import Fact
from webfront.logs.aside import Refused, set_aside
from webfront.logs.engine import Engine, EngineAway, Indigestible, Verdict
from webfront.logs.records import Record
from webfront.settings import Settings

_log = logging.getLogger(__name__)

_MOST: Final = 1000
_MOST_BYTES: Final = 4 * 1024 * 1024


class Carrier:
    """What a consumer of facts carries to Elasticsearch: `Consumer("...", carry=Carrier(settings, make))`.

    `make` tells the records of a batch; they may be many, and are asked for as they are written.
    """

    def __init__(self, settings: Settings, make: Callable[[Sequence[Fact]], Iterable[Record]]) -> None:
        self._settings = settings
        self._make = make
        self._engine: Engine | None = None
        self._carried: frozenset[int] | None = None
        """The facts of the last batch that is known to be there; None while that is not known."""

    def __call__(self, facts: Sequence[Fact]) -> None:
        """Have the records of these facts written. EngineError, SettingsError: then some may be there."""
        if self._engine is None:
            self._engine = Engine.of(self._settings)
        in_doubt = self._carried is None or not self._carried.isdisjoint(fact.id for fact in facts)
        self._carried = None
        for part in _parts(self._make(facts)):
            _write(self._engine, part, in_doubt=in_doubt)
        self._carried = frozenset(fact.id for fact in facts)


def _parts(records: Iterable[Record]) -> Iterator[list[Record]]:
    """What goes into one request each."""
    part: list[Record] = []
    size = 0
    for record in records:
        part.append(record)
        size += len(record.body)
        if len(part) == _MOST or size >= _MOST_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _write(engine: Engine, records: Sequence[Record], *, in_doubt: bool) -> None:
    if in_doubt:
        there = engine.find([record.name for record in records])
        records = [record for record in records if record.name not in there]
    if not records:
        return
    try:
        verdicts = engine.write(records)
    except Indigestible as error:
        if len(records) > 1:
            half = len(records) // 2
            _write(engine, records[:half], in_doubt=False)
            _write(engine, records[half:], in_doubt=False)
            return
        verdicts = [(Verdict.REFUSED, str(error))]
    refused = []
    for record, (verdict, reason) in zip(records, verdicts, strict=True):
        if verdict is Verdict.LATER:
            raise EngineAway(reason, in_doubt=False)
        if verdict is Verdict.REFUSED:
            refused.append(Refused(record.name, reason, record.body))
    if refused and set_aside(refused):
        _log.warning(
            "%d records were set aside, the first since %s",
            len(refused),
            refused[0].reason,
            extra={"event.action": "logs.refuse", "skerry.records": len(refused)},
        )
