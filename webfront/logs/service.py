"""What faces ask about log records."""

from __future__ import annotations

from typing import Final

from webfront.accounts.policy import Act, may
from webfront.accounts.views import Account
from webfront.clock import Clock, system_clock
from webfront.database.models import LogLoss, RefusedRecord
from webfront.logs.aside import LOSS_ROW
from webfront.logs.asking import Asking
from webfront.logs.bounds import bound
from webfront.logs.kibana import Kibana
from webfront.logs.searching import Searching
from webfront.logs.views import LogsView, RefusedView
from webfront.settings import Settings

_SHOWN: Final = 20
_BODY: Final = 2000


class LogsService:
    def __init__(self, settings: Settings, asking: Asking, clock: Clock = system_clock) -> None:
        self._reader = settings.logs_reader
        self._bound = bound(settings)
        self.is_searchable = asking.is_set_up
        """Whether there is an Elasticsearch. Where there is none, `search` says so."""
        self.search = Searching(asking, clock).ask
        self._kibana = Kibana(settings.kibana_url) if settings.kibana_url else None

    def kibana(self, account: Account) -> Kibana | None:
        """For whom Kibana has something: its own sign-in lets administrators in, and what it shows is everybody's."""
        return self._kibana if may(account, Act.SEE_EVERY_RECORD) else None

    def standing(self) -> LogsView:
        """For administrators: a record may hold what others did."""
        row: LogLoss | None = LogLoss.get_or_none(LogLoss.id == LOSS_ROW)
        refused = RefusedRecord.select().order_by(RefusedRecord.id.desc()).limit(_SHOWN)
        return LogsView(
            reader=self._reader,
            bound=self._bound,
            lost=row.lost if row else 0,
            lost_at=row.lost_at if row else None,
            refused=row.refused if row else 0,
            refused_at=row.refused_at if row else None,
            newest_refused=tuple(RefusedView(one.name, one.at, one.reason, one.body[:_BODY]) for one in refused),
        )
