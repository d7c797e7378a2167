"""The chores, one line each: what it is called, how often it runs, what it does. See `webfront.activity.chores`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from webfront.accounts.tidying import remove_expired
from webfront.activity.chores import Chore
from webfront.activity.term import Term
from webfront.apps.deleting import FOLDER, forget_unused, may_go
from webfront.apps.upload import sweep_uploads
from webfront.changeable.values import Values
from webfront.fleet.admissions import keep_admitted
from webfront.invitations.retention import forget_old_invitations
from webfront.jobs.keys import forget_old_keys
from webfront.jobs.moving import MovingLogs
from webfront.jobs.retention import (
    forget_old_inputs,
    forget_old_jobs,
    forget_old_logs,
    forget_old_rankings,
    forget_old_results,
)
from webfront.jobs.strangers import sweep_logs, sweep_results
from webfront.jobs.submission import sweep_inputs
from webfront.logs.bounds import keep_bounds
from webfront.logs.figures import tell_figures
from webfront.plays.retention import forget_old_plays
from webfront.retention.facts import forget_old_facts
from webfront.retention.removals import Removing
from webfront.schedules.kept import sweep_kept
from webfront.schedules.ticking import Ticker
from webfront.scheduling.consumers import all_consumers
from webfront.secretbox import SecretBox
from webfront.settings import Settings
from webfront.webhooks.delivering import Delivering
from webfront.webhooks.retention import forget_old_deliveries

_SECOND: Final = 1.0
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


def all_chores(settings: Settings) -> tuple[Chore, ...]:
    consumers = [one.name for one in all_consumers(settings)]
    values = Values(settings)
    figures = (Chore("node figures", _MINUTE, tell_figures),) if settings.logs_reader != "none" else ()
    return (
        *figures,
        Chore("nodes at the broker", _MINUTE / 4, partial(keep_admitted, settings=settings)),
        Chore("expired sessions", _HOUR, remove_expired),
        Chore("log bounds", _MINUTE, partial(keep_bounds, settings=settings)),
        Chore("old facts", _HOUR, partial(forget_old_facts, values=values, consumers=consumers)),
        Chore("old results", _HOUR, partial(forget_old_results, values=values)),
        Chore("old inputs", _HOUR, partial(forget_old_inputs, values=values)),
        Chore("old logs", _HOUR, partial(forget_old_logs, values=values, consumers=consumers)),
        Chore("old rankings", _HOUR, partial(forget_old_rankings, values=values)),
        Chore("old jobs", _HOUR, partial(forget_old_jobs, values=values, consumers=consumers)),
        Chore("old plays", _HOUR, partial(forget_old_plays, values=values)),
        Chore("unused versions", _HOUR, partial(forget_unused, values=values)),
        Chore("logs to the share", 2 * _SECOND, MovingLogs(settings.share_dir, consumers).run),
        Chore("removals", 5 * _SECOND, Removing(settings.share_dir, FOLDER, may_go).run),
        Chore("old idempotency keys", _HOUR, forget_old_keys),
        Chore("abandoned inputs", 6 * _HOUR, partial(_swept, sweep_inputs, settings.share_dir, "inputs of no job")),
        Chore("strangers' results", 6 * _HOUR, partial(_swept, sweep_results, settings.share_dir, "results of no job")),
        Chore("strangers' logs", 6 * _HOUR, partial(_swept, sweep_logs, settings.share_dir, "logs of no job")),
        Chore("abandoned uploads", _HOUR, partial(_swept, sweep_uploads, settings.share_dir / "apps", "half uploads")),
        Chore(
            "abandoned schedules' inputs", 6 * _HOUR, partial(_swept, sweep_kept, settings.share_dir, "unused inputs")
        ),
        Chore("schedules", _SECOND, Ticker(settings.share_dir).run),
        Chore("deliveries", _SECOND, Delivering(SecretBox(settings.secrets_key_file), settings.webhook_networks)),
        Chore("old deliveries", _HOUR, forget_old_deliveries),
        Chore("old invitations", _HOUR, forget_old_invitations),
    )


def _swept(sweep: Callable[[Path, float], int], folder: Path, what: str, term: Term) -> str:
    """A sweep of the share, which any number may run at once: what it removes is nobody's."""
    removed = sweep(folder, term.now())
    return f"removed {removed} {what}" if removed else ""
