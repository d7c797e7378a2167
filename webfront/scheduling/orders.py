"""Orders as they are sent, made of what the database and an app's manifest say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from webfront.changeable.table import LOGS_MAX_MB
from webfront.changeable.values import Values
from webfront.database.rows import rows
from webfront.scheduling.entries import Live
from webfront.scheduling.ledger import OrderRow
from webfront.scheduling.versions import Versions
from wire.messages import Order

_ORDERS: Final = "SELECT id, input, parameters FROM job WHERE id IN (?*)"


class _OrderedRow(NamedTuple):
    id: str
    input: str | None
    parameters: str


class Orders:
    def __init__(self, versions: Versions, values: Values) -> None:
        self._versions = versions
        self._values = values

    def made(self, orders: Sequence[OrderRow]) -> list[tuple[str, Order]]:
        """Each with its node, of attempts that have just been placed."""
        log_mb = self._values.get(LOGS_MAX_MB) if orders else 0
        return [(row.node, self._order(row, log_mb)) for row in orders]

    def again(self, attempts: Sequence[Live]) -> list[tuple[str, Order]]:
        """Each with its node, of attempts that were placed before."""
        return self.made(list(self._rows(attempts))) if attempts else []

    def _rows(self, attempts: Sequence[Live]) -> Iterable[OrderRow]:
        jobs = {row.id: row for row in rows(_OrderedRow, _ORDERS, [one.job for one in attempts])}
        for one in attempts:
            if (row := jobs.get(one.job)) is not None:
                parameters = msgspec.json.decode(row.parameters)
                yield OrderRow(one.job, one.number, one.node, one.app_version_id, row.input, parameters)

    def _order(self, row: OrderRow, log_mb: int) -> Order:
        version = self._versions[row.app_version_id]
        return Order(
            job=row.job,
            attempt=row.attempt,
            app=version.ref,
            resources=version.resources,
            input=row.input,
            parameters=row.parameters,
            log_mb=log_mb,
        )
