"""What pages and the API show of plays."""

from __future__ import annotations

from webfront.database.models import LARGEST_NUMBER, Node, Play, PlayEvent
from webfront.errors import Gone, NotFound
from webfront.plays import phases
from webfront.plays.states import PlayState, StepState
from webfront.plays.verbs import VERBS
from webfront.plays.views import PlayEventView, PlayProgress, PlayView

_MOST_PLAYS = 100


def list_plays(node: str, *, limit: int = 10) -> tuple[PlayView, ...]:
    """The newest plays about a node, newest first."""
    rows = Play.select().where(Play.node == node).order_by(Play.id.desc()).limit(max(1, min(limit, _MOST_PLAYS)))
    return tuple(play_view(row) for row in rows)


def get_play(play_id: int, *, after: int = 0) -> PlayProgress:
    """A play and its steps numbered above `after`. NotFound."""
    row = find_play(play_id)
    # The play before its events: one that is over here has all of them below.
    view = play_view(row)
    events = [_event_view(one) for one in PlayEvent.select().where(PlayEvent.play == row).order_by(PlayEvent.number)]
    verb, node = VERBS.get(row.verb), Node.get_or_none(Node.name == row.node)
    told = [phases.Told(one.phase, one.state, one.at) for one in events]
    known = verb.phases if verb and not (node and node.agentless) else ()
    seen = phases.view(known, told, row.started_at, is_over=view.is_over)
    return PlayProgress(view, seen, tuple(one for one in events if one.number > after))


def _event_view(row: PlayEvent) -> PlayEventView:
    return PlayEventView(row.number, row.at, row.step, StepState(row.state), row.detail, row.phase)


def find_play(play_id: int) -> Play:
    """The row. NotFound; Gone where later ones are there: plays are removed when they are old."""
    row: Play | None = Play.get_or_none(Play.id == play_id) if play_id <= LARGEST_NUMBER else None
    if row is None:
        if 0 < play_id <= LARGEST_NUMBER and Play.select().where(Play.id > play_id).exists():
            raise Gone(f"Play {play_id} is not kept any more: it ended long ago.")
        raise NotFound(f"There is no play {play_id}.")
    return row


def play_view(row: Play) -> PlayView:
    return PlayView(
        id=row.id,
        verb=row.verb,
        node=row.node,
        state=PlayState.STOPPED if row.stopped_by and row.state == PlayState.FAILED else PlayState(row.state),
        requested_by=row.requested_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        failed_step=row.failed_step,
        message=row.message,
        advice=row.advice,
        stopped_by=row.stopped_by,
    )
