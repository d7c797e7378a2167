"""What a node has run lately, for its page."""

from __future__ import annotations

import msgspec

from webfront.accounts.policy import Act, may
from webfront.accounts.views import Account
from webfront.database.models import App, AppVersion, Attempt, Job
from webfront.jobs.states import AttemptState
from wire.messages import Cause


class NodeAttempt(msgspec.Struct, frozen=True):
    """One try on a node. `job` and `app` are empty where the job is another user's."""

    job: str
    app: str
    yours: bool
    number: int
    state: AttemptState
    cause: Cause | None
    placed_at: float
    started_at: float | None
    ended_at: float | None


def recent_attempts(account: Account, node: str, *, limit: int = 10) -> tuple[NodeAttempt, ...]:
    """The newest attempts on this node, newest first. Other users' show that there were some, not what they were."""
    # First which, then what they are: asked for both at once, MariaDB may begin with all jobs there are.
    newest = Attempt.select(Attempt.id).where(Attempt.node == node).order_by(Attempt.id.desc()).limit(limit)
    query = (
        Attempt.select(Attempt, Job, AppVersion, App)
        .join(Job)
        .join(AppVersion)
        .join(App)
        .where(Attempt.id.in_([row.id for row in newest]))
        .order_by(Attempt.id.desc())
    )
    return tuple(_told(row, yours=may(account, Act.SEE_JOB, row.job)) for row in query)


def _told(row: Attempt, *, yours: bool) -> NodeAttempt:
    return NodeAttempt(
        job=row.job.id if yours else "",
        app=row.job.app_version.app.name if yours else "",
        yours=yours,
        number=row.number,
        state=AttemptState(row.state),
        cause=None if row.cause is None else Cause(row.cause),
        placed_at=row.placed_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
