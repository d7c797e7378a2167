"""Log records that cannot be written, set aside: counted exactly, and the newest of them kept to be looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from webfront.clock import Clock, system_clock
from webfront.database.connection import transaction
from webfront.database.models import LogLoss, RefusedRecord

LOSS_ROW: Final = 1
"""Its id: whoever counts first makes it, and two at once make one."""
KEPT: Final = 1000
KEPT_BYTES: Final = 16_000
"""Of each."""


class Refused(NamedTuple):
    name: str
    """Its id, empty where it has none."""
    reason: str
    body: bytes


def set_aside(records: Sequence[Refused], clock: Clock = system_clock) -> int:
    """Keep them; how many were not there yet. One that comes again, as after a crash, counts once."""
    now = clock()
    with transaction():
        new = 0
        for record in records:
            name = record.name or hashlib.sha256(record.body).hexdigest()[:32]
            if RefusedRecord.get_or_none(RefusedRecord.name == name) is not None:
                continue
            text = record.body[:KEPT_BYTES].decode("utf-8", "replace")
            RefusedRecord.create(name=name, at=now, reason=record.reason[:500], body=text)
            new += 1
        if new:
            row = loss_row()
            LogLoss.update(refused=LogLoss.refused + new, refused_at=now).where(LogLoss.id == row.id).execute()
            oldest = RefusedRecord.select(RefusedRecord.id).order_by(RefusedRecord.id.desc()).offset(KEPT).limit(1)
            for first in oldest:
                RefusedRecord.delete().where(RefusedRecord.id <= first.id).execute()
    return new


def loss_row() -> LogLoss:
    """The one row, which is made if it is not there. In the caller's transaction."""
    LogLoss.insert(id=LOSS_ROW).on_conflict_ignore().execute()
    row: LogLoss = LogLoss.get_by_id(LOSS_ROW)
    return row
